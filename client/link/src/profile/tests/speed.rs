//! What keeping costs; printed, not judged.

use std::time::Instant;

use super::*;

/// Run with `--ignored --nocapture`.
#[test]
#[ignore = "measures this disk"]
fn median_of_one_received_message() {
    let (dir, mut profile) = created();
    for stage in ["new profile", "1,024 ids held"] {
        let mut times: Vec<_> = (0..101)
            .map(|_| {
                let id = MessageId::random(&mut OsRng);
                let message = Incoming { id, ..theirs(0, peer(1), "a short text") };
                let start = Instant::now();
                profile.apply(&[Change::Received(message)]).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("{stage}: one received message kept in {:?}, at most {:?}", times[50], times[100]);
        let many = (0..2000).map(|n| Change::Received(theirs(n, peer(1), "a short text")));
        let start = Instant::now();
        profile.apply(&many.collect::<Vec<_>>()).unwrap();
        println!("2,000 in one batch kept in {:?}", start.elapsed());
        let start = Instant::now();
        profile.apply(&[Change::Mark(Round(1))]).unwrap();
        println!("one mark kept in {:?}", start.elapsed());
    }
    drop(profile);
    let bytes = dir.path().join("data.redb").metadata().unwrap().len();
    let start = Instant::now();
    assert!(unlock(dir.path()).is_ok());
    println!("data file of {bytes} bytes opened in {:?}", start.elapsed());
}

/// Run with `--ignored --nocapture`.
#[test]
#[ignore = "measures this disk"]
fn a_directory_of_100_000() {
    let (dir, mut profile) = created();
    let all = chain(0, 100_000, Head::EMPTY);
    let empty = dir.path().join("data.redb").metadata().unwrap().len();
    let start = Instant::now();
    // as many pages as go into one transaction
    for (from, pages) in (0..).step_by(320).zip(all.chunks(320)) {
        profile.apply(&[Change::Listed(from, pages.to_vec())]).unwrap();
    }
    println!("written in {:?}", start.elapsed());
    drop(profile);
    let bytes = dir.path().join("data.redb").metadata().unwrap().len() - empty;
    println!("{} bytes a record", bytes / 100_000);
    let start = Instant::now();
    let Unlocked { profile, .. } = unlock(dir.path()).ok().unwrap();
    println!("profile opened in {:?}", start.elapsed());
    let start = Instant::now();
    let records = profile.records().unwrap();
    println!("directory opened in {:?}", start.elapsed());
    let start = Instant::now();
    for (record, _) in all.iter().step_by(97) {
        assert!(records.find(&record.name).is_some());
    }
    println!("a name looked up in {:?}", start.elapsed() / 1031);
}

/// Run with `--ignored --nocapture`.
#[test]
#[ignore = "measures this disk"]
fn a_history_of_10_000_and_100_000() {
    for messages in [10_000, 100_000] {
        let (dir, mut profile) = created();
        let message = |n: u64| match n % 2 {
            0 => Change::Received(theirs(n, peer(1), &format!("a text of usual length, {n}"))),
            _ => Change::Queued(ours(n, peer(1), &format!("a text of usual length, {n}"))),
        };
        for first in (0..messages).step_by(1000) {
            let mut changes: Vec<_> = (first..first + 1000).map(message).collect();
            changes.extend((first..first + 1000).map(|n| Change::Delivered(id(n), Round(n))));
            profile.apply(&changes).unwrap();
        }
        let bytes = dir.path().join("data.redb").metadata().unwrap().len();
        println!("{messages} messages in {bytes} bytes");
        let start = Instant::now();
        let mut profile = reopened(dir.path(), profile).profile;
        println!("  profile opened in {:?}", start.elapsed());
        let start = Instant::now();
        let page = profile.history(&peer(1), None, 50).unwrap();
        println!("  page of {} read in {:?}", page.entries.len(), start.elapsed());
        let start = Instant::now();
        let page = profile.history(&peer(1), Some(Cursor(messages / 2)), 50).unwrap();
        println!("  page of {} in the middle read in {:?}", page.entries.len(), start.elapsed());
        let reader = HistoryReader { data: Arc::clone(&profile.data) };
        for direction in [Direction::NewestFirst, Direction::OldestFirst] {
            let start = Instant::now();
            let mut walk = reader.walk(None, direction).unwrap();
            while !walk.page(512).unwrap().is_empty() {}
            println!("  all read, {direction:?}, in {:?}", start.elapsed());
        }
        let start = Instant::now();
        profile.lock().unwrap();
        println!("  locked in {:?}", start.elapsed());
        let key = history_key(&profile);
        let start = Instant::now();
        profile.open_history(key).unwrap();
        println!("  unlocked, but for the stretching, in {:?}", start.elapsed());
        let start = Instant::now();
        profile.delete_history(Some(&peer(1))).unwrap();
        println!("  deleted in {:?}", start.elapsed());
    }
}
