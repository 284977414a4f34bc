//! What the client makes of callers whose names change hands, and of buckets that do not fit.

use wire::dial::Dial;
use wire::ids::AccountIndex;
use wire::round::ServerHeader;

use super::*;
use crate::invitation::{self, Calling};
use crate::rounds::RoundError;

/// Has somebody call the client as the account at a place of the directory.
fn calls(client: &mut Client, caller: &Identity, index: u32) {
    calls_in(client, caller, index, Round(10));
}

/// The same in some round.
fn calls_in(client: &mut Client, caller: &Identity, index: u32, round: Round) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let called = record("ann", 1);
    let calling = Calling::random(round, &mut rng);
    let sealed = calling.invite(caller, AccountIndex(index), &called, &mut rng).unwrap();
    let opened = invitation::open(&client.own, &sealed).unwrap();
    client.invited(round, &opened);
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
        let checked = client.check_buckets(&header(length, buckets), true);
        assert_eq!(checked, if fits { Ok(()) } else { Err(RoundError::Buckets(buckets)) });
    }
    let later = |length, buckets| client.check_buckets(&header(length, buckets), false);
    assert_eq!(later(4096, 4), Err(RoundError::Behind(4096)), "the way in fetches the rest");
    assert_eq!(later(4096, 8), Err(RoundError::Buckets(8)));
}

#[test]
fn of_more_callers_than_wait_the_one_heard_longest_ago_goes_and_rings_again() {
    let callers: Vec<_> = (0..65).map(|it| identity(&format!("caller-{it}"), 100 + it)).collect();
    let mut records = vec![record("ann", 1)];
    records.extend(callers.iter().map(|caller| *caller.record()));
    let mut client = shown(Saved::default(), &records);
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    let callings: Vec<_> = callers.iter().map(|_| Calling::random(Round(10), &mut rng)).collect();
    let mut ring = |client: &mut Client, who: usize, round: u64| {
        let (caller, index) = (&callers[who], AccountIndex(who as u32 + 1));
        let sealed = callings[who].invite(caller, index, &record("ann", 1), &mut rng).unwrap();
        client.invited(Round(round), &invitation::open(&client.own, &sealed).unwrap());
    };
    for who in 0..64 {
        ring(&mut client, who, 10 + who as u64);
    }
    ring(&mut client, 0, 80);
    ring(&mut client, 64, 81);
    let waits = |client: &Client, who: usize| client.requests.contains_key(&callers[who].hash());
    assert!(waits(&client, 0), "he was heard again");
    assert!(!waits(&client, 1) && waits(&client, 64));
    ring(&mut client, 1, 85);
    assert!(waits(&client, 1) && !waits(&client, 2));
    assert_eq!((client.requests.len(), client.status().refused_calls), (64, 0));
}

#[test]
fn a_call_that_comes_while_no_root_is_here_is_answered_by_a_call_unless_the_caller_is_heard() {
    let bob = identity("bob", 2);
    let mut client = shown(Saved::default(), &[record("ann", 1), *bob.record()]);
    client.handle_command(NOW, call("bob"));
    client.mark = Round(20);
    calls_in(&mut client, &bob, 1, Round(20));
    let call_of = |client: &Client| client.conversations[&bob.hash()].conversation.call().unwrap();
    assert_eq!(call_of(&client).caller, bob.hash(), "he may be there");
    let dial = client.dial(Round(25));
    assert!(matches!(dial, Dial::Invitation { .. }), "but it may be an old call");
    assert_eq!(call_of(&client).caller, client.own.hash());
    // a call that is newer than one that we know is his
    let mut client = shown(Saved::default(), &[record("ann", 1), *bob.record()]);
    client.handle_command(NOW, call("bob"));
    client.mark = Round(15);
    assert!(matches!(client.dial(Round(15)), Dial::Invitation { .. }));
    client.mark = Round(20);
    calls_in(&mut client, &bob, 1, Round(20));
    client.turn_wheels(Round(25));
    assert!(matches!(client.dial(Round(25)), Dial::WakeUp { .. }));
}
