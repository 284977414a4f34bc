//! What the client makes of the directory that a server shows, and what it tells a window.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::codec::Wire;
use wire::control::{Page, ServerControl};
use wire::directory::{Head, Record};
use wire::ids::{Round, Token};
use wire::kdf::Secret;
use wire::round::ServerHeader;
use wire::size::{SIGNATURE, round_frame};

use super::{Client, ClockChanged, Now, Output};
use crate::api::{Command, ConnectionState, ErrorCode, Event};
use crate::directory::{MemoryRecords, PageError, Records};
use crate::identity::{Identity, MasterKey};
use crate::record::{Change, Saved, ServerClock};
use crate::rounds::Terms;
use crate::safety_number::safety_number;
use crate::vault::VaultKey;

const NOW: Now = Now { at: std::time::Duration::ZERO, unix_ms: 7 };

fn identity(name: &str, seed: u64) -> Identity {
    Identity::random(name.parse().unwrap(), &mut ChaCha20Rng::seed_from_u64(seed))
}

fn record(name: &str, seed: u64) -> Record {
    *identity(name, seed).record()
}

fn head(records: &[Record]) -> Head {
    let after = |head: Head, record: &Record| head.after(&record.encode().try_into().unwrap());
    records.iter().fold(Head::EMPTY, after)
}

/// The core takes pages whose signature was checked before.
const UNSIGNED: [u8; SIGNATURE] = [0; SIGNATURE];

fn vault_key() -> VaultKey {
    VaultKey::of(&MasterKey::new(Secret::new([3; 32])))
}

fn no_records() -> Box<MemoryRecords> {
    Box::default()
}

/// A client that was shown these records at its start.
fn shown(saved: Saved, records: &[Record]) -> Client {
    let generator = || ChaCha20Rng::seed_from_u64(9);
    let mut client = Client::new(
        identity("ann", 1),
        saved,
        vault_key(),
        no_records(),
        Box::new(generator()),
        generator(),
    );
    let length = records.len() as u32;
    let page = Page {
        from: 0,
        length,
        head: head(records),
        signature: UNSIGNED,
        records: records.to_vec(),
    };
    client.handle_page(&page).unwrap();
    client.handle_directory_synced(NOW, length, head(records));
    client
}

/// Everything that the client wants done since it was asked last.
fn outputs(client: &mut Client) -> (Vec<ErrorCode>, Vec<Change>) {
    let (mut errors, mut kept) = (Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        match output {
            Output::Event(Event::Error { code, .. }) => errors.push(code),
            Output::Keep(_, changes) => kept.extend(changes),
            Output::Event(_)
            | Output::Deposit(_)
            | Output::Control(_)
            | Output::Answer(_)
            | Output::Leave => (),
        }
    }
    (errors, kept)
}

fn open(peer: &str) -> Command {
    Command::Open { peer: peer.into() }
}

fn send(peer: &str) -> Command {
    Command::Send { peer: peer.into(), text: "hi".into(), label: "m1".into() }
}

fn keeps_a_message(kept: &[Change]) -> bool {
    kept.iter().any(|change| matches!(change, Change::Queued(_)))
}

#[test]
fn a_name_stays_with_its_keys_while_its_conversation_is_open() {
    let saved = Saved { open: vec![record("bob", 2)], ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 3)]);
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
    client.handle_command(NOW, open("bob"));
    client.handle_command(NOW, send("bob"));
    let (errors, kept) = outputs(&mut client);
    assert_eq!(errors, [ErrorCode::KeyChanged], "the send is refused, the change told once");
    assert!(!keeps_a_message(&kept));
    assert_eq!(client.conversations.len(), 1);
    let met = client.meet(Round(5));
    assert!(met.is_empty(), "nothing is said to either of them");
}

#[test]
fn a_name_stays_with_its_keys_after_its_conversation_was_closed() {
    let saved = Saved { closed: vec![record("bob", 2)], ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 3)]);
    client.handle_command(NOW, open("bob"));
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
    assert!(client.conversations.is_empty());
}

#[test]
fn of_two_keys_that_a_name_had_here_the_one_of_the_directory_counts_after_a_restart() {
    let all = [record("ann", 1), record("bob", 2), record("bob", 3)];
    for closed in [[all[1], all[2]], [all[2], all[1]]] {
        let mut records = no_records();
        let heads = (1..=all.len()).map(|length| head(&all[..length]));
        records.append(&all.into_iter().zip(heads).collect::<Vec<_>>());
        let saved = Saved { closed: closed.to_vec(), ..Saved::default() };
        let generator = || ChaCha20Rng::seed_from_u64(9);
        let contents = Box::new(generator());
        let own = identity("ann", 1);
        let mut client = Client::new(own, saved, vault_key(), records, contents, generator());
        client.handle_directory_synced(NOW, all.len() as u32, head(&all));
        assert_eq!(outputs(&mut client).0, [], "an accepted key raises no alarm again");
    }
}

#[test]
fn a_name_with_its_own_keys_opens_again() {
    let saved = Saved { closed: vec![record("bob", 2)], ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 2)]);
    client.handle_command(NOW, open("bob"));
    client.handle_command(NOW, send("bob"));
    let (errors, kept) = outputs(&mut client);
    assert_eq!(errors, []);
    assert!(keeps_a_message(&kept));
}

#[test]
fn a_directory_that_is_shorter_or_another_than_before_the_restart_is_told() {
    let ours = [record("ann", 1), record("bob", 2)];
    let before = |records: &[Record]| Saved {
        directory: Some((records.len() as u32, head(records))),
        ..Saved::default()
    };
    let longer = [ours[0], ours[1], record("cid", 3)];
    let other = [ours[0], record("bob", 3)];
    for (seen, told) in [(&ours[..], false), (&ours[..1], false), (&longer, true), (&other, true)] {
        let mut client = shown(before(seen), &ours);
        let (errors, kept) = outputs(&mut client);
        assert_eq!(errors.contains(&ErrorCode::DirectoryForked), told);
        assert!(kept.iter().any(|change| matches!(change, Change::Directory(2, _))));
    }
}

#[test]
fn a_directory_that_is_shorter_than_the_records_that_are_kept_is_told() {
    let all = [record("ann", 1), record("bob", 2), record("cid", 3)];
    let mut kept = no_records();
    let heads = (1..=all.len()).map(|length| head(&all[..length]));
    kept.append(&all.into_iter().zip(heads).collect::<Vec<_>>());
    // the third came while in the rounds, after the mark
    let marked = Some((2, head(&all[..2])));
    for (length, told) in [(3, false), (2, true)] {
        let generator = || ChaCha20Rng::seed_from_u64(9);
        let saved = Saved { directory: marked, ..Saved::default() };
        let mut client = Client::new(
            identity("ann", 1),
            saved,
            vault_key(),
            kept.clone(),
            Box::new(generator()),
            generator(),
        );
        client.handle_directory_synced(NOW, length as u32, head(&all[..length]));
        assert_eq!(outputs(&mut client).0.contains(&ErrorCode::DirectoryForked), told);
    }
}

#[test]
fn a_peer_whose_directory_is_longer_is_compared_with_once_ours_is_as_long() {
    let all = [record("ann", 1), record("bob", 2), record("cid", 3)];
    let other = [all[0], all[1], record("cid", 4)];
    for (theirs, told) in [(&all, false), (&other, true)] {
        let mut client = shown(Saved::default(), &all[..2]);
        client.handle_command(NOW, open("bob"));
        let mark = crate::conversation::DirectoryMark { length: 3, head: head(theirs) };
        client.compare_with_peer(all[1].identity(), mark);
        assert_eq!(outputs(&mut client).0, []);
        let page = Page {
            from: 2,
            length: 3,
            head: head(&all),
            signature: UNSIGNED,
            records: vec![all[2]],
        };
        client.handle_control(NOW, ServerControl::Page(page)).unwrap();
        assert_eq!(outputs(&mut client).0.contains(&ErrorCode::DirectoryForked), told);
    }
}

/// A page of the last record of these, as it comes while in the rounds.
fn last_page(all: &[Record]) -> ServerControl {
    let (last, before) = all.split_last().unwrap();
    let (from, length) = (before.len() as u32, all.len() as u32);
    let (head, records) = (head(all), vec![*last]);
    ServerControl::Page(Page { from, length, head, signature: UNSIGNED, records })
}

#[test]
fn a_key_that_changes_while_in_the_rounds_is_told_once_if_the_name_is_known() {
    let saved = Saved { open: vec![record("bob", 2)], ..Saved::default() };
    let mut all = vec![record("ann", 1), record("bob", 2), record("cid", 3)];
    let mut client = shown(saved, &all);
    for (changed, told) in [("cid", &[][..]), ("bob", &[ErrorCode::KeyChanged]), ("bob", &[])] {
        all.push(record(changed, all.len() as u64 + 5));
        client.handle_control(NOW, last_page(&all)).unwrap();
        assert_eq!(outputs(&mut client).0, told, "{changed}");
    }
}

#[test]
fn a_deleted_account_is_unknown_without_an_alarm_until_somebody_takes_the_name() {
    let saved = Saved { open: vec![record("bob", 2)], ..Saved::default() };
    let mut all = vec![record("ann", 1), record("bob", 2), record("cid", 3)];
    let mut client = shown(saved, &all);
    for (name, seed) in [("bob", 2), ("cid", 3)] {
        let gone = Record::deletion(name.parse().unwrap(), identity(name, seed).signing());
        all.push(gone);
        client.handle_control(NOW, last_page(&all)).unwrap();
        assert_eq!(outputs(&mut client).0, []);
        assert_eq!(
            client.handle_control(NOW, last_page(&[&all[..], &[gone]].concat())),
            Err(PageError::Deletion)
        );
    }
    client.handle_command(NOW, open("cid"));
    client.handle_control(NOW, last_page(&all)).unwrap();
    assert_eq!(outputs(&mut client).0, [ErrorCode::UnknownPeer]);
    all.push(record("bob", 8));
    client.handle_control(NOW, last_page(&all)).unwrap();
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
}

#[test]
fn a_directory_that_is_kept_is_there_at_once_and_names_in_it_stay_with_their_keys() {
    let all = [record("ann", 1), record("bob", 3)];
    let mut records = MemoryRecords::default();
    for until in 1..=all.len() {
        records.append(&[(all[until - 1], head(&all[..until]))]);
    }
    let generator = || ChaCha20Rng::seed_from_u64(9);
    let saved = Saved { open: vec![record("bob", 2)], ..Saved::default() };
    let (own, contents) = (identity("ann", 1), Box::new(generator()));
    let mut client = Client::new(own, saved, vault_key(), Box::new(records), contents, generator());
    assert_eq!(client.directory_length(), 2);
    assert!(client.is_listed());
    client.handle_directory_synced(NOW, 2, head(&all));
    assert_eq!(outputs(&mut client).0, [ErrorCode::KeyChanged]);
}

#[test]
fn a_name_whose_new_key_is_known_is_not_told_for_the_old_one_that_comes_before() {
    let saved = Saved { closed: vec![record("bob", 3)], ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 2), record("bob", 3)]);
    assert_eq!(outputs(&mut client).0, []);
}

#[test]
fn a_name_opens_as_soon_as_its_record_came_and_is_unknown_only_at_the_end() {
    let all = [record("ann", 1), record("bob", 2), record("cid", 3)];
    let mut client = shown(Saved::default(), &all[..1]);
    client.handle_command(NOW, open("bob"));
    client.handle_command(NOW, open("dan"));
    let page = |from: usize| Page {
        from: from as u32,
        length: 3,
        head: head(&all[..=from]),
        signature: UNSIGNED,
        records: vec![all[from]],
    };
    client.handle_control(NOW, ServerControl::Page(page(1))).unwrap();
    assert_eq!(outputs(&mut client).0, []);
    assert_eq!(client.conversations.len(), 1);
    client.handle_control(NOW, ServerControl::Page(page(2))).unwrap();
    assert_eq!(outputs(&mut client).0, [ErrorCode::UnknownPeer]);
}

#[test]
fn more_conversations_than_can_go_on_are_refused() {
    let names: Vec<String> = (0..9).map(|number| format!("p{number}")).collect();
    let mut all = vec![record("ann", 1)];
    all.extend(names.iter().zip(2..).map(|(name, seed)| record(name, seed)));
    let generator = || ChaCha20Rng::seed_from_u64(9);
    let own = identity("ann", 1);
    let mut client = Client::new(
        own,
        Saved::default(),
        vault_key(),
        no_records(),
        Box::new(generator()),
        generator(),
    );
    for (from, pair) in all.chunks(5).enumerate() {
        let until = from * 5 + pair.len();
        let head = head(&all[..until]);
        let page = Page {
            from: from as u32 * 5,
            length: 10,
            head,
            signature: UNSIGNED,
            records: pair.to_vec(),
        };
        client.handle_page(&page).unwrap();
    }
    names.iter().for_each(|name| client.handle_command(NOW, open(name)));
    assert_eq!(outputs(&mut client).0, [ErrorCode::TooManyConversations]);
    assert_eq!(client.conversations.len(), 8);
}

fn terms(genesis_ms: u64, round_ms: u32) -> Terms {
    Terms { slots: 2, round_ms, genesis_ms, round_trip: std::time::Duration::ZERO }
}

#[test]
fn a_server_that_numbers_its_rounds_anew_is_refused() {
    let clock = ServerClock { genesis_ms: 5, round_ms: 2000 };
    let mut client = shown(Saved { clock: Some(clock), ..Saved::default() }, &[record("ann", 1)]);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = wire::public_key::AgreementKey::random(&mut rng);
    let mut join = |genesis_ms, round_ms| {
        let layer = wire::layer::Layer::for_client(&key, &key.public()).unwrap();
        client.handle_joined(terms(genesis_ms, round_ms), layer)
    };
    assert_eq!(join(5, 2000), Ok(()));
    assert_eq!(join(5, 1000), Err(ClockChanged));
    assert_eq!(join(6, 2000), Err(ClockChanged));
}

/// The names of each [`Event::Listed`] since it was asked last.
fn listed(client: &mut Client) -> Vec<Vec<String>> {
    let outputs = std::iter::from_fn(|| client.poll_output());
    let names = outputs.filter_map(|output| match output {
        Output::Event(Event::Listed { names }) => Some(names),
        _ => None,
    });
    names.collect()
}

#[test]
fn names_are_listed_once_in_the_order_of_the_log() {
    let all = [record("zoe", 1), record("bob", 2), record("cid", 3), record("ann", 4)];
    let generator = || ChaCha20Rng::seed_from_u64(9);
    let own = identity("zoe", 1);
    let mut client = Client::new(
        own,
        Saved::default(),
        vault_key(),
        no_records(),
        Box::new(generator()),
        generator(),
    );
    let page = |from: usize, until: usize| {
        let records = all[from..until].to_vec();
        Page {
            from: from as u32,
            length: 4,
            head: head(&all[..until]),
            signature: UNSIGNED,
            records,
        }
    };
    client.handle_page(&page(0, 1)).unwrap();
    client.handle_page(&page(1, 2)).unwrap();
    assert!(listed(&mut client).is_empty(), "not each page of the first sync");
    client.handle_directory_synced(NOW, 2, head(&all[..2]));
    assert_eq!(listed(&mut client), [["zoe", "bob"]]);
    client.handle_directory_synced(NOW, 2, head(&all[..2]));
    assert!(listed(&mut client).is_empty(), "nothing is new after a reconnect");
    let mut hear = |page| {
        client.handle_control(NOW, ServerControl::Page(page)).unwrap();
        listed(&mut client)
    };
    assert_eq!(hear(page(2, 3)), [["cid"]]);
    assert!(hear(page(2, 3)).is_empty(), "the page came twice");
    assert!(hear(page(3, 3)).is_empty());
    assert_eq!(hear(page(2, 4)), [["ann"]]);
}

#[test]
fn each_round_that_opens_is_told_with_the_time_that_it_is_open() {
    let mut client = shown(Saved::default(), &[record("ann", 1)]);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = wire::public_key::AgreementKey::random(&mut rng);
    let layer = wire::layer::Layer::for_client(&key, &key.public()).unwrap();
    client.handle_joined(terms(0, 2000), layer).unwrap();
    let mut told = Vec::new();
    for (number, closes_ms) in [(1, 700), (2, u32::MAX)] {
        let (open, answered) = (Round(number), Round(number - 1));
        let header = ServerHeader {
            slots: 2,
            closes_ms,
            open,
            answered,
            seats: 1,
            directory_length: 1,
            buckets: 1,
        };
        let mut frame = vec![0; round_frame(2)];
        header.write_to(&mut frame);
        client.handle_round(NOW, &frame).unwrap();
        told.extend(std::iter::from_fn(|| client.poll_output()).filter_map(
            |output| match output {
                Output::Event(event @ (Event::RoundOpen { .. } | Event::Round { .. })) => {
                    Some(event)
                }
                _ => None,
            },
        ));
    }
    let open = |number, closes_ms| Event::RoundOpen { number, closes_ms, round_ms: 2000 };
    let answered = Event::Round { number: 1, seats: 1, missed: 1 };
    assert_eq!(told, [open(1, 700), open(2, 2000), answered]);
}

#[test]
fn signing_out_forgets_the_token_before_it_leaves() {
    let saved = Saved { token: Some(Token::new([1; 32])), ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1)]);
    while client.poll_output().is_some() {}
    client.handle_command(NOW, Command::SignOut);
    let Some(Output::Keep(_, changes)) = client.poll_output() else { panic!("nothing is kept") };
    assert!(matches!(changes[..], [Change::Token(None)]));
    assert!(matches!(client.poll_output(), Some(Output::Leave)));
}

#[test]
fn a_name_is_with_whom_it_was_first() {
    let (open, closed) = (vec![record("bob", 2)], vec![record("cid", 3)]);
    let saved = Saved { open, closed, ..Saved::default() };
    let client = shown(saved, &[record("ann", 1), record("bob", 7), record("dan", 4)]);
    assert_eq!(client.known_peer("bob"), Some(record("bob", 2).identity()));
    assert_eq!(client.known_peer("cid"), Some(record("cid", 3).identity()));
    assert_eq!(client.known_peer("dan"), None, "never opened");
    assert_eq!(client.known_peer("No Name!"), None);
}

/// What the client answers to a question for a safety number: the digits, or the error's code.
fn safety_number_of(client: &mut Client, peer: &str) -> Result<String, ErrorCode> {
    while client.poll_output().is_some() {}
    client.handle_command(NOW, Command::SafetyNumber { peer: peer.into() });
    let answer = match client.poll_output() {
        Some(Output::Event(Event::SafetyNumber { peer: named, digits })) if named == peer => {
            Ok(digits)
        }
        Some(Output::Event(Event::Error { code, about, .. }))
            if about.peer.as_deref() == Some(peer) =>
        {
            Err(code)
        }
        _ => panic!("no answer"),
    };
    assert!(client.poll_output().is_none(), "one answer, and nothing is kept or sent");
    answer
}

#[test]
fn the_safety_number_of_a_name_is_that_of_the_keys_it_had_first() {
    let expected = |peer: &Record| Ok(safety_number(&record("ann", 1), peer));
    let saved =
        Saved { open: vec![record("bob", 2)], closed: vec![record("cid", 3)], ..Saved::default() };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 2), record("dan", 4)]);
    assert_eq!(safety_number_of(&mut client, "bob"), expected(&record("bob", 2)));
    assert_eq!(
        safety_number_of(&mut client, "cid"),
        expected(&record("cid", 3)),
        "known, not listed"
    );
    assert_eq!(
        safety_number_of(&mut client, "Dan"),
        expected(&record("dan", 4)),
        "listed, never opened"
    );
}

#[test]
fn without_keys_to_trust_there_is_no_safety_number() {
    let saved = Saved { closed: vec![record("bob", 2)], ..Saved::default() };
    let forged = Record { agreement: record("eve", 6).agreement, ..record("eve", 5) };
    let mut client = shown(saved, &[record("ann", 1), record("bob", 7), forged]);
    for (peer, code) in [
        ("bob", ErrorCode::KeyChanged),
        ("bob", ErrorCode::KeyChanged),
        ("eve", ErrorCode::ServerProtocol),
        ("zoe", ErrorCode::UnknownPeer),
        ("No Name!", ErrorCode::UnknownPeer),
        ("ann", ErrorCode::SelfConversation),
        ("ANN", ErrorCode::SelfConversation),
    ] {
        assert_eq!(safety_number_of(&mut client, peer), Err(code), "{peer}");
    }
}

#[test]
fn debug_shows_no_digit_of_a_safety_number_and_no_name() {
    let event = Event::SafetyNumber { peer: "bob".into(), digits: "12345".repeat(12) };
    assert_eq!(format!("{event:?}"), "SafetyNumber");
}

mod early;
mod requests;
mod restored;
mod speed;
mod vault;
