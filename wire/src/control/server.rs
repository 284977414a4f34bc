//! What the server answers.

use super::refusal::{Refused, read_refused};
use super::{Header, ROUND_MS_MAX, ROUND_MS_MIN, VaultPart, VaultVersion};
use crate::account::{SealedIdentity, SealedMaster, Stretching};
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::{Head, Record, head_signed};
use crate::ids::{AccountIndex, SessionId, Token};
use crate::public_key::PublicKey;
use crate::restore::Restores;
use crate::size::{
    CONTROL_FRAME, CREDENTIAL_RESPONSE, PAGE_RECORDS, REGISTRATION_RESPONSE, SESSION_INFO,
    SESSIONS_MAX, SIGNATURE, SLOTS_MAX, SLOTS_MIN,
};

/// What the server answers.
pub enum ServerControl {
    /// Nothing; keeps the schedule.
    Idle,
    /// Answers [`ClientControl::RegisterStart`](super::ClientControl::RegisterStart).
    RegisterReply(RegisterReply),
    /// Answers [`ClientControl::RegisterFinish`](super::ClientControl::RegisterFinish): the account is on disk.
    Registered(Registered),
    /// Answers [`ClientControl::LoginStart`](super::ClientControl::LoginStart).
    LoginReply(Box<LoginReply>),
    /// Answers [`ClientControl::LoginFinish`](super::ClientControl::LoginFinish) and [`ClientControl::Resume`](super::ClientControl::Resume).
    Session(Box<Session>),
    /// Answers [`ClientControl::Pull`](super::ClientControl::Pull), once for each page.
    Page(Page),
    /// Answers [`ClientControl::SignOut`](super::ClientControl::SignOut).
    SignedOut,
    /// The request failed.
    Refused(Refused),
    /// Answers [`ClientControl::ChangeStart`](super::ClientControl::ChangeStart)(super::ClientControl::ChangeStart).
    ChangeReply(Box<ChangeReply>),
    /// Answers [`ClientControl::ChangeFinish`](super::ClientControl::ChangeFinish)(super::ClientControl::ChangeFinish): the new password holds, and
    /// all other sessions have ended.
    Changed(Changed),
    /// Answers [`ClientControl::DeleteStart`](super::ClientControl::DeleteStart)(super::ClientControl::DeleteStart).
    DeleteReply(Box<LoginReply>),
    /// Answers [`ClientControl::DeleteFinish`](super::ClientControl::DeleteFinish)(super::ClientControl::DeleteFinish): the account is gone.
    Deleted,
    /// Answers [`ClientControl::ListSessions`](super::ClientControl::ListSessions)(super::ClientControl::ListSessions): at most eight.
    Sessions(Vec<SessionInfo>),
    /// Answers [`ClientControl::EndSession`](super::ClientControl::EndSession)(super::ClientControl::EndSession): the session is no more.
    SessionEnded,
    /// Answers [`ClientControl::VaultGet`](super::ClientControl::VaultGet)(super::ClientControl::VaultGet).
    VaultPart(Box<VaultPart>),
    /// Answers [`ClientControl::VaultPut`](super::ClientControl::VaultPut)(super::ClientControl::VaultPut) of a part that is not the last.
    VaultStaged,
    /// Answers the last [`ClientControl::VaultPut`](super::ClientControl::VaultPut)(super::ClientControl::VaultPut): this version is on disk.
    VaultStored(VaultVersion),
    /// Answers the last [`ClientControl::VaultPut`](super::ClientControl::VaultPut)(super::ClientControl::VaultPut): nothing was stored, since
    /// this version is there already.
    VaultConflict(VaultVersion),
}

impl Wire for ServerControl {
    const SIZE: usize = CONTROL_FRAME;

    fn write(&self, out: &mut Writer<'_>) {
        self.header().write(out);
        match self {
            Self::Idle
            | Self::SignedOut
            | Self::Deleted
            | Self::SessionEnded
            | Self::VaultStaged => (),
            Self::RegisterReply(it) => out.bytes(&it.response),
            Self::Registered(it) => out.u32(it.index.0),
            Self::LoginReply(it) | Self::DeleteReply(it) => it.write(out),
            Self::Session(it) => write_session(it, out),
            Self::Page(it) => write_page(it, out),
            Self::Refused(it) => {
                out.u8(it.why as u8);
                out.u32(it.retry_ms);
            }
            Self::ChangeReply(it) => {
                it.login.write(out);
                out.bytes(&it.registration);
            }
            Self::Changed(it) => {
                it.token.write(out);
                out.u64(it.expires_ms);
            }
            Self::Sessions(sessions) => write_sessions(sessions, out),
            Self::VaultPart(it) => out.bytes(&it.bytes),
            Self::VaultStored(it) | Self::VaultConflict(it) => out.u64(it.version),
        }
        out.zeros_to_end();
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(input)?;
        let control = match header.kind {
            128 => Self::Idle,
            129 => Self::RegisterReply(RegisterReply { response: input.array()? }),
            130 => Self::Registered(Registered { index: AccountIndex(input.u32()?) }),
            131 => Self::LoginReply(Box::new(LoginReply::read(input)?)),
            132 => Self::Session(Box::new(read_session(input)?)),
            133 => Self::Page(read_page(input)?),
            134 => Self::SignedOut,
            135 => Self::Refused(read_refused(input)?),
            136 => Self::ChangeReply(Box::new(ChangeReply {
                login: LoginReply::read(input)?,
                registration: input.array()?,
            })),
            137 => Self::Changed(Changed { token: Token::read(input)?, expires_ms: input.u64()? }),
            138 => Self::DeleteReply(Box::new(LoginReply::read(input)?)),
            139 => Self::Deleted,
            140 => Self::Sessions(read_sessions(input)?),
            141 => Self::SessionEnded,
            142 => Self::VaultPart(Box::new(VaultPart::read(&header, input)?)),
            143 => Self::VaultStaged,
            144 => Self::VaultStored(VaultVersion { version: input.u64()? }),
            145 => Self::VaultConflict(VaultVersion { version: input.u64()? }),
            other => return Err(DecodeError::Kind(other)),
        };
        if control.header() != header {
            return Err(DecodeError::Field("reserved"));
        }
        input.zeros_to_end("padding")?;
        Ok(control)
    }
}

impl ServerControl {
    /// Returns the header, whose fields beside the kind only the vault uses.
    fn header(&self) -> Header {
        match self {
            Self::VaultPart(it) => it.header(self.kind()),
            _ => Header::of(self.kind()),
        }
    }

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
            Self::ChangeReply(_) => 136,
            Self::Changed(_) => 137,
            Self::DeleteReply(_) => 138,
            Self::Deleted => 139,
            Self::Sessions(_) => 140,
            Self::SessionEnded => 141,
            Self::VaultPart(_) => 142,
            Self::VaultStaged => 143,
            Self::VaultStored(_) => 144,
            Self::VaultConflict(_) => 145,
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
    /// Token for [`Resume`](super::Resume).
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
    /// ECDSA by the server's root key over [`head_signed`] of that length and head.
    pub directory_signature: [u8; SIGNATURE],
    /// The backups that the server was put back from.
    pub restores: Restores,
}

impl Session {
    /// Returns what the leaf certificate's key signs.
    pub fn mixer_signed(mixer: &PublicKey) -> Vec<u8> {
        [b"iirs 1 mixer key".as_slice(), &mixer.0].concat()
    }
}

/// Both of OPAQUE's answers to a password change.
pub struct ChangeReply {
    /// Answers the login with the old password.
    pub login: LoginReply,
    /// RFC 9807 RegistrationResponse, for the new password.
    pub registration: [u8; REGISTRATION_RESPONSE],
}

/// The only session that is left after a password change.
pub struct Changed {
    /// Token that takes the old one's place.
    pub token: Token,
    /// When the token ends, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// A session of the account as a list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its name.
    pub id: SessionId,
    /// When it began, in milliseconds since 1970.
    pub created_ms: u64,
    /// When its token ends, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Whether it is the session that asks.
    pub current: bool,
    /// Whether a newer sign-in took its place.
    pub superseded: bool,
}

/// Up to five records of the directory, in order.
pub struct Page {
    /// Index of the first record.
    pub from: u32,
    /// Records in the whole directory.
    pub length: u32,
    /// Head of the chain after the last record of this page.
    pub head: Head,
    /// ECDSA by the server's root key over [`Page::signed`].
    pub signature: [u8; SIGNATURE],
    /// The records.
    pub records: Vec<Record>,
}

impl Page {
    /// Returns what the server's root key signs: the length after the last record of this page, and the head there.
    pub fn signed(&self) -> Vec<u8> {
        let count = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        head_signed(self.from.saturating_add(count), &self.head)
    }
}

impl Wire for LoginReply {
    const SIZE: usize = CREDENTIAL_RESPONSE + Stretching::SIZE;

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.response);
        self.stretching.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { response: input.array()?, stretching: Stretching::read(input)? })
    }
}

impl Wire for SessionInfo {
    const SIZE: usize = SESSION_INFO;

    fn write(&self, out: &mut Writer<'_>) {
        self.id.write(out);
        out.u64(self.created_ms);
        out.u64(self.expires_ms);
        out.bool(self.current);
        out.bool(self.superseded);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: SessionId::read(input)?,
            created_ms: input.u64()?,
            expires_ms: input.u64()?,
            current: input.bool("current")?,
            superseded: input.bool("superseded")?,
        })
    }
}

fn write_sessions(sessions: &[SessionInfo], out: &mut Writer<'_>) {
    let count = u8::try_from(sessions.len()).expect("a list has at most eight sessions");
    assert!(usize::from(count) <= SESSIONS_MAX, "a list has at most eight sessions");
    out.u8(count);
    for session in sessions {
        session.write(out);
    }
}

fn read_sessions(input: &mut Reader<'_>) -> Result<Vec<SessionInfo>, DecodeError> {
    let count = usize::from(input.u8()?);
    if count > SESSIONS_MAX {
        return Err(DecodeError::Field("sessions"));
    }
    (0..count).map(|_| SessionInfo::read(input)).collect()
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
    out.bytes(&session.directory_signature);
    session.restores.write(out);
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
    let genesis_ms = input.u64()?;
    let mixer = PublicKey::read(input)?;
    let mixer_signature = input.array()?;
    let master = SealedMaster::read(input)?;
    let identity = SealedIdentity::read(input)?;
    let directory_length = input.u32()?;
    Ok(Session {
        token,
        expires_ms,
        index,
        slots,
        round_ms,
        genesis_ms,
        mixer,
        mixer_signature,
        master,
        identity,
        directory_length,
        directory_head: Head::read(input)?,
        directory_signature: input.array()?,
        restores: Restores::read(input, directory_length)?,
    })
}

fn write_page(page: &Page, out: &mut Writer<'_>) {
    let count = u8::try_from(page.records.len()).expect("a page has at most five records");
    assert!(usize::from(count) <= PAGE_RECORDS, "a page has at most five records");
    out.u32(page.from);
    out.u32(page.length);
    page.head.write(out);
    out.u8(count);
    out.bytes(&page.signature);
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
    let signature = input.array()?;
    let records = (0..count).map(|_| Record::read(input)).collect::<Result<_, _>>()?;
    Ok(Page { from, length, head, signature, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_signs_the_length_after_its_last_record() {
        let head = Head([7; crate::size::HASH]);
        let record = Record {
            name: "ann".parse().unwrap(),
            signing: PublicKey([1; 33]),
            agreement: PublicKey([2; 33]),
            signature: [3; SIGNATURE],
        };
        let page = |from, count| Page {
            from,
            length: 99,
            head,
            signature: [0; SIGNATURE],
            records: vec![record; count],
        };
        assert_eq!(page(10, 5).signed(), head_signed(15, &head));
        assert_eq!(page(15, 0).signed(), head_signed(15, &head));
        assert_eq!(page(u32::MAX, 5).signed(), head_signed(u32::MAX, &head), "no overflow");
    }
}
