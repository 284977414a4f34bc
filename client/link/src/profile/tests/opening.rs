//! Making, unlocking, refusing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use wire::link::Pin;

#[test]
fn a_password_opens_its_profile_only() {
    let (dir, profile) = created();
    drop(profile);
    for wrong in [b"".as_slice(), b"Correct horse", b"correct horse\n"] {
        let result = Profile::unlock(dir.path(), wrong, &CHEAP);
        assert!(matches!(result.err(), Some(ProfileError::WrongPassword)));
    }
    assert!(unlock(dir.path()).is_ok());
}

#[test]
fn two_programs_do_not_share_a_profile() {
    let (dir, profile) = created();
    let unlocked = Profile::unlock(dir.path(), PASSWORD, &CHEAP);
    assert!(matches!(unlocked.err(), Some(ProfileError::InUse)));
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::InUse)));
    drop(profile);
    assert!(unlock(dir.path()).is_ok());
}

#[test]
fn a_profile_is_made_once() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("some/where");
    assert!(!Profile::exists(&path));
    assert!(matches!(unlock(&path).err(), Some(ProfileError::Missing)));
    assert!(!path.exists(), "looking for a profile makes none");
    let mut profile = create(&path).unwrap();
    assert!(Profile::exists(&path));
    profile.apply(&[Change::Mark(Round(5))]).unwrap();
    drop(profile);
    assert!(matches!(create(&path).err(), Some(ProfileError::Exists)));
    assert_eq!(unlock(&path).ok().unwrap().saved.mark, Round(5));
}

#[test]
fn only_the_owner_reads_a_profile() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile");
    let _profile = create(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_stretching_below_the_floor_or_above_the_ceiling_is_refused() {
    let (dir, profile) = created();
    drop(profile);
    let floor = Stretching { memory_kib: 33, ..CHEAP };
    let result = Profile::unlock(dir.path(), PASSWORD, &floor);
    assert!(matches!(result.err(), Some(ProfileError::Stretching)));
    let dir = TempDir::new().unwrap();
    let impossible = Stretching { memory_kib: 1, ..CHEAP };
    let master = Secret::new(MASTER);
    let result = Profile::create(dir.path(), PASSWORD, impossible, &account(), &master);
    assert!(matches!(result.err(), Some(ProfileError::Stretching)));
    assert!(create(dir.path()).is_ok(), "a refused creation leaves nothing in the way");
}

#[test]
fn a_creation_that_was_cut_off_is_made_anew_or_finished() {
    let (dir, profile) = created();
    drop(profile);
    let at = |name: &str| dir.path().join(name);
    // before the header was in place: of no value
    fs::rename(at("data.redb"), at("data.redb.new")).unwrap();
    fs::rename(at("profile"), at("profile.new")).unwrap();
    assert!(!Profile::exists(dir.path()));
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Missing)));
    fs::write(at("data.redb.new"), "cut off").unwrap();
    drop(create(dir.path()).unwrap());
    // between header and data: whole
    fs::rename(at("data.redb"), at("data.redb.new")).unwrap();
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Exists)));
    assert!(unlock(dir.path()).is_ok());
    assert!(at("data.redb").exists() && !at("data.redb.new").exists());
}

#[test]
fn data_without_a_header_is_not_overwritten() {
    let (dir, profile) = created();
    drop(profile);
    let data = fs::read(dir.path().join("data.redb")).unwrap();
    fs::remove_file(dir.path().join("profile")).unwrap();
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Damaged(_))));
    assert!(fs::read(dir.path().join("data.redb")).unwrap() == data);
}

#[test]
fn a_newer_schema_is_refused_and_not_changed() {
    let (dir, profile) = created();
    drop(profile);
    let path = dir.path().join("data.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(row::META)
        .unwrap()
        .insert(row::SCHEMA_KEY, row::SCHEMA_VERSION + 1)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Newer)));
    assert!(matches!(create(dir.path()).err(), Some(ProfileError::Exists)));
    let database = redb::Database::open(&path).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let meta = transaction.open_table(row::META).unwrap();
    assert_eq!(meta.get(row::SCHEMA_KEY).unwrap().unwrap().value(), row::SCHEMA_VERSION + 1);
}

/// Tables that are new in a version of the schema.
fn new_tables(version: u32) -> &'static [Table] {
    match version {
        2 => &[Table::Contacts, Table::Roots, Table::Declined, Table::Vault, Table::Records],
        3 => &[
            Table::Progress,
            Table::Identity,
            Table::Drafts,
            Table::Forgetful,
            Table::Segment,
            Table::Waiting,
        ],
        4 => &[Table::Restores],
        5 => &[],
        _ => panic!("no such version"),
    }
}

/// Makes a profile into one that an older version of the schema wrote.
fn make_old(dir: &Path, version: u32) {
    let header = Header::decode(&fs::read(dir.join("profile")).unwrap()).unwrap();
    let master = Secret::new(MASTER);
    let key = ProfileKey::new(&master, &header.front.salt);
    let history = HistoryKey::new(&master, &header.front.salt);
    let database = redb::Database::open(dir.join("data.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(row::META).unwrap().insert(row::SCHEMA_KEY, version).unwrap();
    if version < 3 {
        let progress = transaction.open_table(Table::Progress.definition()).unwrap();
        let mut table = transaction.open_table(Table::History.definition()).unwrap();
        let raw = |row: redb::AccessGuard<'_, &'static [u8]>| row.value().to_vec();
        let rows: Vec<_> = redb::ReadableTable::iter(&table)
            .unwrap()
            .map(|row| row.map(|(place, sealed)| (raw(place), raw(sealed))).unwrap())
            .collect();
        for (place, sealed) in rows {
            let row = data::open(history.secret(), &place, &sealed).unwrap();
            let how_far = redb::ReadableTable::get(&progress, place.as_slice()).unwrap();
            let how_far = how_far.map(|sealed| data::open(key.secret(), &place, sealed.value()));
            let how_far: row::ProgressRow = how_far.transpose().ok().unwrap().unwrap_or_default();
            let old = old_row(row, how_far);
            let bound = [&Table::History.tag()[..], &place];
            let padding = value::Padding::PowerOfTwo;
            let sealed = value::seal(key.secret(), bound, &old, padding).unwrap();
            table.insert(place.as_slice(), sealed.as_slice()).unwrap();
        }
    }
    for table in (version + 1..=row::SCHEMA_VERSION).flat_map(new_tables) {
        assert!(transaction.delete_table(table.definition()).unwrap());
    }
    transaction.commit().unwrap();
}

fn old_row(row: row::HistoryRow, how_far: row::ProgressRow) -> old::OldHistoryRow {
    match row {
        row::HistoryRow::Ours { peer, id, label, text, sent_ms } => old::OldHistoryRow::Ours {
            peer,
            id,
            label,
            text,
            sent_ms,
            sent: how_far.sent().map(|round| round.0),
            delivered: how_far.delivered().map(|round| round.0),
        },
        row::HistoryRow::Theirs { peer, id, text, sent_ms, round } => {
            old::OldHistoryRow::Theirs { peer, id, text, sent_ms, round }
        }
    }
}

#[test]
fn a_profile_of_an_older_schema_opens_with_its_history_and_states() {
    for version in [2, 3, 4] {
        let (dir, mut profile) = created();
        let [one, other] = [1, 2].map(peer);
        let mut changes: Vec<_> = (0..9).map(|n| Change::Queued(ours(n, one, "ours"))).collect();
        changes.extend((9..14).map(|n| Change::Received(theirs(n, other, "theirs"))));
        changes.extend([
            Change::Sent(id(0), Round(20)),
            Change::Delivered(id(0), Round(21)),
            Change::Sent(id(1), Round(22)),
            Change::Token(Some(Token::new(TOKEN))),
        ]);
        profile.apply(&changes).unwrap();
        let before = [one, other].map(|peer| whole_history(&profile, &peer).ok().unwrap());
        drop(profile);
        make_old(dir.path(), version);
        for _ in 0..2 {
            let Unlocked { profile, saved, .. } = unlock(dir.path()).ok().unwrap();
            let after = [one, other].map(|peer| whole_history(&profile, &peer).ok().unwrap());
            assert!(after == before);
            assert_eq!(saved.outgoing.len(), 8, "all but the one that is delivered");
            assert_eq!(saved.outgoing[0].sent, Some(Round(22)));
            assert!(
                profile.drafts().unwrap().is_empty() && profile.forgetful().unwrap().is_empty()
            );
        }
        let Unlocked { mut profile, .. } = unlock(dir.path()).ok().unwrap();
        profile.apply(&[Change::Delivered(id(1), Round(30))]).unwrap();
        assert_eq!(reopened(dir.path(), profile).saved.outgoing.len(), 7);
    }
}

/// A contact as versions 2 to 4 kept it.
#[derive(serde::Serialize)]
struct OldContactRow {
    record: Vec<u8>,
    index: u32,
    verified: bool,
    blocked: bool,
    forgotten: bool,
    unsaved: bool,
}

#[test]
fn a_contact_of_an_older_schema_is_saved_or_changed_and_no_other_byte_is_read() {
    let key = Secret::new([1; 32]);
    let bound = [&Table::Contacts.tag()[..], b"key"];
    let reread = |row: Vec<u8>| -> row::ContactRow { value::open(&key, bound, &row).unwrap() };
    for (unsaved, read) in [(false, None), (true, Some(Unsaved::Changed))] {
        let (record, index) = (record("bob").encode(), 1);
        let old = OldContactRow {
            record,
            index,
            verified: true,
            blocked: false,
            forgotten: false,
            unsaved,
        };
        let row = reread(value::seal(&key, bound, &old, value::Padding::PowerOfTwo).unwrap());
        assert_eq!((row.verified, row.unsaved()), (true, Some(read)));
        for unsaved in 3..=u8::MAX {
            let row = row::ContactRow { unsaved, record: Vec::new(), ..row };
            assert_eq!(row.unsaved(), None);
        }
    }
}

#[test]
fn a_damaged_profile_of_an_older_schema_stays_as_it_is() {
    let (dir, mut profile) = created();
    profile.apply(&[Change::Received(theirs(1, peer(1), "x"))]).unwrap();
    drop(profile);
    make_old(dir.path(), 2);
    let flip = || {
        let database = redb::Database::open(dir.path().join("data.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(Table::History.definition()).unwrap();
            let (place, mut sealed) = {
                let (place, sealed) = redb::ReadableTable::first(&table).unwrap().unwrap();
                (place.value().to_vec(), sealed.value().to_vec())
            };
            sealed[100] ^= 1;
            table.insert(place.as_slice(), sealed.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
    };
    flip();
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::Damaged("history"))));
    flip();
    let profile = unlock(dir.path()).ok().unwrap().profile;
    assert_eq!(whole_history(&profile, &peer(1)).unwrap().len(), 1);
}

#[test]
fn a_profile_of_the_first_schema_opens_with_everything_and_takes_the_new_changes() {
    let (dir, mut profile) = created();
    let bob = record("bob");
    let queued = ours(1, bob.identity(), "before");
    let changes = [
        Change::Opened(Box::new(bob)),
        Change::Queued(queued.clone()),
        Change::Token(Some(Token::new(TOKEN))),
        Change::Mark(Round(5)),
    ];
    profile.apply(&changes).unwrap();
    drop(profile);
    make_old(dir.path(), 1);
    for _ in 0..2 {
        let Unlocked { mut profile, saved, .. } = unlock(dir.path()).ok().unwrap();
        assert!(saved.open == [bob] && saved.outgoing == [queued.clone()]);
        assert_eq!((saved.mark, saved.vault), (Round(5), 0));
        assert_eq!(saved.token.unwrap().expose(), &TOKEN);
        assert!(saved.contacts.is_empty() && saved.roots.is_empty() && saved.declined.is_empty());
        assert!(profile.records().is_ok());
        profile.apply(&[Change::Mark(Round(5))]).unwrap();
    }
    let Unlocked { mut profile, .. } = unlock(dir.path()).ok().unwrap();
    let contact = contact(bob);
    profile.apply(&[Change::Contact(Box::new(contact.clone())), Change::Vault(3, vec![])]).unwrap();
    let saved = reopened(dir.path(), profile).saved;
    assert!(saved.contacts == [contact] && saved.vault == 3);
}

#[test]
fn another_password_takes_the_place_of_the_one_before() {
    let (dir, mut profile) = created();
    profile.apply(&[Change::Mark(Round(5))]).unwrap();
    let master = Secret::new(MASTER);
    profile.password_place().put(b"new", CHEAP, &master).unwrap();
    drop(profile);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::WrongPassword)));
    let unlocked = Profile::unlock(dir.path(), b"new", &CHEAP).ok().unwrap();
    assert!(unlocked.account == account() && unlocked.master.expose() == &MASTER);
    assert_eq!(unlocked.saved.mark, Round(5));
    let other = unlocked.profile.password_place().put(b"x", CHEAP, &Secret::new([9; 32]));
    assert!(matches!(other, Err(ProfileError::OtherMaster)));
    drop(unlocked);
    assert!(Profile::unlock(dir.path(), b"new", &CHEAP).is_ok());
}

#[test]
fn a_change_of_password_that_was_cut_off_leaves_one_that_opens() {
    let (dir, profile) = created();
    let at = |name: &str| dir.path().join(name);
    let old = fs::read(at("profile")).unwrap();
    profile.password_place().put(b"new", CHEAP, &Secret::new(MASTER)).unwrap();
    let new = fs::read(at("profile")).unwrap();
    drop(profile);
    // before the rename: the new header is there in part or whole, beside the old one
    for left in [&new[..0], &new[..100], &new[..]] {
        fs::write(at("profile"), &old).unwrap();
        fs::write(at("profile.new"), left).unwrap();
        assert!(unlock(dir.path()).is_ok());
        let profile = unlock(dir.path()).ok().unwrap().profile;
        profile.password_place().put(b"new", CHEAP, &Secret::new(MASTER)).unwrap();
        drop(profile);
        assert!(Profile::unlock(dir.path(), b"new", &CHEAP).is_ok(), "it can be done again");
    }
    // after the rename
    assert!(!at("profile.new").exists());
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::WrongPassword)));
}

#[test]
fn the_master_key_opens_a_profile_whose_password_is_another() {
    let (dir, mut profile) = created();
    profile.apply(&[Change::Mark(Round(5))]).unwrap();
    drop(profile);
    let with = |master| Profile::open_with_master(dir.path(), &Secret::new(master));
    assert!(matches!(with([9; 32]).err(), Some(ProfileError::OtherMaster)));
    assert!(unlock(dir.path()).is_ok(), "another key changes nothing");
    let (profile, owner) = with(MASTER).ok().unwrap();
    assert!(owner == account() && profile.saved().ok().unwrap().mark == Round(5));
    assert!(matches!(with(MASTER).err(), Some(ProfileError::InUse)));
    profile.password_place().put(b"new", CHEAP, &Secret::new(MASTER)).unwrap();
    drop(profile);
    assert!(matches!(unlock(dir.path()).err(), Some(ProfileError::WrongPassword)));
    assert!(Profile::unlock(dir.path(), b"new", &CHEAP).is_ok());
}

#[test]
fn a_profile_directory_names_neither_account_nor_server() {
    let link = |pin| Link { host: "chat.example.org".into(), port: 1, pin: Pin([pin; 32]) };
    let (ann, bob) = ("ann".parse().unwrap(), "bob".parse().unwrap());
    let name = Profile::directory_name(&link(1), &ann);
    assert!(name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    assert_ne!(name, Profile::directory_name(&link(2), &ann));
    assert_ne!(name, Profile::directory_name(&link(1), &bob));
    let moved = Link { host: "other.example.org".into(), port: 2, ..link(1) };
    assert_eq!(name, Profile::directory_name(&moved, &ann), "a server may move");
}
