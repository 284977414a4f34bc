//! What the server answers.

use super::refusal::{Refused, read_refused};
use super::{ROUND_MS_MAX, ROUND_MS_MIN, read_header, write_header};
use crate::account::{SealedIdentity, SealedMaster, Stretching};
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::{Head, Record};
use crate::ids::{AccountIndex, Token};
use crate::public_key::PublicKey;
use crate::size::{
    CONTROL_FRAME, CREDENTIAL_RESPONSE, PAGE_RECORDS, REGISTRATION_RESPONSE, SIGNATURE, SLOTS_MAX,
    SLOTS_MIN,
};

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

/// OPAQUE's registration response.
pub struct RegisterReply {
    /// RFC 9807 RegistrationResponse.
    pub response: [u8; REGISTRATION_RESPONSE],
}

/// The account is on disk.
pub struct Registered {
    /// Place of the account in the directory.
    pub index: AccountIndex,
}

/// OPAQUE's second message; it looks alike for names that nobody has.
pub struct LoginReply {
    /// RFC 9807 KE2.
    pub response: [u8; CREDENTIAL_RESPONSE],
    /// Cost to stretch the password with.
    pub stretching: Stretching,
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

const _: () =
    assert!(4 + 4 + 32 + 1 + PAGE_RECORDS * crate::size::RECORD <= crate::size::CONTROL_BODY);
