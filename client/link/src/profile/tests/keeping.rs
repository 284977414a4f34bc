//! What changes do to what is kept.

use std::fs;

use client_core::record::{LABEL_MAX, RECEIVED_IDS_MAX};

use super::*;

#[test]
fn everything_survives_a_restart() {
    let (dir, mut profile) = created();
    let [bob, eve] = ["bob", "eve"].map(record);
    let first = ours(1, bob.identity(), "first");
    let long = ours(2, eve.identity(), &"長".repeat(16 * 1024 / 3));
    profile
        .apply(&[
            Change::Opened(Box::new(bob)),
            Change::Opened(Box::new(eve)),
            Change::Queued(first.clone()),
            Change::Token(Some(Token::new(TOKEN))),
        ])
        .unwrap();
    profile
        .apply(&[
            Change::Queued(long.clone()),
            Change::Queued(ours(3, bob.identity(), "third")),
            Change::Sent(id(1), Round(20)),
            Change::Received(theirs(50, eve.identity(), "hello")),
            Change::Received(theirs(51, eve.identity(), "again")),
            Change::Closed(eve.identity()),
            Change::Delivered(id(3), Round(21)),
        ])
        .unwrap();
    profile.apply(&[Change::Mark(Round(33))]).unwrap();

    let Unlocked { profile, master, account: whose, saved } = reopened(dir.path(), profile);
    assert_eq!(master.expose(), &MASTER);
    assert!(whose == account());
    assert!(saved.open == [bob]);
    assert!(saved.outgoing == [Outgoing { sent: Some(Round(20)), ..first.clone() }, long.clone()]);
    assert!(saved.received == [(eve.identity(), vec![id(50), id(51)])]);
    assert_eq!(saved.mark, Round(33));
    assert_eq!(saved.token.unwrap().expose(), &TOKEN);
    let with_bob = whole_history(&profile, &bob.identity()).unwrap();
    assert!(
        with_bob
            == [
                Message::Ours(Outgoing { sent: Some(Round(20)), ..first }, None),
                Message::Ours(ours(3, bob.identity(), "third"), Some(Round(21))),
            ]
    );
    let with_eve = whole_history(&profile, &eve.identity()).unwrap();
    assert!(
        with_eve
            == [
                Message::Ours(long, None),
                Message::Theirs(theirs(50, eve.identity(), "hello")),
                Message::Theirs(theirs(51, eve.identity(), "again")),
            ]
    );
    assert!(profile.history(&peer(99), None, 9).unwrap().entries.is_empty());
}

#[test]
fn contacts_roots_and_the_vault_survive_a_restart() {
    let (dir, mut profile) = created();
    let [bob, eve, cid] = ["bob", "eve", "cid"].map(record);
    let [bobs, eves, cids] = [bob, eve, cid].map(contact);
    profile
        .apply(&[
            Change::Contact(Box::new(bobs.clone())),
            Change::Contact(Box::new(eves.clone())),
            Change::Contact(Box::new(cids)),
            Change::Rooted(bob.identity(), root(eve.identity(), 1)),
            Change::Rooted(bob.identity(), root(bob.identity(), 5)),
            Change::Rooted(eve.identity(), root(eve.identity(), 9)),
            Change::Rooted(cid.identity(), root(cid.identity(), 13)),
            Change::Vault(7, vec![eve.identity(), peer(99)]),
            Change::Vault(6, vec![]),
        ])
        .unwrap();
    profile.apply(&[Change::Forgotten(cid.identity()), Change::Forgotten(peer(98))]).unwrap();
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    let eves = Contact { unsaved: None, ..eves };
    assert_eq!(saved.contacts.len(), 2);
    assert!(saved.contacts.contains(&bobs) && saved.contacts.contains(&eves));
    assert_eq!(saved.vault, 7);
    let of = |saved: &Saved, who: Record| {
        let found = saved.roots.iter().find(|(peer, _)| *peer == who.identity());
        found.map(|(_, it)| {
            (it.caller, it.first, it.heard, *it.hello.expose(), *it.outer.expose(), it.steps)
        })
    };
    let bobs_root = Some((bob.identity(), Round(40), true, [5; 32], [6; 32], 3));
    assert_eq!((saved.roots.len(), of(&saved, bob)), (2, bobs_root));
    // a block ends what there is with somebody
    let unsaved = Some(Unsaved::Changed);
    let blocked = Contact { blocked: true, verified: false, unsaved, ..eves };
    // and a restore has the rest be stored again
    let bobs = Contact { unsaved: Some(Unsaved::Restored), ..bobs };
    let changes = [&blocked, &bobs].map(|it| Change::Contact(Box::new(it.clone())));
    profile.apply(&changes).unwrap();
    let saved = reopened(dir.path(), profile).saved;
    assert!(saved.contacts.contains(&blocked) && saved.contacts.contains(&bobs));
    assert_eq!((saved.roots.len(), of(&saved, bob)), (1, bobs_root));
}

#[test]
fn declined_calls_are_kept_until_their_round() {
    let (dir, mut profile) = created();
    let declined = |byte, until| Change::Declined(peer(byte), Round(until));
    profile.apply(&[declined(1, 10), declined(2, 20), declined(1, 30)]).unwrap();
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    let sorted = |mut saved: Saved| {
        saved.declined.sort_by_key(|(peer, _)| peer.0);
        saved.declined
    };
    assert_eq!(sorted(saved), [(peer(1), Round(30)), (peer(2), Round(20))]);
    profile.apply(&[Change::Mark(Round(25)), declined(3, 40)]).unwrap();
    let saved = reopened(dir.path(), profile).saved;
    assert_eq!(sorted(saved), [(peer(1), Round(30)), (peer(3), Round(40))]);
}

#[test]
fn messages_are_restored_in_the_order_in_which_they_were_written() {
    let (dir, mut profile) = created();
    for number in 0..40 {
        let to = peer((number % 3) as u8);
        profile.apply(&[Change::Queued(ours(number * 7 % 40, to, "x"))]).unwrap();
    }
    let saved = reopened(dir.path(), profile).saved;
    let order: Vec<_> = saved.outgoing.iter().map(|message| message.id).collect();
    assert_eq!(order, (0..40).map(|number| id(number * 7 % 40)).collect::<Vec<_>>());
}

#[test]
fn states_never_go_back() {
    let (dir, mut profile) = created();
    let to = peer(1);
    profile.apply(&[Change::Queued(ours(1, to, "x")), Change::Sent(id(1), Round(5))]).unwrap();
    profile.apply(&[Change::Sent(id(1), Round(6)), Change::Queued(ours(1, to, "y"))]).unwrap();
    let sent = Outgoing { sent: Some(Round(5)), ..ours(1, to, "x") };
    assert!(whole_history(&profile, &to).unwrap() == [Message::Ours(sent.clone(), None)]);
    profile.apply(&[Change::Delivered(id(1), Round(8))]).unwrap();
    profile
        .apply(&[
            Change::Sent(id(1), Round(9)),
            Change::Delivered(id(1), Round(9)),
            Change::Sent(id(2), Round(9)),
            Change::Delivered(id(3), Round(9)),
        ])
        .unwrap();
    let Unlocked { profile, saved, .. } = reopened(dir.path(), profile);
    assert!(saved.outgoing.is_empty());
    assert!(whole_history(&profile, &to).unwrap() == [Message::Ours(sent, Some(Round(8)))]);
}

#[test]
fn a_doubled_id_is_stored_once_and_the_oldest_ids_are_evicted() {
    let (dir, mut profile) = created();
    let batch: Vec<_> = (0..RECEIVED_IDS_MAX as u64 + 2)
        .map(|number| Change::Received(theirs(number, peer(1), "x")))
        .collect();
    profile.apply(&batch).unwrap();
    profile
        .apply(&[
            Change::Received(theirs(2, peer(1), "doubled")),
            Change::Received(theirs(1025, peer(1), "doubled")),
            Change::Received(theirs(2, peer(2), "of another peer")),
        ])
        .unwrap();
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    let ids = |peer| saved.received.iter().find(|(of, _)| *of == peer).unwrap().1.clone();
    assert_eq!(ids(peer(1)), (2..RECEIVED_IDS_MAX as u64 + 2).map(id).collect::<Vec<_>>());
    assert_eq!(ids(peer(2)), [id(2)]);
    let history = whole_history(&profile, &peer(1)).unwrap();
    assert_eq!(history.len(), RECEIVED_IDS_MAX + 2);
    assert!(!history.contains(&Message::Theirs(theirs(2, peer(1), "doubled"))));
    profile.apply(&[Change::Received(theirs(0, peer(1), "evicted"))]).unwrap();
    assert_eq!(whole_history(&profile, &peer(1)).unwrap().len(), RECEIVED_IDS_MAX + 3);
}

#[test]
fn the_mark_only_rises_and_the_token_is_replaced() {
    let (dir, mut profile) = created();
    profile.apply(&[Change::Mark(Round(9)), Change::Mark(Round(4))]).unwrap();
    profile.apply(&[Change::Mark(Round(8)), Change::Token(Some(Token::new([1; 32])))]).unwrap();
    profile.apply(&[Change::Token(Some(Token::new(TOKEN)))]).unwrap();
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    assert_eq!(saved.mark, Round(9));
    assert_eq!(saved.token.unwrap().expose(), &TOKEN);
    profile.apply(&[Change::Token(None)]).unwrap();
    assert!(reopened(dir.path(), profile).saved.token.is_none());
}

#[test]
fn pages_are_bounded_and_go_backwards() {
    let (_dir, mut profile) = created();
    let batch: Vec<_> = (0..300).map(|n| Change::Received(theirs(n, peer(1), "x"))).collect();
    profile.apply(&batch).unwrap();
    let Page { entries: page, more } = profile.history(&peer(1), None, usize::MAX).unwrap();
    assert_eq!((page.len(), more), (HISTORY_PAGE_MAX, true));
    assert!(page[0].message == Message::Theirs(theirs(299, peer(1), "x")));
    let last = Some(page[HISTORY_PAGE_MAX - 1].cursor);
    let count = |max| {
        let rest = profile.history(&peer(1), last, max).unwrap();
        (rest.entries.len(), rest.more)
    };
    let rest = 300 - HISTORY_PAGE_MAX;
    assert_eq!([count(99), count(rest)], [(rest, false), (rest, false)]);
    assert_eq!([count(rest - 1), count(0)], [(rest - 1, true), (0, true)]);
}

#[test]
fn what_is_too_long_is_refused_with_its_whole_batch() {
    let (_dir, mut profile) = created();
    let fits = Outgoing { label: "l".repeat(LABEL_MAX), ..ours(1, peer(1), &"x".repeat(16_384)) };
    let label = Outgoing { label: "l".repeat(LABEL_MAX + 1), ..ours(2, peer(1), "x") };
    let text = ours(3, peer(1), &"x".repeat(16_385));
    for long in [Change::Queued(label), Change::Queued(text)] {
        let result = profile.apply(&[Change::Queued(fits.clone()), long]);
        assert!(matches!(result, Err(ProfileError::TooLong(_))));
    }
    let text = theirs(4, peer(1), &"x".repeat(16_385));
    let result = profile.apply(&[Change::Received(text)]);
    assert!(matches!(result, Err(ProfileError::TooLong("text"))));
    assert!(whole_history(&profile, &peer(1)).unwrap().is_empty());
    profile.apply(&[Change::Queued(fits.clone())]).unwrap();
    assert!(whole_history(&profile, &peer(1)).unwrap() == [Message::Ours(fits, None)]);
}

#[test]
fn a_new_session_begins_without_the_roots_of_before() {
    let (dir, mut profile) = created();
    let bob = record("bob");
    profile
        .apply(&[
            Change::Contact(Box::new(contact(bob))),
            Change::Rooted(bob.identity(), root(bob.identity(), 0xa0)),
        ])
        .unwrap();
    let Unlocked { mut profile, saved, .. } = reopened(dir.path(), profile);
    assert_eq!(saved.roots.len(), 1);
    profile.begin_session(Token::new(TOKEN)).unwrap();
    let saved = reopened(dir.path(), profile).saved;
    assert_eq!((saved.contacts.len(), saved.roots.len()), (1, 0));
    assert_eq!(saved.token.unwrap().expose(), &TOKEN);
}

#[test]
fn nothing_readable_is_on_disk() {
    let (dir, mut profile) = created();
    let bob = record("bob.the.builder");
    let text = "meet me behind the old mill";
    let mut changes = vec![
        Change::Opened(Box::new(bob)),
        Change::Token(Some(Token::new(TOKEN))),
        Change::Queued(ours(1, bob.identity(), text)),
        Change::Received(theirs(2, bob.identity(), "秘密の場所で会おう")),
        Change::Contact(Box::new(contact(bob))),
        Change::Rooted(bob.identity(), root(bob.identity(), 0xa0)),
        Change::Declined(bob.identity(), Round(9)),
        Change::Listed(0, vec![(bob, Head::EMPTY.after(&bob.encode().try_into().unwrap()))]),
    ];
    profile.apply(&changes).unwrap();
    changes.clear();
    changes.extend([Change::Sent(id(1), Round(5)), Change::Delivered(id(1), Round(6))]);
    profile.apply(&changes).unwrap();
    let name = bob.name;
    profile.draft(&name, "what nobody was told").unwrap();
    profile.forget_on_exit(&name, None, true).unwrap();
    profile.lock().unwrap();
    let behind = Incoming { text: "behind the lock".into(), ..theirs(3, peer(1), "") };
    profile.apply(&[Change::Received(behind)]).unwrap();

    let ProfileAccount { link, user } = account();
    let pin = link.pin.to_string();
    let secrets: [(&str, &[u8]); 18] = [
        ("draft", b"what nobody was told"),
        ("text behind the lock", b"behind the lock"),
        ("host", HOST.as_bytes()),
        ("pin", &link.pin.0),
        ("pin as text", pin.as_bytes()),
        ("user", user.as_str().as_bytes()),
        ("master key", &MASTER),
        ("token", &TOKEN),
        ("peer's name", b"bob.the.builder"),
        ("peer's signing key", &bob.signing.0[1..]),
        ("peer's agreement key", &bob.agreement.0[1..]),
        ("peer's identity", &bob.identity().0),
        ("root's hello key", &[0xa0; 32]),
        ("root's outer chain", &[0xa1; 32]),
        ("label", b"label-1"),
        ("text", text.as_bytes()),
        ("received text", "秘密の場所".as_bytes()),
        ("id", &id(1).0),
    ];
    let on_disk = |needle: &[u8]| {
        let mut files = fs::read_dir(dir.path()).unwrap();
        files.any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    for (what, secret) in secrets {
        assert!(!on_disk(secret), "{what} is on disk");
    }
    drop(profile);
    for (what, secret) in secrets {
        assert!(!on_disk(secret), "{what} is on disk after closing");
    }
    assert!(on_disk(b"iirsprof") && on_disk(b"history"), "the search finds what is there");
}
