//! How long the work of a round with many contacts takes, which lies between the opening of a round and the earliest
//! moment of its deposit.

use std::time::Instant;

use wire::dial::DialReply;
use wire::ids::AccountIndex;

use super::*;
use crate::invitation::{self, Calling};
use crate::vault::VAULT_ENTRIES_MAX;
use crate::wheel::Root;

const FIRST: Round = Round(10);

/// A client with as many contacts as there may be, each on the root of a call.
fn crowded() -> Client {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut client = shown(Saved::default(), &[record("ann", 1), record("bob", 2)]);
    let ann = identity("ann", 1);
    for number in 0..VAULT_ENTRIES_MAX {
        let peer = identity(&format!("peer{number}"), 100 + number as u64);
        let calling = Calling::random(FIRST, &mut rng);
        let root: Root = calling.root(&ann, peer.record()).unwrap();
        client.befriend(AccountIndex(number as u32 + 2), *peer.record(), root);
    }
    client
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "it measures this machine, and nothing of the client sees it"
)]
#[ignore = "prints figures: cargo test -p client_core speed -- --ignored --nocapture"]
fn a_dial_round_with_all_contacts() {
    let mut client = crowded();
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let time = |what: &str, work: &mut dyn FnMut()| {
        let begun = Instant::now();
        work();
        println!("{what}: {:.2} ms", begun.elapsed().as_secs_f64() * 1000.0);
    };
    let boundary = Round(FIRST.0 + 4096);
    time("wheels after a month away", &mut || client.turn_wheels(Round(1_300_000)));
    let mut client = crowded();
    client.turn_wheels(Round(boundary.0 - 1));
    time("wheels over an outer step", &mut || client.turn_wheels(boundary));
    time("wheels by one round", &mut || client.turn_wheels(boundary.next()));
    let noise = DialReply::noise(&mut rng);
    time("a dial reply of noise", &mut || client.dialled(boundary.next(), &noise));
    let bob = identity("bob", 2);
    let calling = Calling::random(boundary, &mut rng);
    let called = record("ann", 1);
    let sealed = calling.invite(&bob, AccountIndex(1), &called, &mut rng).unwrap();
    let call = DialReply { invitation: sealed, ..noise };
    time("a dial reply with a call for us", &mut || client.dialled(boundary.next(), &call));
    assert_eq!(client.requests.len(), 1);
    assert!(invitation::open(&client.own, &sealed).is_some());
}
