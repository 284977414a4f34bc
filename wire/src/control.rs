//! Control frames, 1,056 bytes both ways: a header of 32 bytes (version, kind, zeros) and a body.
//!
//! Before a client joins the rounds they are request and response. After it joined, exactly one goes
//! each way in every round r with r mod 5 = 2, [`ClientControl::Idle`] if there is nothing to say.

use crate::VERSION;
use crate::account::{SealedIdentity, SealedMaster, Stretching};
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::{Head, Record};
use crate::ids::{AccountIndex, Name, Token};
use crate::public_key::PublicKey;
use crate::size::{
    CONTROL_FRAME, CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, CREDENTIAL_RESPONSE, HEADER,
    PAGE_RECORDS, REGISTRATION_REQUEST, REGISTRATION_RESPONSE, REGISTRATION_UPLOAD, SIGNATURE,
    SLOTS_MAX, SLOTS_MIN,
};

/// Pages that one request before `join` may ask for.
pub const PULL_PAGES_MAX: u8 = 64;

/// Shortest round that a server may run, in milliseconds.
pub const ROUND_MS_MIN: u32 = 100;

/// Longest round that a server may run, in milliseconds: a frame each way must come well within a
/// connection's idle timeout of 15 s.
pub const ROUND_MS_MAX: u32 = 10_000;

/// What a client asks.
pub enum ClientControl {
    /// Nothing; keeps the schedule.
    Idle,
    /// Registration, first step.
    RegisterStart(RegisterStart),
    /// Registration, second step.
    RegisterFinish(Box<RegisterFinish>),
    /// Login, first step.
    LoginStart(LoginStart),
    /// Login, second step.
    LoginFinish(LoginFinish),
    /// Takes up a session again by its token.
    Resume(Resume),
    /// Asks for pages of the directory.
    Pull(Pull),
    /// Ends the session: the server forgets its token.
    SignOut,
}

/// What the server answers.
pub enum ServerControl {
    /// Nothing; keeps the schedule.
    Idle,
    /// Answers [`ClientControl::RegisterStart`].
    RegisterReply(RegisterReply),
    /// Answers [`ClientControl::RegisterFinish`]: the account is on disk.
    Registered(Registered),
    /// Answers [`ClientControl::LoginStart`].
    LoginReply(Box<LoginReply>),
    /// Answers [`ClientControl::LoginFinish`] and [`ClientControl::Resume`].
    Session(Box<Session>),
    /// Answers [`ClientControl::Pull`], once for each page.
    Page(Page),
    /// Answers [`ClientControl::SignOut`].
    SignedOut,
    /// The request failed.
    Refused(Refused),
}

/// Registration, first step: name and OPAQUE's registration request.
pub struct RegisterStart {
    /// Name that is wanted.
    pub name: Name,
    /// RFC 9807 RegistrationRequest.
    pub request: [u8; REGISTRATION_REQUEST],
}

/// OPAQUE's registration response.
pub struct RegisterReply {
    /// RFC 9807 RegistrationResponse.
    pub response: [u8; REGISTRATION_RESPONSE],
}

/// Registration, second step: everything that the server keeps of the account.
pub struct RegisterFinish {
    /// RFC 9807 RegistrationRecord.
    pub upload: [u8; REGISTRATION_UPLOAD],
    /// Cost that the password was stretched with.
    pub stretching: Stretching,
    /// Master key under the export key.
    pub master: SealedMaster,
    /// Identity under the master key.
    pub identity: SealedIdentity,
    /// Public record, whose name is the one of the first step.
    pub record: Record,
}

/// The account is on disk.
pub struct Registered {
    /// Place of the account in the directory.
    pub index: AccountIndex,
}

/// Login, first step: name and OPAQUE's first message.
pub struct LoginStart {
    /// Account name.
    pub name: Name,
    /// RFC 9807 KE1.
    pub request: [u8; CREDENTIAL_REQUEST],
}

/// OPAQUE's second message; it looks alike for names that nobody has.
pub struct LoginReply {
    /// RFC 9807 KE2.
    pub response: [u8; CREDENTIAL_RESPONSE],
    /// Cost to stretch the password with.
    pub stretching: Stretching,
}

/// Login, second step: OPAQUE's third message.
pub struct LoginFinish {
    /// RFC 9807 KE3.
    pub finalization: [u8; CREDENTIAL_FINALIZATION],
}

/// Takes up a session again.
pub struct Resume {
    /// Token of the session.
    pub token: Token,
}

/// A session: what a client needs to open its keys and to join the rounds.
pub struct Session {
    /// Token for [`Resume`].
    pub token: Token,
    /// When the token ends, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The account's place in the directory.
    pub index: AccountIndex,
    /// Slots of every deposit, the same for all clients of the server.
    pub slots: u8,
    /// Length of a round in milliseconds.
    pub round_ms: u32,
    /// When round 0 would have begun, in milliseconds since 1970.
    pub genesis_ms: u64,
    /// The mixer's key for layers, made by this server process.
    pub mixer: PublicKey,
    /// ECDSA by the leaf certificate's key over [`Session::mixer_signed`].
    pub mixer_signature: [u8; SIGNATURE],
    /// Master key under the export key.
    pub master: SealedMaster,
    /// Identity under the master key.
    pub identity: SealedIdentity,
    /// Records in the directory.
    pub directory_length: u32,
    /// Head of the directory at that length.
    pub directory_head: Head,
}

impl Session {
    /// Returns what the leaf certificate's key signs.
    pub fn mixer_signed(mixer: &PublicKey) -> Vec<u8> {
        [b"iirs 1 mixer key".as_slice(), &mixer.0].concat()
    }
}

/// Asks for pages of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// First record wanted.
    pub from: u32,
    /// Pages wanted, 1 to 64 before `join`, 1 after it.
    pub pages: u8,
}

impl Pull {
    /// Returns what to ask for before `join` to go from `from` records towards `length`, if any are missing.
    pub fn toward(from: u32, length: u32) -> Option<Self> {
        let missing = length.checked_sub(from).filter(|&missing| missing > 0)?;
        let pages = missing.div_ceil(PAGE_RECORDS as u32).min(u32::from(PULL_PAGES_MAX));
        Some(Self { from, pages: u8::try_from(pages).unwrap_or(PULL_PAGES_MAX) })
    }
}

/// Up to six records of the directory, in order.
pub struct Page {
    /// Index of the first record.
    pub from: u32,
    /// Records in the whole directory.
    pub length: u32,
    /// Head of the chain after the last record of this page.
    pub head: Head,
    /// The records.
    pub records: Vec<Record>,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The name belongs to somebody.
    NameTaken = 1,
    /// Wrong password or unknown name, which are not told apart.
    WrongCredentials = 2,
    /// The token is unknown or has ended.
    TokenEnded = 3,
    /// A newer sign-in took the session's place.
    TokenSuperseded = 4,
    /// Too many tries; come back later.
    SlowDown = 5,
    /// The operator disabled the account.
    Disabled = 6,
    /// The request does not fit what went before, or its contents do not verify.
    BadRequest = 7,
    /// No account can be added.
    DirectoryFull = 8,
}

impl Refusal {
    /// All refusals.
    pub const ALL: [Self; 8] = [
        Self::NameTaken,
        Self::WrongCredentials,
        Self::TokenEnded,
        Self::TokenSuperseded,
        Self::SlowDown,
        Self::Disabled,
        Self::BadRequest,
        Self::DirectoryFull,
    ];
}

/// A failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Refusal,
    /// Milliseconds to wait before the next try, 0 if waiting does not help.
    pub retry_ms: u32,
}

/// Reads one field group after the other; what is left of the body is zeros.
impl Wire for ClientControl {
    const SIZE: usize = CONTROL_FRAME;

    fn write(&self, out: &mut Writer<'_>) {
        write_header(out, self.kind());
        match self {
            Self::Idle | Self::SignOut => (),
            Self::RegisterStart(it) => {
                it.name.write(out);
                out.bytes(&it.request);
            }
            Self::RegisterFinish(it) => {
                out.bytes(&it.upload);
                it.stretching.write(out);
                it.master.write(out);
                it.identity.write(out);
                it.record.write(out);
            }
            Self::LoginStart(it) => {
                it.name.write(out);
                out.bytes(&it.request);
            }
            Self::LoginFinish(it) => out.bytes(&it.finalization),
            Self::Resume(it) => it.token.write(out),
            Self::Pull(it) => {
                out.u32(it.from);
                out.u8(it.pages);
            }
        }
        out.zeros_to_end();
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let control = match read_header(input)? {
            0 => Self::Idle,
            1 => Self::RegisterStart(RegisterStart {
                name: Name::read(input)?,
                request: input.array()?,
            }),
            2 => Self::RegisterFinish(Box::new(RegisterFinish {
                upload: input.array()?,
                stretching: Stretching::read(input)?,
                master: SealedMaster::read(input)?,
                identity: SealedIdentity::read(input)?,
                record: Record::read(input)?,
            })),
            3 => Self::LoginStart(LoginStart { name: Name::read(input)?, request: input.array()? }),
            4 => Self::LoginFinish(LoginFinish { finalization: input.array()? }),
            5 => Self::Resume(Resume { token: Token::read(input)? }),
            6 => Self::Pull(read_pull(input)?),
            7 => Self::SignOut,
            other => return Err(DecodeError::Kind(other)),
        };
        input.zeros_to_end("padding")?;
        Ok(control)
    }
}

impl ClientControl {
    fn kind(&self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::RegisterStart(_) => 1,
            Self::RegisterFinish(_) => 2,
            Self::LoginStart(_) => 3,
            Self::LoginFinish(_) => 4,
            Self::Resume(_) => 5,
            Self::Pull(_) => 6,
            Self::SignOut => 7,
        }
    }
}

impl Wire for ServerControl {
    const SIZE: usize = CONTROL_FRAME;

    fn write(&self, out: &mut Writer<'_>) {
        write_header(out, self.kind());
        match self {
            Self::Idle | Self::SignedOut => (),
            Self::RegisterReply(it) => out.bytes(&it.response),
            Self::Registered(it) => out.u32(it.index.0),
            Self::LoginReply(it) => {
                out.bytes(&it.response);
                it.stretching.write(out);
            }
            Self::Session(it) => write_session(it, out),
            Self::Page(it) => write_page(it, out),
            Self::Refused(it) => {
                out.u8(it.why as u8);
                out.u32(it.retry_ms);
            }
        }
        out.zeros_to_end();
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let control = match read_header(input)? {
            128 => Self::Idle,
            129 => Self::RegisterReply(RegisterReply { response: input.array()? }),
            130 => Self::Registered(Registered { index: AccountIndex(input.u32()?) }),
            131 => Self::LoginReply(Box::new(LoginReply {
                response: input.array()?,
                stretching: Stretching::read(input)?,
            })),
            132 => Self::Session(Box::new(read_session(input)?)),
            133 => Self::Page(read_page(input)?),
            134 => Self::SignedOut,
            135 => Self::Refused(read_refused(input)?),
            other => return Err(DecodeError::Kind(other)),
        };
        input.zeros_to_end("padding")?;
        Ok(control)
    }
}

impl ServerControl {
    fn kind(&self) -> u8 {
        match self {
            Self::Idle => 128,
            Self::RegisterReply(_) => 129,
            Self::Registered(_) => 130,
            Self::LoginReply(_) => 131,
            Self::Session(_) => 132,
            Self::Page(_) => 133,
            Self::SignedOut => 134,
            Self::Refused(_) => 135,
        }
    }
}

fn write_header(out: &mut Writer<'_>, kind: u8) {
    out.u8(VERSION);
    out.u8(kind);
    out.zeros(HEADER - 2);
}

fn read_header(input: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let version = input.u8()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = input.u8()?;
    input.zeros(HEADER - 2, "reserved")?;
    Ok(kind)
}

fn read_pull(input: &mut Reader<'_>) -> Result<Pull, DecodeError> {
    let (from, pages) = (input.u32()?, input.u8()?);
    if !(1..=PULL_PAGES_MAX).contains(&pages) {
        return Err(DecodeError::Field("pages"));
    }
    Ok(Pull { from, pages })
}

fn write_session(session: &Session, out: &mut Writer<'_>) {
    session.token.write(out);
    out.u64(session.expires_ms);
    out.u32(session.index.0);
    out.u8(session.slots);
    out.u32(session.round_ms);
    out.u64(session.genesis_ms);
    session.mixer.write(out);
    out.bytes(&session.mixer_signature);
    session.master.write(out);
    session.identity.write(out);
    out.u32(session.directory_length);
    session.directory_head.write(out);
}

fn read_session(input: &mut Reader<'_>) -> Result<Session, DecodeError> {
    let (token, expires_ms) = (Token::read(input)?, input.u64()?);
    let index = AccountIndex(input.u32()?);
    let slots = input.u8()?;
    if !(SLOTS_MIN..=SLOTS_MAX).contains(&slots) {
        return Err(DecodeError::Field("slots"));
    }
    let round_ms = input.u32()?;
    if !(ROUND_MS_MIN..=ROUND_MS_MAX).contains(&round_ms) {
        return Err(DecodeError::Field("round length"));
    }
    Ok(Session {
        token,
        expires_ms,
        index,
        slots,
        round_ms,
        genesis_ms: input.u64()?,
        mixer: PublicKey::read(input)?,
        mixer_signature: input.array()?,
        master: SealedMaster::read(input)?,
        identity: SealedIdentity::read(input)?,
        directory_length: input.u32()?,
        directory_head: Head::read(input)?,
    })
}

fn write_page(page: &Page, out: &mut Writer<'_>) {
    let count = u8::try_from(page.records.len()).expect("a page has at most six records");
    assert!(usize::from(count) <= PAGE_RECORDS, "a page has at most six records");
    out.u32(page.from);
    out.u32(page.length);
    page.head.write(out);
    out.u8(count);
    for record in &page.records {
        record.write(out);
    }
}

fn read_page(input: &mut Reader<'_>) -> Result<Page, DecodeError> {
    let (from, length, head) = (input.u32()?, input.u32()?, Head::read(input)?);
    let count = usize::from(input.u8()?);
    if count > PAGE_RECORDS {
        return Err(DecodeError::Field("records"));
    }
    let records = (0..count).map(|_| Record::read(input)).collect::<Result<_, _>>()?;
    Ok(Page { from, length, head, records })
}

fn read_refused(input: &mut Reader<'_>) -> Result<Refused, DecodeError> {
    let code = input.u8()?;
    let why = Refusal::ALL
        .into_iter()
        .find(|&why| why as u8 == code)
        .ok_or(DecodeError::Field("refusal"))?;
    Ok(Refused { why, retry_ms: input.u32()? })
}

const _: () =
    assert!(4 + 4 + 32 + 1 + PAGE_RECORDS * crate::size::RECORD <= crate::size::CONTROL_BODY);
