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
