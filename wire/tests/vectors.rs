//! Every frame against the annotated hex in `vectors/`: encoding gives those bytes and decoding takes them.

#[path = "vectors/reader.rs"]
mod reader;

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use rand_core::{CryptoRng, RngCore};
use reader::Vectors;
use wire::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use wire::codec::Wire;
use wire::control::{
    ChangeFinish, ChangeReply, ChangeStart, Changed, ClientControl, DeleteFinish, DeleteStart,
    EndSession, LoginFinish, LoginReply, LoginStart, Page, Pull, Refusal, Refused, RegisterFinish,
    RegisterReply, RegisterStart, Registered, Resume, ServerControl, Session, SessionInfo,
    VaultGet, VaultPart, VaultPut, VaultVersion,
};
use wire::dial::{Dial, DialReply, SealedInvitation, WakeUp};
use wire::directory::{Head, Record, head_signed};
use wire::ids::{AccountIndex, IdentityHash, Name, Round, SessionId, Token};
use wire::invitation::Invitation;
use wire::kdf::{Label, Secret, hash};
use wire::layer::{Direction, Layer, Place};
use wire::link::{Link, Pin};
use wire::peer::{FLAG_UNSENT, Kind, Payload, PeerMessage};
use wire::public_key::{AgreementKey, PublicKey};
use wire::restore::{RestoreNotice, Restores, restores_signed};
use wire::round::{
    ClientFrame, Deposit, Join, ServerHeader, deposit_frame, deposit_slots_mut, reply_slots_mut,
};
use wire::sealed;
use wire::size::{CELL, DEPOSIT, DEPOSIT_SLOT, HASH, REPLY_SLOT, round_frame};

const ROUND: Round = Round(0x0102_0304_0506_0708);

#[test]
fn joins() {
    let mut vectors = Vectors::open("round.hex");
    for slots in [1, 2, 8] {
        let bytes = vectors.take(&format!("join, K = {slots}"));
        let key = key(2, 0xab);
        same(&Join { key }.encode(slots), &bytes, "join");
        match ClientFrame::decode(&bytes, slots) {
            Ok(ClientFrame::Join(join)) => assert_eq!(join.key, key),
            Ok(ClientFrame::Deposit(_)) => panic!("a join is no deposit"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn deposits() {
    let mut vectors = Vectors::open("round.hex");
    for slots in [1, 2, 8] {
        let bytes = vectors.take(&format!("deposit, K = {slots}"));
        let mut frame = deposit_frame(ROUND, slots);
        for (slot, fill) in deposit_slots_mut(&mut frame).zip(0xa0..) {
            slot.fill(fill);
        }
        same(&frame, &bytes, "deposit");
        let Ok(ClientFrame::Deposit(Deposit { round, slots: layered })) =
            ClientFrame::decode(&bytes, slots)
        else {
            panic!("K = {slots}: this is a deposit");
        };
        assert_eq!(round, ROUND);
        assert_eq!(layered, &bytes[32..]);
    }
}

#[test]
fn rounds() {
    let mut vectors = Vectors::open("round.hex");
    for slots in [1, 2, 8] {
        let bytes = vectors.take(&format!("round, K = {slots}"));
        let header = ServerHeader {
            slots,
            closes_ms: 2000,
            open: Round(10),
            answered: Round(9),
            seats: 0x1234_5678,
            directory_length: 1111,
            buckets: 2,
        };
        let mut frame = vec![0; round_frame(slots)];
        header.write_to(&mut frame);
        for (slot, fill) in reply_slots_mut(&mut frame, slots).zip(0xb0..) {
            slot.fill(fill);
        }
        same(&frame, &bytes, "round");
        let (decoded, replies) = ServerHeader::decode(&bytes, slots).unwrap();
        assert_eq!(decoded, header);
        assert_eq!(replies.len(), usize::from(slots) * REPLY_SLOT);
        assert_eq!((replies[0], *replies.last().unwrap()), (0xb0, 0xaf + slots));
    }
}

#[test]
fn every_round_vector_is_read() {
    let mut vectors = Vectors::open("round.hex");
    for kind in ["join", "deposit", "round"] {
        for slots in [1, 2, 8] {
            assert_eq!(vectors.take(&format!("{kind}, K = {slots}")).len(), round_frame(slots));
        }
    }
    vectors.finish();
}

#[test]
fn control_frames() {
    let mut vectors = Vectors::open("control.hex");
    for (name, control) in client_controls() {
        check(&mut vectors, name, &control);
    }
    for (name, control) in client_account_controls() {
        check(&mut vectors, name, &control);
    }
    for (name, control) in server_account_controls() {
        check(&mut vectors, name, &control);
    }
    for (name, control) in server_controls() {
        check(&mut vectors, name, &control);
    }
    vectors.finish();
}

#[test]
fn dials() {
    let mut vectors = Vectors::open("dial.hex");
    let bucket = 0x0102_0304;
    let invitation = Dial::Invitation { bucket, invitation: SealedInvitation([0xd1; 240]) };
    let wake_up = Dial::WakeUp { bucket, token: WakeUp([0xd2; 16]) };
    for (name, dial) in [("cover", Dial::Cover), ("invitation", invitation), ("wake-up", wake_up)] {
        let bytes = check(&mut vectors, name, &dial);
        assert!(Dial::decode(&bytes).unwrap() == dial, "{name}");
    }
    let inside = Invitation {
        index: AccountIndex(0x0102_0304),
        first: Round(0x0102_0304_0506_0708),
        caller: IdentityHash([0xd4; 32]),
        secret: Secret::new([0xd5; 32]),
        signature: [0xd6; 64],
    };
    let bytes = check(&mut vectors, "inside of an invitation", &inside);
    assert!(Invitation::decode(&bytes).unwrap().encode() == bytes);
    let wake_ups = std::array::from_fn(|place| WakeUp([0xe0 + place as u8; 16]));
    let reply = DialReply { invitation: SealedInvitation([0xd3; 240]), wake_ups };
    let bytes = check(&mut vectors, "reply", &reply);
    assert!(DialReply::decode(&bytes).unwrap() == reply);
    vectors.finish();
}

#[test]
fn peer_messages() {
    let mut vectors = Vectors::open("peer.hex");
    let hello = PeerMessage {
        signature: [0x51; 64],
        kind: Kind::Hello,
        flags: 0,
        epoch: 0,
        next: key(2, 0x52),
        seen: [0; 8],
        seq: 0,
        ack: 0,
        sack: 0,
        index: 0,
        count: 0,
        sent_ms: 0,
        payload: Payload::empty(),
    };
    let data = PeerMessage {
        signature: [0x61; 64],
        kind: Kind::Data,
        flags: FLAG_UNSENT,
        epoch: 0x0102_0304,
        next: key(3, 0x62),
        seen: [0x63; 8],
        seq: 0x1112_1314,
        ack: 0x2122_2324,
        sack: 0x3132_3334,
        index: 1,
        count: 57,
        sent_ms: 0x4142_4344_4546_4748,
        payload: Payload::new(b"hello").unwrap(),
    };
    for (name, message) in [("hello", hello), ("data", data)] {
        let bytes = check(&mut vectors, name, &message);
        assert!(PeerMessage::decode(&bytes).unwrap() == message, "{name}");
        let encoded = bytes.as_slice().try_into().unwrap();
        assert_eq!(PeerMessage::signed_part(encoded), &bytes[64..]);
    }
    vectors.finish();
}

#[test]
fn records_identities_heads_tokens_and_codes() {
    let mut vectors = Vectors::open("directory.hex");
    let signing = SigningKey::from_bytes(&vectors.array("signing secret").into()).unwrap();
    let agreement = AgreementKey::from_bytes(&vectors.array("agreement secret")).unwrap();
    let record = Record::new(name("Ann"), agreement.public(), &signing);
    let bytes = check(&mut vectors, "record", &record);
    let decoded = Record::decode(&bytes).unwrap();
    assert!(decoded == record);
    assert_eq!(decoded.verify(), Ok(()));
    same(&record.identity().0, &vectors.take("identity"), "identity");

    let first = Head::EMPTY.after(&bytes.try_into().unwrap());
    same(&first.0, &vectors.take("head after one"), "head");
    let second = first.after(&vectors.array("second record"));
    same(&second.0, &vectors.take("head after two"), "head");

    let deletion = Record::deletion(name("ann"), &signing);
    check(&mut vectors, "deletion", &deletion);
    assert!(deletion.is_deletion() && deletion.verify() == Ok(()));

    let signed = head_signed(2, &second);
    same(&signed, &vectors.take("signed head"), "signed head");
    let root = VerifyingKey::from(PublicKey(vectors.array("root key")).parse().unwrap());
    let signature = Signature::from_slice(&vectors.take("head signature")).unwrap();
    root.verify(&signed, &signature).unwrap();

    let signed = restores_signed(&restore_notices());
    same(&signed, &vectors.take("signed restores"), "signed restores");
    let signature = Signature::from_slice(&vectors.take("restores signature")).unwrap();
    root.verify(&signed, &signature).unwrap();
    same(&restores_signed(&[]), &vectors.take("signed restores, none"), "signed restores, none");

    let token = Token::new(vectors.array("token"));
    same(&token.digest(), &vectors.take("token digest"), "token digest");
    same(&SessionId::of(&token.digest()).0, &vectors.take("session id"), "session id");

    let code = Invite(vectors.array("code"));
    same(code.to_string().as_bytes(), &vectors.take("code text"), "code text");
    same(&code.digest(), &vectors.take("code digest"), "code digest");
    vectors.finish();
}

#[test]
fn key_derivation() {
    let mut vectors = Vectors::open("kdf.hex");
    let key = Secret::new(vectors.array("key"));
    let (label, parts) = (Label("iirs 1 vector"), [b"one".as_slice(), b"two"]);
    same(key.hmac(label, &parts).expose(), &vectors.take("hmac"), "hmac");
    let mut expanded = [0; 80];
    key.expand(label, &parts, &mut expanded);
    same(&expanded, &vectors.take("expand"), "expand");
    same(key.derive(label, &parts).expose(), &expanded[..32], "derive");
    let extracted = Secret::extract(b"salt", key.expose(), label, &parts[..1]);
    same(extracted.expose(), &vectors.take("extract"), "extract");
    same(&hash(label, &parts), &vectors.take("hash"), "hash");
    vectors.finish();
}

#[test]
fn sealed_boxes() {
    let mut vectors = Vectors::open("sealed.hex");
    let key = Secret::new(vectors.array("key"));
    let (label, place) = (Label("iirs 1 vector"), [b"place".as_slice()]);
    let (mut iv, plain) = (Fixed(vectors.take("iv")), vectors.take("plain"));
    let bytes = vectors.take("box");
    same(&sealed::seal(&key, label, &place, &plain, &mut iv), &bytes, "box");
    same(&sealed::open(&key, label, &place, &bytes).unwrap(), &plain, "plain text");
    vectors.finish();
}

#[test]
fn layers() {
    let mut vectors = Vectors::open("layer.hex");
    let client = AgreementKey::from_bytes(&vectors.array("client secret")).unwrap();
    let mixer = AgreementKey::from_bytes(&vectors.array("mixer secret")).unwrap();
    same(&client.public().0, &vectors.take("client key"), "client key");
    same(&mixer.public().0, &vectors.take("mixer key"), "mixer key");
    let mut at_client = Layer::for_client(&client, &mixer.public()).unwrap();
    let shared = mixer.agree(&client.public()).unwrap();
    let mut at_mixer = Layer::for_mixer(&shared, &client.public(), &mixer.public());
    let (deposit, reply) = (vectors.array::<DEPOSIT>("deposit"), vectors.array::<CELL>("reply"));
    for (round, key) in [(Round(9), "first"), (Round(10), "second")] {
        let there = Place { direction: Direction::Deposit, slot: 1, slots: 2 };
        let (mut slot, mut plain) = ([0; DEPOSIT_SLOT], [0; DEPOSIT]);
        at_client.seal(round, there, &deposit, &mut slot);
        same(&slot, &vectors.take(&format!("layered deposit, {key} key")), "layered deposit");
        assert_eq!(at_mixer.open(round, there, &slot, &mut plain), Ok(()));
        assert_eq!(plain, deposit);

        let back = Place { direction: Direction::Reply, ..there };
        let (mut slot, mut plain) = ([0; REPLY_SLOT], [0; CELL]);
        at_mixer.seal(round, back, &reply, &mut slot);
        same(&slot, &vectors.take(&format!("layered reply, {key} key")), "layered reply");
        assert_eq!(at_client.open(round, back, &slot, &mut plain), Ok(()));
        assert_eq!(plain, reply);

        at_client.step();
        at_mixer.step();
    }
    vectors.finish();
}

#[test]
fn links() {
    let mut vectors = Vectors::open("link.hex");
    let pin = Pin(vectors.array::<HASH>("pin"));
    for (name, host) in [("name", "chat.example.org"), ("address", "2001:db8::1")] {
        let link = Link { host: host.into(), port: 4433, pin };
        let text = String::from_utf8(vectors.take(name)).unwrap();
        assert_eq!(link.to_string(), text);
        assert_eq!(text.parse(), Ok(link));
    }
    vectors.finish();
}

#[test]
fn the_reader_knows_hex_text_runs_and_comments() {
    let mut named = reader::parse("# title\n\n[a]\n01 02 *3 # \"no\n\"x#\"ff *2\n[b]\n");
    assert_eq!(named.remove("a").unwrap(), [1, 2, 2, 2, b'x', b'#', 0xff, 0xff]);
    assert_eq!(named.remove("b").unwrap(), []);
    assert!(named.is_empty());
}

fn client_controls() -> Vec<(&'static str, ClientControl)> {
    let ann = name("ann");
    vec![
        ("client idle", ClientControl::Idle),
        (
            "register start",
            ClientControl::RegisterStart(RegisterStart {
                name: ann,
                request: key(2, 0xa1).0,
                invite: Invite([0xa9; 10]),
            }),
        ),
        (
            "register finish",
            ClientControl::RegisterFinish(Box::new(RegisterFinish {
                upload: [0xa2; 129],
                stretching: Stretching::STANDARD,
                master: SealedMaster([0xa3; 80]),
                identity: SealedIdentity([0xa4; 112]),
                record: record("ann", 0x10),
            })),
        ),
        ("login start", ClientControl::LoginStart(LoginStart { name: ann, request: [0xa5; 98] })),
        ("login finish", ClientControl::LoginFinish(LoginFinish { finalization: [0xa6; 32] })),
        ("resume", ClientControl::Resume(Resume { token: Token::new([0xa7; 32]) })),
        ("pull", ClientControl::Pull(Pull { from: 0x0102_0304, pages: 64 })),
        ("sign out", ClientControl::SignOut),
    ]
}

fn client_account_controls() -> Vec<(&'static str, ClientControl)> {
    let record = Record { agreement: key(2, 0x11), ..record("ann", 0x10) };
    assert!(record.is_deletion());
    vec![
        (
            "change start",
            ClientControl::ChangeStart(ChangeStart {
                login: [0xaa; 98],
                registration: key(2, 0xab).0,
            }),
        ),
        (
            "change finish",
            ClientControl::ChangeFinish(Box::new(ChangeFinish {
                finalization: [0xac; 32],
                upload: [0xad; 129],
                stretching: Stretching::STANDARD,
                master: SealedMaster([0xae; 80]),
                identity: SealedIdentity([0xaf; 112]),
            })),
        ),
        ("delete start", ClientControl::DeleteStart(DeleteStart { login: [0xc1; 98] })),
        (
            "delete finish",
            ClientControl::DeleteFinish(Box::new(DeleteFinish {
                finalization: [0xc2; 32],
                record,
            })),
        ),
        ("list sessions", ClientControl::ListSessions),
        ("end session", ClientControl::EndSession(EndSession { id: SessionId([0xc3; 8]) })),
        ("vault get", ClientControl::VaultGet(VaultGet { part: 2 })),
        (
            "vault put",
            ClientControl::VaultPut(Box::new(VaultPut {
                part: 1,
                base: 0x0102_0304_0506_0708,
                version: 0x1112_1314_1516_1718,
                bytes: [0xc4; 1024],
            })),
        ),
    ]
}

fn server_account_controls() -> Vec<(&'static str, ServerControl)> {
    let stretching = Stretching::STANDARD;
    let version = 0x0102_0304_0506_0708;
    let no_vault = VaultPart { part: 2, version: 0, bytes: [0; 1024] };
    let vault = VaultPart { part: 1, version, bytes: [0xd7; 1024] };
    let invalid = Refused { why: Refusal::InviteInvalid, retry_ms: 0 };
    vec![
        (
            "change reply",
            ServerControl::ChangeReply(Box::new(ChangeReply {
                login: LoginReply { response: [0xd1; 259], stretching },
                registration: [0xd2; 66],
            })),
        ),
        (
            "changed",
            ServerControl::Changed(Changed {
                token: Token::new([0xd3; 32]),
                expires_ms: 0x0102_0304_0506_0708,
            }),
        ),
        (
            "delete reply",
            ServerControl::DeleteReply(Box::new(LoginReply { response: [0xd4; 259], stretching })),
        ),
        ("deleted", ServerControl::Deleted),
        ("no sessions", ServerControl::Sessions(vec![])),
        ("two sessions", ServerControl::Sessions(two_sessions())),
        ("session ended", ServerControl::SessionEnded),
        ("no vault part", ServerControl::VaultPart(Box::new(no_vault))),
        ("vault part", ServerControl::VaultPart(Box::new(vault))),
        ("vault staged", ServerControl::VaultStaged),
        ("vault stored", ServerControl::VaultStored(VaultVersion { version })),
        ("vault conflict", ServerControl::VaultConflict(VaultVersion { version })),
        ("refused an invitation code", ServerControl::Refused(invalid)),
    ]
}

fn two_sessions() -> Vec<SessionInfo> {
    let current = SessionInfo {
        id: SessionId([0xd5; 8]),
        created_ms: 0x0102_0304_0506_0708,
        expires_ms: 0x1112_1314_1516_1718,
        current: true,
        superseded: false,
    };
    let other = SessionInfo {
        id: SessionId([0xd6; 8]),
        created_ms: 0x2122_2324_2526_2728,
        expires_ms: 0x3132_3334_3536_3738,
        current: false,
        superseded: true,
    };
    vec![current, other]
}

fn server_controls() -> Vec<(&'static str, ServerControl)> {
    let index = AccountIndex(0x0102_0304);
    let two = vec![record("ann", 0x10), record("bob.b-9_x", 0x20)];
    let five = ["a", "b", "c", "d", "e"].into_iter().zip((0x10..).step_by(0x10));
    vec![
        ("server idle", ServerControl::Idle),
        ("register reply", ServerControl::RegisterReply(RegisterReply { response: [0xb1; 66] })),
        ("registered", ServerControl::Registered(Registered { index })),
        (
            "login reply",
            ServerControl::LoginReply(Box::new(LoginReply {
                response: [0xb2; 259],
                stretching: Stretching::STANDARD,
            })),
        ),
        ("session", ServerControl::Session(Box::new(session()))),
        ("session of a restored server", ServerControl::Session(Box::new(restored_session()))),
        ("empty page", page(vec![])),
        ("page of two", page(two)),
        ("page of five", page(five.map(|(name, fill)| record(name, fill)).collect())),
        ("signed out", ServerControl::SignedOut),
        ("refused", ServerControl::Refused(Refused { why: Refusal::SlowDown, retry_ms: 30_000 })),
    ]
}

fn session() -> Session {
    Session {
        token: Token::new([0xb3; 32]),
        expires_ms: 0x0102_0304_0506_0708,
        index: AccountIndex(0x1112_1314),
        slots: 2,
        round_ms: 2000,
        genesis_ms: 0x2122_2324_2526_2728,
        mixer: key(3, 0xb4),
        mixer_signature: [0xb5; 64],
        master: SealedMaster([0xb6; 80]),
        identity: SealedIdentity([0xb7; 112]),
        directory_length: 0x3132_3334,
        directory_head: Head([0xb8; 32]),
        directory_signature: [0xbb; 64],
        restores: Restores { notices: Vec::new(), signature: [0xbc; 64] },
    }
}

/// A server that was put back twice.
fn restored_session() -> Session {
    let restores = Restores { notices: restore_notices().to_vec(), signature: [0xbc; 64] };
    Session { restores, ..session() }
}

fn restore_notices() -> [RestoreNotice; 2] {
    let notice = |time: u64, length, fill| RestoreNotice {
        backed_up_ms: 0x0000_4142_4344_4500 + time,
        restored_ms: 0x0000_5152_5354_5500 + time,
        length,
        head: Head([fill; 32]),
    };
    [notice(1, 1, 0xbd), notice(2, 0x3132_3334, 0xbe)]
}

fn page(records: Vec<Record>) -> ServerControl {
    let (head, signature) = (Head([0xb9; 32]), [0xba; 64]);
    ServerControl::Page(Page { from: 6, length: 9, head, signature, records })
}

/// A record whose fields are filled with `fill` + 1, 2 and 3.
fn record(text: &str, fill: u8) -> Record {
    Record {
        name: name(text),
        signing: key(2, fill + 1),
        agreement: key(3, fill + 2),
        signature: [fill + 3; 64],
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("vectors name allowed names")
}

fn key(tag: u8, fill: u8) -> PublicKey {
    let mut key = PublicKey([fill; 33]);
    key.0[0] = tag;
    key
}

/// Compares `value` with its vector in both directions; returns the vector.
fn check<T: Wire>(vectors: &mut Vectors, name: &str, value: &T) -> Vec<u8> {
    let bytes = vectors.take(name);
    same(&value.encode(), &bytes, name);
    match T::decode(&bytes) {
        Ok(decoded) => same(&decoded.encode(), &bytes, name),
        Err(error) => panic!("{name}: {error}"),
    }
    bytes
}

fn same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{what}: first byte that differs");
}

/// A generator that gives exactly these bytes, once.
struct Fixed(Vec<u8>);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("a box draws bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("a box draws bytes")
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&std::mem::take(&mut self.0));
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Fixed {}
