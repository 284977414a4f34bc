//! Files that are not as they were written: an error, never a panic, never wrong data.

use std::fs;

use redb::{Database, ReadableTable};

use super::row::Table;
use super::*;

/// A closed profile with something in every table.
fn filled() -> TempDir {
    let (dir, mut profile) = created();
    let bob = record("bob");
    let eve = record("eve");
    let mut changes = vec![
        Change::Opened(Box::new(bob)),
        Change::Opened(Box::new(eve)),
        Change::Contact(Box::new(contact(bob))),
        Change::Contact(Box::new(contact(eve))),
        Change::Rooted(bob.identity(), root(peer(1), 1)),
        Change::Rooted(eve.identity(), root(peer(2), 3)),
        Change::Declined(peer(3), Round(90)),
        Change::Declined(peer(4), Round(91)),
        Change::Vault(4, vec![bob.identity()]),
        Change::Listed(0, chain(0, 60, Head::EMPTY)),
        Change::Restored { length: 60, restored_ms: 5, dropped: true },
        Change::Token(Some(Token::new(TOKEN))),
        Change::Mark(Round(7)),
    ];
    for number in 0..8 {
        changes.push(Change::Queued(ours(number, peer(1), &format!("to {number}"))));
        let from = theirs(100 + number, peer(1 + (number % 2) as u8), "from");
        changes.push(Change::Received(from));
    }
    profile.apply(&changes).unwrap();
    profile.keep_identity(&SealedIdentity([7; 112])).unwrap();
    for name in ["hal", "ida"] {
        let name = name.parse().unwrap();
        profile.draft(&name, "drafted").unwrap();
        profile.forget_on_exit(&name, None, true).unwrap();
    }
    profile.lock().unwrap();
    for number in 300..303 {
        profile.apply(&[Change::Received(theirs(number, peer(1), "while locked"))]).unwrap();
    }
    dir
}

/// All that can be read, or the first error.
fn read(dir: &Path) -> Result<Everything, ProfileError> {
    let Unlocked { profile, saved, .. } = unlock(dir)?;
    let histories = [1, 2].map(|byte| whole_history(&profile, &peer(byte)));
    let [first, second] = histories;
    let records = profile.records()?;
    let mut contacts = saved.contacts;
    contacts.sort_by_key(|contact| contact.record.identity().0);
    Ok(Everything {
        histories: [first?, second?],
        open: saved.open.len(),
        outgoing: saved.outgoing,
        received: saved.received,
        mark: saved.mark,
        contacts,
        roots: saved.roots.iter().map(|(_, root)| *root.outer.expose()).collect(),
        declined: saved.declined,
        vault: saved.vault,
        drafts: profile.drafts()?,
        forgetful: profile.forgetful()?,
        identity: profile.identity()?.map(|identity| identity.0),
        head: records.head(records.len()),
        token: *saved.token.ok_or(ProfileError::Missing)?.expose(),
    })
}

#[derive(PartialEq)]
struct Everything {
    histories: [Vec<Message>; 2],
    open: usize,
    outgoing: Vec<Outgoing>,
    received: Vec<(IdentityHash, Vec<MessageId>)>,
    mark: Round,
    contacts: Vec<Contact>,
    roots: Vec<[u8; 32]>,
    declined: Vec<(IdentityHash, Round)>,
    vault: u64,
    drafts: Vec<(String, String)>,
    forgetful: Vec<String>,
    identity: Option<[u8; 112]>,
    head: Option<Head>,
    token: [u8; 32],
}

/// Where redb says which of the last two commits counts; no checksum is over it, and an old commit is
/// whole, so that a flipped bit there brings back the state before.
const GOD_BYTE: usize = 9;

/// Flips one bit at many places of a data file; asserts that each is noticed or changes nothing.
///
/// A file that was closed also stays as it is when it is refused; in one that was not, redb mends its
/// own header first.
fn assert_flips_are_noticed(dir: &Path, data: &[u8], closed: bool) {
    let path = dir.join("data.redb");
    fs::write(&path, data).unwrap();
    let whole = read(dir).ok().unwrap();
    let places = (0..20).chain((20..320).step_by(9)).chain((320..data.len()).step_by(1531));
    let mut refused = 0;
    for at in places.filter(|&at| closed || at != GOD_BYTE) {
        let mut changed = data.to_vec();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        match read(dir) {
            Ok(read) => assert!(read == whole, "byte {at} changed what is read"),
            Err(ProfileError::Damaged(_)) => {
                refused += 1;
                let same = fs::read(&path).unwrap() == changed;
                assert!(same || !closed, "byte {at}: a refused file changed");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(refused > 20, "only {refused} flips were noticed");
}

#[test]
fn flipped_bits_of_a_closed_data_file_are_damage_or_change_nothing() {
    let dir = filled();
    let data = fs::read(dir.path().join("data.redb")).unwrap();
    assert_flips_are_noticed(dir.path(), &data, true);
}

#[test]
fn flipped_bits_of_a_data_file_after_a_crash_are_damage_or_change_nothing() {
    let dir = filled();
    let Unlocked { mut profile, .. } = unlock(dir.path()).ok().unwrap();
    for number in 200..202 {
        profile.apply(&[Change::Received(theirs(number, peer(1), "last"))]).unwrap();
    }
    let data = fs::read(dir.path().join("data.redb")).unwrap();
    drop(profile);
    assert_flips_are_noticed(dir.path(), &data, false);
}

#[test]
fn a_cut_or_foreign_data_file_is_damage() {
    let dir = filled();
    let path = dir.path().join("data.redb");
    let data = fs::read(&path).unwrap();
    let foreign = vec![0x5a; data.len()];
    let cuts = [0, 1, 100, 4096, 20_000, data.len() / 2, data.len() - 1];
    for bytes in cuts.map(|length| &data[..length]).into_iter().chain([foreign.as_slice()]) {
        fs::write(&path, bytes).unwrap();
        let error = read(dir.path()).err();
        assert!(matches!(error, Some(ProfileError::Damaged(_))), "{}: {error:?}", bytes.len());
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(read(dir.path()).err(), Some(ProfileError::Damaged(_))));
    assert!(!path.exists(), "no empty profile takes the place of a lost one");
}

#[test]
fn a_cut_or_foreign_header_is_damage() {
    let dir = filled();
    let path = dir.path().join("profile");
    let header = fs::read(&path).unwrap();
    let mut flipped = header.clone();
    flipped[100] ^= 1;
    let endless = vec![0x5a; 1 << 20];
    for bytes in [&header[..0], &header[..30], &header[..551], &flipped, &endless, b"garbage"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(read(dir.path()).err(), Some(ProfileError::Damaged(_))));
    }
    fs::write(&path, &header).unwrap();
    assert!(read(dir.path()).is_ok());
}

/// Changes a table behind the profile's back, with good checksums.
fn tamper(dir: &Path, table: Table, change: impl Fn(&mut Vec<(Vec<u8>, Vec<u8>)>)) {
    let database = Database::open(dir.join("data.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(table.definition()).unwrap();
        let mut rows: Vec<_> = table
            .iter()
            .unwrap()
            .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
            .collect::<Result<_, _>>()
            .unwrap();
        change(&mut rows);
        for (key, value) in rows {
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[test]
fn a_flipped_bit_in_any_value_is_damage() {
    for table in Table::ALL {
        let mut dir = filled();
        for at in [0, 16, 511] {
            let flip = |rows: &mut Vec<(Vec<u8>, Vec<u8>)>| {
                let last = rows[0].1.len() - 1;
                rows[0].1[at.min(last)] ^= 1;
            };
            tamper(dir.path(), table, flip);
            assert!(matches!(read(dir.path()).err(), Some(ProfileError::Damaged(_))));
            tamper(dir.path(), table, flip);
            assert!(read(dir.path()).is_ok());
            if let Table::Segment | Table::Waiting = table {
                dir = filled(); // a start takes what waits into the history
            }
        }
        tamper(dir.path(), table, |rows| {
            let length = rows[0].1.len() - 16;
            rows[0].1.truncate(length);
        });
        assert!(matches!(read(dir.path()).err(), Some(ProfileError::Damaged(_))));
    }
}

#[test]
fn a_value_moved_to_another_key_is_damage() {
    for table in Table::ALL {
        if let Table::State | Table::Vault | Table::Identity | Table::Segment | Table::Restores =
            table
        {
            continue; // one row
        }
        let dir = filled();
        tamper(dir.path(), table, |rows| rows[0].1 = rows[1].1.clone());
        assert!(matches!(read(dir.path()).err(), Some(ProfileError::Damaged(_))));
    }
}

#[test]
fn a_missing_row_of_the_history_is_damage() {
    let dir = filled();
    let database = Database::open(dir.path().join("data.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let removed = transaction.open_table(Table::History.definition()).unwrap().retain(|_, _| false);
    removed.unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Damaged(_))));
}

#[test]
fn what_waits_without_its_key_is_damage() {
    let dir = filled();
    let database = Database::open(dir.path().join("data.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(Table::Segment.definition()).unwrap().retain(|_, _| false).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Damaged(_))));
}
