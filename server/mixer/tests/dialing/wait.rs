//! How long a wake-up takes in a bucket where many call at once, by what the queue does with a second token of a seat
//! and by how old a token may be when it arrives. Decision 0013.
//!
//! `cargo nextest run -p mixer --no-capture how_long_a_wake_up_takes` prints the table.

use rand_core::RngCore;
use wire::dial::WAKE_UP_VALID;

use super::*;

/// Callers of one bucket, each of one peer, from the same dial round on.
const CALLERS: u32 = 200;
/// Of so many deposits of a caller one is missing or late; 0 for none.
const MISSING_ONE_IN: [u32; 3] = [0, 10, 4];
/// Dial rounds in which a token counts: its own and those after it.
const VALID: [u64; 5] = [1, 2, 3, 6, 12];
/// A run that has not woken everybody by then is given up.
const ROUNDS_MAX: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The newer token takes the place of the older one.
    Replaces,
    /// The newer token is dropped while an older one waits.
    KeepsOlder,
}

/// Dial rounds until a peer is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    median: u32,
    ninth_of_ten: u32,
    longest: u32,
}

#[test]
fn how_long_a_wake_up_takes() {
    println!("dial rounds until the peer of one of {CALLERS} callers is woken");
    println!(
        "{:>12} {:>8} {:>6} {:>7} {:>5} {:>5}",
        "rule", "missing", "valid", "median", "p90", "max"
    );
    for missing in MISSING_ONE_IN {
        let waits = |rule| VALID.map(|valid| (valid, wait(rule, valid, missing)));
        let (replaces, keeps) = (waits(Rule::Replaces), waits(Rule::KeepsOlder));
        print(Rule::Replaces, missing, &replaces);
        print(Rule::KeepsOlder, missing, &keeps);
        let of = |waits: &[(u64, Wait)]| {
            waits.iter().find(|(valid, _)| *valid == WAKE_UP_VALID).map(|(_, wait)| *wait).unwrap()
        };
        let chosen = of(&replaces);
        assert!(chosen.longest < of(&keeps).median, "kept tokens are void when they arrive");
        for (valid, other) in replaces {
            if valid < WAKE_UP_VALID && missing > 0 {
                assert!(
                    chosen.median < other.median
                        || chosen.ninth_of_ten < other.ninth_of_ten
                        || chosen.longest < other.longest
                );
            }
            assert!(
                chosen.median <= other.median && chosen.ninth_of_ten <= other.ninth_of_ten,
                "valid for {valid}"
            );
        }
        // and nothing could be quicker: 15 of 200 a round
        let rounds = |callers: u32| callers.div_ceil(WAKE_UPS as u32);
        assert!(
            chosen.median <= rounds(CALLERS / 2)
                && chosen.ninth_of_ten <= rounds(CALLERS * 9 / 10) + 1
        );
    }
}

fn print(rule: Rule, missing: u32, waits: &[(u64, Wait)]) {
    let rule = format!("{rule:?}");
    let missing = if missing == 0 { "none".to_owned() } else { format!("1 in {missing}") };
    for (valid, Wait { median, ninth_of_ten, longest }) in waits {
        println!("{rule:>12} {missing:>8} {valid:>6} {median:>7} {ninth_of_ten:>5} {longest:>5}");
    }
}

fn wait(rule: Rule, valid: u64, missing_one_in: u32) -> Wait {
    let mut waits: Vec<_> =
        (0..10).flat_map(|seed| run(rule, valid, missing_one_in, seed)).collect();
    waits.sort_unstable();
    Wait {
        median: waits[waits.len() / 2],
        ninth_of_ten: waits[waits.len() * 9 / 10],
        longest: waits[waits.len() - 1],
    }
}

/// Runs dial rounds until everybody's peer is woken; returns how many each took.
fn run(rule: Rule, valid: u64, missing_one_in: u32, seed: u64) -> Vec<u32> {
    let mut queue = Queue::new(1);
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let mut woken: Vec<Option<u32>> = vec![None; CALLERS as usize];
    let mut waits_already = vec![false; CALLERS as usize];
    for round in 1..=ROUNDS_MAX {
        for caller in 0..CALLERS {
            let missing = missing_one_in > 0 && chance.next_u32() % missing_one_in == 0;
            let dropped = rule == Rule::KeepsOlder && waits_already[caller as usize];
            if woken[caller as usize].is_none() && !missing && !dropped {
                queue.wakes(caller, 0, round * CALLERS + caller);
                waits_already[caller as usize] = true;
            }
        }
        for token in queue.give_out(1).remove(0).1 {
            let (made, caller) = (token / CALLERS, token as usize % CALLERS as usize);
            waits_already[caller] = false;
            if u64::from(round - made) < valid {
                woken[caller].get_or_insert(round);
            }
        }
        if woken.iter().all(Option::is_some) {
            break;
        }
    }
    woken.into_iter().map(|round| round.unwrap_or(ROUNDS_MAX)).collect()
}
