//! The copy of the server's directory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use client_core::record::KnownRestores;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use redb::ReadableTable;

use super::row::Table;
use super::*;

/// Blocks that are full, and one that is not.
const MANY: u32 = 10_000;

/// Records that are written one at a time.
const WRITTEN: u32 = 200;

/// Keys and sealed values of a table.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// The directory as it is listed in the rounds: what is appended in memory is kept a little later.
fn list(
    profile: &mut Profile,
    records: &mut DiskRecords,
    from: u32,
    count: u32,
) -> Vec<(Record, Head)> {
    let more = chain(from, count, records.head(from).unwrap());
    records.append(&more);
    profile.apply(&[Change::Listed(from, more.clone())]).unwrap();
    more
}

fn assert_same(records: &DiskRecords, all: &[(Record, Head)]) {
    let length = all.len() as u32;
    assert_eq!(records.len(), length);
    assert_eq!((records.head(0), records.head(length + 1)), (Some(Head::EMPTY), None));
    assert!(records.record(length).is_none());
    for (index, (record, head)) in (0..).zip(all) {
        assert!(records.record(index) == Some(*record), "{index}");
        assert_eq!(records.head(index + 1), Some(*head), "{index}");
        assert_eq!(records.find(&record.name), Some(index));
    }
    let names: Vec<_> = all.iter().map(|(record, _)| record.name).collect();
    assert!(records.names(0, usize::MAX) == names);
    assert!(
        records.names(length.saturating_sub(3), 2)
            == names[length.saturating_sub(3) as usize..][..2.min(names.len())]
    );
    assert_eq!(records.find(&"nobody".parse().unwrap()), None);
}

#[test]
fn ten_thousand_records_survive_a_restart_and_cost_little_more_than_themselves() {
    let (dir, mut profile) = created();
    let all = chain(0, MANY, Head::EMPTY);
    for (from, page) in (0..).step_by(500).zip(all.chunks(500)) {
        profile.apply(&[Change::Listed(from, page.to_vec())]).unwrap();
    }
    let Unlocked { profile, .. } = reopened(dir.path(), profile);
    assert_same(&profile.records().unwrap(), &all);
    let database = redb::ReadableDatabase::begin_read(&profile.data.database).unwrap();
    let table = database.open_table(Table::Records.definition()).unwrap();
    let stats = redb::ReadableTableMetadata::stats(&table).unwrap();
    let pages = stats.leaf_pages() + stats.branch_pages();
    assert!(pages * 4096 <= u64::from(MANY) * 180, "{pages} pages");
}

#[test]
fn what_is_appended_is_there_before_and_after_it_is_kept() {
    let (dir, mut profile) = created();
    let mut records = profile.records().unwrap();
    let mut all = Vec::new();
    for count in [1, 22, 1, 1, 5, 18, 24, 24, 3] {
        let from = all.len() as u32;
        let more = chain(from, count, records.head(from).unwrap());
        records.append(&more);
        all.extend(more.clone());
        assert_eq!(records.len(), all.len() as u32);
        assert!(records.record(from) == Some(all[from as usize].0), "not kept yet");
        profile.apply(&[Change::Listed(from, more)]).unwrap();
        assert!(records.record(from) == Some(all[from as usize].0), "kept");
    }
    assert_same(&records, &all);
    // what is kept leaves the memory
    all.extend(list(&mut profile, &mut records, all.len() as u32, 5));
    assert!(records.is_settled_but_for(5));
    assert_same(&records, &all);
    drop(records);
    let Unlocked { profile, .. } = reopened(dir.path(), profile);
    assert_same(&profile.records().unwrap(), &all);
}

#[test]
fn a_name_with_several_records_is_found_by_its_newest() {
    let (dir, mut profile) = created();
    let mut records = profile.records().unwrap();
    let mut all = chain(0, 40, Head::EMPTY);
    let again = all[3].0;
    let head = all[39].1.after(&again.encode().try_into().unwrap());
    all.push((again, head));
    records.append(&all);
    assert_eq!(records.find(&again.name), Some(40));
    profile.apply(&[Change::Listed(0, all)]).unwrap();
    assert_eq!(records.find(&again.name), Some(40));
    drop(records);
    let Unlocked { profile, .. } = reopened(dir.path(), profile);
    let records = profile.records().unwrap();
    assert_eq!(records.find(&again.name), Some(40));
    assert_eq!(records.head(41), Some(head));
}

#[test]
fn records_that_come_twice_are_kept_once_and_a_gap_is_refused() {
    let (dir, mut profile) = created();
    let all = chain(0, 60, Head::EMPTY);
    let listed = |from: u32, to: usize| Change::Listed(from, all[from as usize..to].to_vec());
    profile.apply(&[listed(0, 30), listed(0, 30), listed(25, 31), listed(31, 31)]).unwrap();
    profile.apply(&[listed(10, 20), listed(29, 60)]).unwrap();
    let Unlocked { mut profile, .. } = reopened(dir.path(), profile);
    assert_same(&profile.records().unwrap(), &all);
    let gap = profile.apply(&[Change::Listed(61, vec![all[0]])]);
    assert!(matches!(gap, Err(ProfileError::Damaged("directory"))));
}

#[test]
fn a_damaged_directory_is_told_and_makes_place_for_another() {
    let all = chain(0, 60, Head::EMPTY);
    let damages: [fn(&mut Entries); 4] = [
        |rows| rows[1].1[60] ^= 1,
        |rows| rows[0].1 = rows[1].1.clone(),
        |rows| drop(rows.remove(1)),
        |rows| rows[2].0 = vec![0, 0, 0, 9],
    ];
    for damage in damages {
        let (dir, mut profile) = created();
        profile.apply(&[Change::Listed(0, all.clone()), Change::Mark(Round(5))]).unwrap();
        drop(profile);
        change_rows(dir.path(), damage);
        let Unlocked { mut profile, saved, .. } = unlock(dir.path()).ok().unwrap();
        assert_eq!(saved.mark, Round(5), "the rest of the profile is whole");
        assert!(matches!(profile.records().err(), Some(ProfileError::Damaged("directory"))));
        profile.drop_records().unwrap();
        assert_eq!(profile.records().unwrap().len(), 0);
        profile.apply(&[Change::Listed(0, all.clone())]).unwrap();
        assert_same(&profile.records().unwrap(), &all);
    }
}

#[test]
fn a_record_that_cannot_be_read_any_more_is_told() {
    let (_dir, mut profile) = created();
    let all = chain(0, 60, Head::EMPTY);
    profile.apply(&[Change::Listed(0, all.clone())]).unwrap();
    let records = profile.records().unwrap();
    assert!(!profile.data.is_unlisted());
    profile.drop_records().unwrap();
    assert!(records.record(3).is_none() && profile.data.is_unlisted());
}

#[test]
fn a_block_of_another_directory_that_was_here_before_is_damage() {
    let (dir, mut profile) = created();
    profile.apply(&[Change::Listed(0, chain(0, 60, Head::EMPTY))]).unwrap();
    drop(profile);
    let mut before = Entries::new();
    change_rows(dir.path(), |rows| before.clone_from(rows));
    let mut profile = unlock(dir.path()).ok().unwrap().profile;
    profile.drop_records().unwrap();
    profile.apply(&[Change::Listed(0, chain(0, 60, Head::EMPTY))]).unwrap();
    assert!(profile.records().is_ok());
    drop(profile);
    change_rows(dir.path(), |rows| rows[1] = before[1].clone());
    let profile = unlock(dir.path()).ok().unwrap().profile;
    assert!(matches!(profile.records().err(), Some(ProfileError::Damaged("directory"))));
}

/// A record of a time of its own, that follows a head.
fn another(place: u32, time: u64, head: Head) -> (Record, Head) {
    let key = SigningKey::from_slice(&[1; 32]).unwrap();
    let signing = *key.verifying_key();
    let signing = wire::public_key::PublicKey::of(&p256::PublicKey::from(signing));
    let name = format!("person.{place}.{time}").parse().unwrap();
    let record = Record { name, signing, agreement: signing, signature: [1; 64] };
    (record, head.after(&record.encode().try_into().unwrap()))
}

/// Draws what is appended, cut, kept and read, in any order; what is kept comes later than what is in memory.
#[test]
fn a_directory_that_is_cut_is_what_it_was_then_however_late_that_is_kept() {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut draw = |below: u32| rng.next_u32() % below;
    for _ in 0..20 {
        let (dir, mut profile) = created();
        let mut records = profile.records().unwrap();
        let mut all: Vec<(Record, Head)> = Vec::new();
        let mut waiting = VecDeque::new();
        for time in 0..120 {
            let length = all.len() as u32;
            match draw(8) {
                0 => {
                    let kept = draw(length + 1);
                    all.truncate(kept as usize);
                    records.truncate(kept);
                    waiting.push_back(Change::Restored {
                        length: kept,
                        restored_ms: time,
                        dropped: true,
                    });
                }
                1..=3 => {
                    let before = records.head(length).unwrap();
                    let more = (length..length + draw(40)).scan(before, |head, place| {
                        let record = another(place, time, *head);
                        *head = record.1;
                        Some(record)
                    });
                    let more: Vec<_> = more.collect();
                    records.append(&more);
                    all.extend_from_slice(&more);
                    waiting.push_back(Change::Listed(length, more));
                }
                4 | 5 => {
                    let some: Vec<_> = (0..draw(4)).map_while(|_| waiting.pop_front()).collect();
                    profile.apply(&some).unwrap();
                }
                _ if length > 0 => {
                    let place = draw(length);
                    let (record, head) = all[place as usize];
                    assert!(records.record(place) == Some(record), "{place} of {length}");
                    assert_eq!(records.head(place + 1), Some(head));
                    assert_eq!(records.find(&record.name), Some(place));
                }
                _ => (),
            }
        }
        assert_same(&records, &all);
        profile.apply(&waiting.into_iter().collect::<Vec<_>>()).unwrap();
        assert_same(&records, &all);
        drop(records);
        let Unlocked { profile, .. } = reopened(dir.path(), profile);
        assert_same(&profile.records().unwrap(), &all);
    }
}

#[test]
fn what_is_known_of_restores_only_rises() {
    let (dir, mut profile) = created();
    assert_eq!(profile.restores().ok(), Some(KnownRestores::default()));
    let taken = |restored_ms, dropped| Change::Restored { length: 0, restored_ms, dropped };
    profile.apply(&[taken(5, true), taken(9, false), Change::RestoreTold(7)]).unwrap();
    profile.apply(&[taken(8, false), taken(4, true), Change::RestoreTold(6)]).unwrap();
    let Unlocked { profile, saved, .. } = reopened(dir.path(), profile);
    let known = KnownRestores { taken_ms: 9, told_ms: 7, dropped_ms: 5 };
    assert_eq!((profile.restores().ok(), saved.restores), (Some(known), known));
}

/// Changes the blocks behind the profile's back, with good checksums.
fn change_rows(dir: &Path, change: impl FnOnce(&mut Entries)) {
    let database = redb::Database::open(dir.join("data.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(Table::Records.definition()).unwrap();
        let rows = table.iter().unwrap().map(Result::unwrap);
        let mut rows: Entries =
            rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect();
        change(&mut rows);
        table.retain(|_, _| false).unwrap();
        for (key, value) in rows {
            table.insert(key.as_slice(), value.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// The directory is looked up in by one thread while another one writes down what came: redb frees the pages that only
/// what is over still shows, and where debug assertions are on it ends if somebody reads one of them.
#[test]
fn a_record_is_read_while_others_are_written() {
    let (_dir, mut profile) = created();
    let mut records = profile.records().unwrap();
    list(&mut profile, &mut records, 0, 1);
    let (data, written) = (Arc::clone(&profile.data), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut read = 0;
            while !written.load(Ordering::Acquire) {
                let block = data.get::<row::BlockRow>(&0_u32.to_be_bytes()).unwrap().unwrap();
                assert!(block.records.len() >= read);
                read = block.records.len();
            }
        });
        let all: Result<Vec<_>, _> = (1..WRITTEN)
            .map(|at| {
                let more = chain(at, 1, records.head(at).unwrap());
                records.append(&more);
                profile.apply(&[Change::Listed(at, more)])
            })
            .collect();
        written.store(true, Ordering::Release);
        assert!(all.is_ok(), "{all:?}");
        reading.join().unwrap();
    });
}
