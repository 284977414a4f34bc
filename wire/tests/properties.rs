//! What holds for every frame: decoding gives back what was encoded, and any other byte string is an error
//! or re-encodes to itself, whatever its length; nothing panics. A sealed box and a layer open for no changed bit.

use std::fmt;

use proptest::prelude::*;
use proptest::strategy::Union;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire;
use wire::control::{
    ChangeFinish, ChangeReply, ChangeStart, Changed, ClientControl, DeleteFinish, DeleteStart,
    EndSession, LoginFinish, LoginReply, LoginStart, PULL_PAGES_MAX, Page, Pull, ROUND_MS_MAX,
    ROUND_MS_MIN, Refusal, Refused, RegisterFinish, RegisterReply, RegisterStart, Registered,
    Resume, ServerControl, Session, SessionInfo, VaultGet, VaultPart, VaultPut, VaultVersion,
};
use wire::dial::{Dial, DialReply, SealedInvitation, WakeUp};
use wire::directory::{Head, Record};
use wire::ids::{AccountIndex, IdentityHash, Name, Round, SessionId, Token};
use wire::invitation::Invitation;
use wire::kdf::{Label, Secret};
use wire::layer::{Direction, Layer, Place};
use wire::link::{Link, Pin};
use wire::peer::{Kind, Payload, PeerMessage};
use wire::public_key::{AgreementKey, PublicKey};
use wire::restore::{RESTORE_MS_MAX, RestoreNotice, Restores};
use wire::round::{
    ClientFrame, Deposit, Join, ServerHeader, deposit_frame, deposit_slots_mut, reply_slots_mut,
};
use wire::sealed;
use wire::size::{
    CELL, CONTROL_BODY, DEPOSIT, FRAGMENTS_MAX, HEADER, LAYER_TAG, PAGE_RECORDS, PEER_PAYLOAD,
    RESTORES_MAX, SESSIONS_MAX, SLOTS_MAX, SLOTS_MIN, VAULT_PARTS, round_frame, server_header,
};

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn client_controls(values in client_control(), noise in noise()) {
        values.iter().for_each(|value| holds_for(value, &noise));
    }

    #[test]
    fn client_account_controls(values in client_account_control(), noise in noise()) {
        values.iter().for_each(|value| holds_for(value, &noise));
    }

    #[test]
    fn server_account_controls(values in server_account_control(), noise in noise()) {
        values.iter().for_each(|value| holds_for(value, &noise));
    }

    #[test]
    fn server_controls(values in server_control(), noise in noise()) {
        values.iter().for_each(|value| holds_for(value, &noise));
    }

    #[test]
    fn joins(tag in any::<u8>(), fill in any::<u8>(), noise in noise()) {
        for slots in SLOTS_MIN..=SLOTS_MAX {
            let mut key = PublicKey([fill; 33]);
            key.0[0] = tag;
            holds(&Join { key }.encode(slots), &|bytes| recode_client(bytes, slots), &noise);
        }
    }

    #[test]
    fn deposits(round in any::<u64>(), fill in any::<u8>(), noise in noise()) {
        for slots in SLOTS_MIN..=SLOTS_MAX {
            let mut frame = deposit_frame(Round(round), slots);
            deposit_slots_mut(&mut frame).for_each(|slot| slot.fill(fill));
            holds(&frame, &|bytes| recode_client(bytes, slots), &noise);
        }
    }

    #[test]
    fn rounds(header in server_round_header(), fill in any::<u8>(), noise in noise()) {
        for slots in SLOTS_MIN..=SLOTS_MAX {
            let header = ServerHeader { slots, ..header };
            let mut frame = vec![0; round_frame(slots)];
            header.write_to(&mut frame);
            reply_slots_mut(&mut frame, slots).for_each(|slot| slot.fill(fill));
            prop_assert_eq!(ServerHeader::decode(&frame, slots).map(|(found, _)| found), Ok(header));
            holds(&frame, &|bytes| recode_server(bytes, slots), &noise);
        }
    }

    #[test]
    fn a_layer_opens_for_no_changed_bit(seed: u64, round: u64, plain: [u8; DEPOSIT]) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (client, mixer) = (AgreementKey::random(&mut rng), AgreementKey::random(&mut rng));
        let layer = Layer::for_client(&client, &mixer.public()).unwrap();
        for (direction, length) in [(Direction::Deposit, DEPOSIT), (Direction::Reply, CELL)] {
            let place = Place { direction, slot: 0, slots: 2 };
            let mut slot = vec![0; length + LAYER_TAG];
            layer.seal(Round(round), place, &plain[..length], &mut slot);
            let mut opened = vec![0; length];
            for_each_flip(&mut slot, |slot, bit| {
                assert!(layer.open(Round(round), place, slot, &mut opened).is_err(), "bit {bit}");
            });
            prop_assert!(layer.open(Round(round), place, &slot, &mut opened).is_ok());
            prop_assert_eq!(&opened, &plain[..length]);
        }
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn peer_messages(message in peer_message(), noise in noise()) {
        prop_assert!(PeerMessage::decode(&message.0.encode()) == Ok(message.0.clone()));
        holds_for(&message, &noise);
    }

    #[test]
    fn dials(dial in dial(), noise in noise()) {
        prop_assert!(Dial::decode(&dial.0.encode()) == Ok(dial.0.clone()));
        holds_for(&dial, &noise);
    }

    #[test]
    fn dial_replies(invitation in array(), wake_ups in any::<[[u8; 16]; 15]>(), noise in noise()) {
        let (invitation, wake_ups) = (SealedInvitation(invitation), wake_ups.map(WakeUp));
        holds_for(&Shown(DialReply { invitation, wake_ups }), &noise);
    }

    #[test]
    fn invitations(
        (index, first) in any::<(u32, u64)>(), caller in array(), secret in array(),
        signature in array(), noise in noise(),
    ) {
        let (index, first) = (AccountIndex(index), Round(first));
        let (caller, secret) = (IdentityHash(caller), Secret::new(secret));
        holds_for(&Shown(Invitation { index, first, caller, secret, signature }), &noise);
    }

    #[test]
    fn records(record in record(), noise in noise()) {
        prop_assert!(Record::decode(&record.0.encode()) == Ok(record.0));
        holds_for(&record, &noise);
    }

    #[test]
    fn names(name in name(), noise in noise()) {
        prop_assert_eq!(Name::decode(&name.encode()), Ok(name));
        holds_for(&Shown(name), &noise);
    }

    #[test]
    fn stretching(cost in stretching_cost(), noise in noise()) {
        prop_assert_eq!(Stretching::decode(&cost.encode()), Ok(cost));
        holds_for(&Shown(cost), &noise);
    }

    #[test]
    fn a_sealed_box_opens_for_no_changed_bit(key: [u8; 32], blocks in 0_usize..5, fill: u8) {
        let (key, label, place) = (Secret::new(key), Label("property"), [b"place".as_slice()]);
        let plain = vec![fill; 16 * blocks];
        let mut rng = ChaCha20Rng::seed_from_u64(fill.into());
        let mut sealed = sealed::seal(&key, label, &place, &plain, &mut rng);
        for_each_flip(&mut sealed, |sealed, bit| {
            assert!(sealed::open(&key, label, &place, sealed).is_err(), "bit {bit}");
        });
        prop_assert_eq!(&*sealed::open(&key, label, &place, &sealed).unwrap(), &plain);
        sealed.push(0);
        for length in (0..=sealed.len()).filter(|&length| length != sealed.len() - 1) {
            prop_assert!(sealed::open(&key, label, &place, &sealed[..length]).is_err());
        }
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_public_key_that_is_a_point_has_no_other_encoding(bytes: [u8; 33], tag in 0_u8..8) {
        let mut key = PublicKey(bytes);
        key.0[0] = tag;
        if let Ok(point) = key.parse() {
            prop_assert_eq!(PublicKey::of(&point), key);
        }
    }

    #[test]
    fn any_text_is_a_name_or_an_error(text in "[A-Za-z0-9._-]{0,34}|\\PC{0,9}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.as_str(), text.to_ascii_lowercase());
            prop_assert_eq!(name.as_str().parse(), Ok(name));
        }
    }

    #[test]
    fn any_text_is_a_code_or_an_error(text in "[0-9a-zA-Z -]{15,20}|([0-9A-Z]{4}-){3}[0-9A-Z]{4}|\\PC{0,20}") {
        if let Ok(code) = text.parse::<Invite>() {
            prop_assert!(code.to_string().parse() == Ok(code));
            prop_assert!(code != Invite::NONE);
        }
    }

    #[test]
    fn codes(code: [u8; 10]) {
        let code = Invite(code);
        let read = code.to_string().to_ascii_lowercase().parse::<Invite>().ok();
        prop_assert_eq!(read, Some(code).filter(|&code| code != Invite::NONE));
    }

    #[test]
    fn any_text_is_a_link_or_an_error(
        text in "(iirs://)?(\\[[0-9a-f:.]{0,9}\\]?|[a-zA-Z0-9.-]{0,9}|\\PC{0,9}):?[0-9+]{0,6}(/#)?[\\w-]{42,44}",
    ) {
        if let Ok(link) = text.parse::<Link>() {
            prop_assert_eq!(link.to_string().parse(), Ok(link));
        }
    }

    #[test]
    fn links(host in "[a-z0-9.-]{1,30}", port in 1_u16.., pin: [u8; 32]) {
        let link = Link { host, port, pin: Pin(pin) };
        prop_assert_eq!(link.to_string().parse(), Ok(link));
    }
}

#[cfg(feature = "login")]
proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn any_opaque_message_is_taken_or_an_error(
        request: [u8; 98],
        upload: [u8; 129],
        tag in 2_u8..4,
    ) {
        use wire::login::{LoginContext, LoginServer};

        let (mut request, mut upload, mut rng) = (request, upload, ChaCha20Rng::seed_from_u64(1));
        (request[0], request[65], upload[0]) = (tag, tag, tag);
        let server = LoginServer::random(&mut rng);
        let ann: Name = "ann".parse().unwrap();
        let context = LoginContext::new(Pin([0; 32]), &[0; 32]);
        let _ = server.register(&ann, request[..33].try_into().unwrap());
        let record = LoginServer::password_record(&upload).ok();
        let record = record.as_ref().map_or(upload.as_slice(), |record| record);
        for record in [None, Some(record), Some(&record[1..]), Some(&[])] {
            if let Ok((state, _)) = server.login(&ann, record, &request, &context, &mut rng) {
                prop_assert!(state.finish(&ann, &[0; 32], &context).is_err());
            }
        }
    }
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Bytes that replace a stretch of a valid encoding: where, as a share of the length, and what.
#[derive(Debug)]
struct Noise {
    from: f64,
    bytes: Vec<u8>,
}

/// Short noise hits single fields; long noise is a frame of random bytes.
fn noise() -> impl Strategy<Value = Vec<Noise>> {
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()];
    let one = (0.0..1.0, prop::collection::vec(byte, 1..200));
    let all = (Just(0.0), prop::collection::vec(any::<u8>(), round_frame(SLOTS_MAX)));
    let noise = prop_oneof![9 => one.boxed(), 1 => all.boxed()];
    prop::collection::vec(noise.prop_map(|(from, bytes)| Noise { from, bytes }), 8)
}

fn holds_for<T: Wire>(value: &Shown<T>, noise: &[Noise]) {
    let recode = |bytes: &[u8]| T::decode(bytes).ok().map(|value| value.encode());
    holds(&value.0.encode(), &recode, noise);
}

/// Checks a valid encoding, every flipped bit of it, every other length, and noise in it.
fn holds(valid: &[u8], recode: &dyn Fn(&[u8]) -> Option<Vec<u8>>, noise: &[Noise]) {
    let canonical = |bytes: &[u8]| {
        let again = recode(bytes);
        assert!(
            again.is_none_or(|again| again == bytes),
            "bytes that no value encodes to were taken"
        );
    };
    assert!(recode(valid).as_deref() == Some(valid), "a value reads back as it was");
    for_each_flip(&mut valid.to_vec(), |changed, _| canonical(changed));
    let longer = [valid, &[0]].concat();
    for length in (0..=longer.len()).filter(|&length| length != valid.len()) {
        assert!(recode(&longer[..length]).is_none(), "{length} bytes");
    }
    for Noise { from, bytes } in noise {
        let mut changed = valid.to_vec();
        let from = (from * valid.len() as f64) as usize;
        changed[from..].iter_mut().zip(bytes).for_each(|(old, new)| *old = *new);
        canonical(&changed);
        changed[..HEADER.min(valid.len())].copy_from_slice(&valid[..HEADER.min(valid.len())]);
        canonical(&changed);
    }
}

fn for_each_flip(bytes: &mut [u8], mut check: impl FnMut(&[u8], usize)) {
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(bytes, bit);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

fn recode_client(bytes: &[u8], slots: u8) -> Option<Vec<u8>> {
    Some(match ClientFrame::decode(bytes, slots).ok()? {
        ClientFrame::Join(join) => join.encode(slots),
        ClientFrame::Deposit(Deposit { round, slots: layered }) => {
            let mut frame = deposit_frame(round, slots);
            frame[HEADER..].copy_from_slice(layered);
            frame
        }
    })
}

fn recode_server(bytes: &[u8], slots: u8) -> Option<Vec<u8>> {
    let (header, replies) = ServerHeader::decode(bytes, slots).ok()?;
    let mut frame = vec![0; round_frame(slots)];
    header.write_to(&mut frame);
    frame[server_header(slots)..].copy_from_slice(replies);
    Some(frame)
}

/// A value that a failing case shows as its encoding, since the types themselves show nothing.
struct Shown<T>(T);

impl<T: Wire> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.encode().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Draws one value of every kind.
type Kinds<T> = Vec<BoxedStrategy<Shown<T>>>;

fn client_control() -> Kinds<ClientControl> {
    let register_finish = (array(), stretching_cost(), array(), array(), record());
    vec![
        Just(()).prop_map(|()| Shown(ClientControl::Idle)).boxed(),
        Just(()).prop_map(|()| Shown(ClientControl::SignOut)).boxed(),
        (name(), array(), array())
            .prop_map(|(name, request, invite)| {
                let invite = Invite(invite);
                Shown(ClientControl::RegisterStart(RegisterStart { name, request, invite }))
            })
            .boxed(),
        register_finish
            .prop_map(|(upload, stretching, master, identity, record)| {
                Shown(ClientControl::RegisterFinish(Box::new(RegisterFinish {
                    upload,
                    stretching,
                    master: SealedMaster(master),
                    identity: SealedIdentity(identity),
                    record: record.0,
                })))
            })
            .boxed(),
        (name(), array())
            .prop_map(|(name, request)| {
                Shown(ClientControl::LoginStart(LoginStart { name, request }))
            })
            .boxed(),
        array()
            .prop_map(|finalization| {
                Shown(ClientControl::LoginFinish(LoginFinish { finalization }))
            })
            .boxed(),
        array()
            .prop_map(|token| Shown(ClientControl::Resume(Resume { token: Token::new(token) })))
            .boxed(),
        (any::<u32>(), 1..=PULL_PAGES_MAX)
            .prop_map(|(from, pages)| Shown(ClientControl::Pull(Pull { from, pages })))
            .boxed(),
    ]
}

fn client_account_control() -> Kinds<ClientControl> {
    let change_finish = (array(), array(), stretching_cost(), array(), array());
    let vault_put = (0..VAULT_PARTS, any::<[u64; 2]>(), array());
    vec![
        Just(()).prop_map(|()| Shown(ClientControl::ListSessions)).boxed(),
        (array(), array())
            .prop_map(|(login, registration)| {
                Shown(ClientControl::ChangeStart(ChangeStart { login, registration }))
            })
            .boxed(),
        change_finish
            .prop_map(|(finalization, upload, stretching, master, identity)| {
                Shown(ClientControl::ChangeFinish(Box::new(ChangeFinish {
                    finalization,
                    upload,
                    stretching,
                    master: SealedMaster(master),
                    identity: SealedIdentity(identity),
                })))
            })
            .boxed(),
        array().prop_map(|login| Shown(ClientControl::DeleteStart(DeleteStart { login }))).boxed(),
        (array(), record())
            .prop_map(|(finalization, record)| {
                let finish = DeleteFinish { finalization, record: record.0 };
                Shown(ClientControl::DeleteFinish(Box::new(finish)))
            })
            .boxed(),
        array()
            .prop_map(|id| Shown(ClientControl::EndSession(EndSession { id: SessionId(id) })))
            .boxed(),
        (0..VAULT_PARTS).prop_map(|part| Shown(ClientControl::VaultGet(VaultGet { part }))).boxed(),
        vault_put
            .prop_map(|(part, [base, version], bytes)| {
                let put = VaultPut { part, base, version, bytes };
                Shown(ClientControl::VaultPut(Box::new(put)))
            })
            .boxed(),
    ]
}

fn server_account_control() -> Kinds<ServerControl> {
    let login = || {
        (array(), stretching_cost())
            .prop_map(|(response, stretching)| Shown(LoginReply { response, stretching }))
    };
    let version = || any::<u64>().prop_map(|version| VaultVersion { version });
    vec![
        Just(()).prop_map(|()| Shown(ServerControl::Deleted)).boxed(),
        Just(()).prop_map(|()| Shown(ServerControl::SessionEnded)).boxed(),
        Just(()).prop_map(|()| Shown(ServerControl::VaultStaged)).boxed(),
        (login(), array())
            .prop_map(|(login, registration)| {
                let reply = ChangeReply { login: login.0, registration };
                Shown(ServerControl::ChangeReply(Box::new(reply)))
            })
            .boxed(),
        (array(), any::<u64>())
            .prop_map(|(token, expires_ms)| {
                Shown(ServerControl::Changed(Changed { token: Token::new(token), expires_ms }))
            })
            .boxed(),
        login().prop_map(|login| Shown(ServerControl::DeleteReply(Box::new(login.0)))).boxed(),
        prop::collection::vec(session_info(), 0..=SESSIONS_MAX)
            .prop_map(|sessions| Shown(ServerControl::Sessions(sessions)))
            .boxed(),
        (0..VAULT_PARTS, 1_u64.., array())
            .prop_map(|(part, version, bytes)| {
                Shown(ServerControl::VaultPart(Box::new(VaultPart { part, version, bytes })))
            })
            .boxed(),
        (0..VAULT_PARTS)
            .prop_map(|part| {
                let none = VaultPart { part, version: 0, bytes: [0; CONTROL_BODY] };
                Shown(ServerControl::VaultPart(Box::new(none)))
            })
            .boxed(),
        version().prop_map(|version| Shown(ServerControl::VaultStored(version))).boxed(),
        version().prop_map(|version| Shown(ServerControl::VaultConflict(version))).boxed(),
    ]
}

fn session_info() -> impl Strategy<Value = SessionInfo> {
    (array(), any::<[u64; 2]>(), any::<[bool; 2]>()).prop_map(|(id, times, flags)| {
        let ([created_ms, expires_ms], [current, superseded]) = (times, flags);
        SessionInfo { id: SessionId(id), created_ms, expires_ms, current, superseded }
    })
}

fn server_control() -> Kinds<ServerControl> {
    vec![
        Just(()).prop_map(|()| Shown(ServerControl::Idle)).boxed(),
        Just(()).prop_map(|()| Shown(ServerControl::SignedOut)).boxed(),
        array()
            .prop_map(|response| Shown(ServerControl::RegisterReply(RegisterReply { response })))
            .boxed(),
        any::<u32>()
            .prop_map(|index| {
                Shown(ServerControl::Registered(Registered { index: AccountIndex(index) }))
            })
            .boxed(),
        (array(), stretching_cost())
            .prop_map(|(response, stretching)| {
                Shown(ServerControl::LoginReply(Box::new(LoginReply { response, stretching })))
            })
            .boxed(),
        session().boxed(),
        page().boxed(),
        (prop::sample::select(Refusal::ALL.to_vec()), any::<u32>())
            .prop_map(|(why, retry_ms)| Shown(ServerControl::Refused(Refused { why, retry_ms })))
            .boxed(),
    ]
}

fn session() -> impl Strategy<Value = Shown<ServerControl>> {
    let numbers =
        (any::<[u64; 2]>(), any::<[u32; 2]>(), SLOTS_MIN..=SLOTS_MAX, ROUND_MS_MIN..=ROUND_MS_MAX);
    let bytes = (array(), public_key(), array(), array(), array(), array(), array());
    (numbers, bytes, restores()).prop_map(|(numbers, bytes, restores)| {
        let ([expires_ms, genesis_ms], [index, length], slots, round_ms) = numbers;
        let shortest = restores.notices.last().map_or(0, |last| last.length);
        let (token, mixer, mixer_signature, master, identity, head, directory_signature) = bytes;
        Shown(ServerControl::Session(Box::new(Session {
            token: Token::new(token),
            expires_ms,
            index: AccountIndex(index),
            slots,
            round_ms,
            genesis_ms,
            mixer,
            mixer_signature,
            master: SealedMaster(master),
            identity: SealedIdentity(identity),
            directory_length: length.max(shortest),
            directory_head: Head(head),
            directory_signature,
            restores,
        })))
    })
}

fn restores() -> impl Strategy<Value = Restores> {
    let times = prop::collection::btree_set(0..=RESTORE_MS_MAX, 0..=RESTORES_MAX);
    let others = prop::collection::vec((0..=RESTORE_MS_MAX, any::<u32>(), array()), RESTORES_MAX);
    (times, others, array()).prop_map(|(times, mut others, signature)| {
        others.sort_by_key(|(_, length, _)| *length);
        let notices = times.into_iter().zip(others);
        let notices = notices.map(|(restored_ms, (backed_up_ms, length, head))| RestoreNotice {
            backed_up_ms,
            restored_ms,
            length,
            head: Head(head),
        });
        Restores { notices: notices.collect(), signature }
    })
}

fn page() -> impl Strategy<Value = Shown<ServerControl>> {
    let records = prop::collection::vec(record(), 0..=PAGE_RECORDS);
    let bytes = (array(), array());
    (any::<[u32; 2]>(), bytes, records).prop_map(|([from, length], (head, signature), records)| {
        let records = records.into_iter().map(|record| record.0).collect();
        Shown(ServerControl::Page(Page { from, length, head: Head(head), signature, records }))
    })
}

fn peer_message() -> impl Strategy<Value = Shown<PeerMessage>> {
    let fragments = u16::try_from(FRAGMENTS_MAX).expect("57 fragments fit");
    let carried = (0..=fragments).prop_flat_map(|count| (0..count.max(1), Just(count)));
    let kind = Union::new([
        Just((Kind::Hello, 0, (0, 0))).boxed(),
        (Just(Kind::Data), 1_u32.., carried).boxed(),
    ]);
    let payload = prop::collection::vec(any::<u8>(), 0..=PEER_PAYLOAD);
    let numbers = (any::<u16>(), any::<[u32; 3]>(), any::<u64>());
    (kind, numbers, array(), public_key(), array(), payload).prop_map(
        |((kind, epoch, (index, count)), numbers, signature, next, seen, payload)| {
            let (flags, [seq, ack, sack], sent_ms) = numbers;
            let payload = Payload::new(&payload).expect("the length is in range");
            Shown(PeerMessage {
                signature,
                kind,
                flags,
                epoch,
                next,
                seen,
                seq,
                ack,
                sack,
                index,
                count,
                sent_ms,
                payload,
            })
        },
    )
}

fn dial() -> impl Strategy<Value = Shown<Dial>> {
    let cover = Just(()).prop_map(|()| Shown(Dial::Cover));
    let invitation = (any::<u32>(), array()).prop_map(|(bucket, invitation)| {
        Shown(Dial::Invitation { bucket, invitation: SealedInvitation(invitation) })
    });
    let wake_up = (any::<u32>(), array())
        .prop_map(|(bucket, token)| Shown(Dial::WakeUp { bucket, token: WakeUp(token) }));
    Union::new([cover.boxed(), invitation.boxed(), wake_up.boxed()])
}

fn server_round_header() -> impl Strategy<Value = ServerHeader> {
    let numbers = (any::<[u32; 3]>(), 0..=22_u32, any::<[u64; 2]>());
    numbers.prop_map(|([closes_ms, seats, directory_length], power, [open, answered])| {
        let buckets = 1 << power;
        let (open, answered) = (Round(open), Round(answered));
        ServerHeader { slots: 1, closes_ms, open, answered, seats, directory_length, buckets }
    })
}

fn record() -> impl Strategy<Value = Shown<Record>> {
    (name(), public_key(), public_key(), array()).prop_map(
        |(name, signing, agreement, signature)| {
            Shown(Record { name, signing, agreement, signature })
        },
    )
}

fn name() -> impl Strategy<Value = Name> + Clone {
    "[a-z][a-z0-9._-]{0,31}".prop_map(|text| text.parse().expect("the pattern is that of names"))
}

fn stretching_cost() -> impl Strategy<Value = Stretching> {
    any::<[u32; 3]>().prop_map(|[memory_kib, passes, lanes]| Stretching {
        memory_kib,
        passes,
        lanes,
    })
}

fn public_key() -> impl Strategy<Value = PublicKey> + Clone {
    array().prop_map(PublicKey)
}

fn array<const N: usize>() -> impl Strategy<Value = [u8; N]> + Clone {
    any::<[u8; N]>()
}
