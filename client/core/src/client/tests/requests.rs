//! What the client makes of callers whose names change hands, and of buckets that do not fit.

use wire::ids::AccountIndex;
use wire::round::ServerHeader;

use super::*;
use crate::invitation::{self, Calling};
use crate::rounds::RoundError;

/// Has somebody call the client as the account at a place of the directory.
fn calls(client: &mut Client, caller: &Identity, index: u32) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let called = record("ann", 1);
    let calling = Calling::random(Round(10), &mut rng);
    let sealed = calling.invite(caller, AccountIndex(index), &called, &mut rng).unwrap();
    let opened = invitation::open(&client.own, &sealed).unwrap();
    client.invited(Round(10), &opened);
}

fn call(peer: &str) -> Command {
    Command::Call { peer: peer.into() }
}

#[test]
fn a_request_ends_when_the_name_changes_hands() {
    let (false_bob, bob) = (identity("bob", 2), identity("bob", 3));
    let all = [record("ann", 1), *false_bob.record()];
    let mut client = shown(Saved::default(), &all);
    calls(&mut client, &false_bob, 1);
    client.handle_control(NOW, last_page(&[&all[..], &[*bob.record()]].concat())).unwrap();
    client.handle_command(NOW, call("bob"));
    assert!(client.conversations.contains_key(&bob.hash()), "the bob of the directory is called");
    assert!(!client.conversations.contains_key(&false_bob.hash()));
    client.handle_command(NOW, Command::Accept { peer: "bob".into() });
    assert!(outputs(&mut client).0.contains(&ErrorCode::NoRequest));
}

#[test]
fn a_call_in_the_name_of_another_key_than_the_known_one_is_counted_and_not_told() {
    let (old_bob, bob) = (identity("bob", 2), identity("bob", 3));
    let mut client = shown(Saved::default(), &[record("ann", 1), *old_bob.record()]);
    client.handle_command(NOW, call("bob"));
    let all = [record("ann", 1), *old_bob.record(), *bob.record()];
    client.handle_control(NOW, last_page(&all)).unwrap();
    for (caller, index) in [(&old_bob, 1), (&bob, 2)] {
        calls(&mut client, caller, index);
    }
    assert_eq!(client.status().refused_calls, 2);
}

#[test]
fn forged_stale_and_early_invitations_are_counted_and_not_told() {
    let (ann, bob, eve) = (record("ann", 1), identity("bob", 2), identity("eve", 3));
    let mut client = shown(Saved::default(), &[ann, *bob.record(), *eve.record()]);
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let mut refused = 0;
    let mut call = |client: &mut Client, caller: &Identity, index, first, spoil: fn(&mut _)| {
        let calling = Calling::random(Round(first), &mut rng);
        let sealed = calling.invite(caller, AccountIndex(index), &ann, &mut rng).unwrap();
        let mut opened = invitation::open(&client.own, &sealed).unwrap();
        spoil(&mut opened);
        client.invited(Round(1000), &opened);
    };
    let forge = |opened: &mut invitation::Opened| opened.invitation.signature[5] ^= 1;
    let rename = |opened: &mut invitation::Opened| {
        opened.invitation.caller = record("bob", 2).identity();
    };
    let whole = |_: &mut invitation::Opened| ();
    for (caller, index, first, spoil) in [
        (&bob, 1, 1000, forge as fn(&mut _)),
        (&eve, 1, 1000, rename as fn(&mut _)),
        (&bob, 2, 1000, whole as fn(&mut _)),
        (&bob, 77, 1000, whole as fn(&mut _)),
        (&bob, 1, 1001, whole as fn(&mut _)),
        (&bob, 1, 99, whole as fn(&mut _)),
    ] {
        call(&mut client, caller, index, first, spoil);
        refused += 1;
        assert_eq!(client.status().refused_calls, refused, "{first}");
        assert!(client.requests.is_empty());
    }
    call(&mut client, &bob, 1, 1000, whole);
    assert_eq!((client.requests.len(), client.status().refused_calls), (1, refused));
}

#[test]
fn buckets_that_would_name_a_person_are_refused() {
    let client = shown(Saved::default(), &[record("ann", 1), record("bob", 2)]);
    let header = |directory_length, buckets| ServerHeader {
        slots: 2,
        closes_ms: 1,
        open: Round(1),
        answered: Round::NONE,
        seats: 2,
        directory_length,
        buckets,
    };
    for (length, buckets, fits) in
        [(2, 1, true), (1025, 2, true), (2, 2, false), (1025, 1, false), (4096, 4, false)]
    {
        let checked = client.check_buckets(&header(length, buckets));
        assert_eq!(checked, if fits { Ok(()) } else { Err(RoundError::Buckets(buckets)) });
    }
}
