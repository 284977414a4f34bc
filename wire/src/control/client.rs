//! What a client asks.

use super::{Header, PULL_PAGES_MAX, VaultGet, VaultPut};
use crate::account::{Invite, SealedIdentity, SealedMaster, Stretching};
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::Record;
use crate::ids::{Name, SessionId, Token};
use crate::size::{
    CONTROL_FRAME, CREDENTIAL_FINALIZATION, CREDENTIAL_REQUEST, PAGE_RECORDS, REGISTRATION_REQUEST,
    REGISTRATION_UPLOAD,
};

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
    /// Password change, first step.
    ChangeStart(ChangeStart),
    /// Password change, second step.
    ChangeFinish(Box<ChangeFinish>),
    /// Deletion of the account, first step.
    DeleteStart(DeleteStart),
    /// Deletion of the account, second step.
    DeleteFinish(Box<DeleteFinish>),
    /// Asks for the account's sessions.
    ListSessions,
    /// Ends a session of the account.
    EndSession(EndSession),
    /// Asks for a third of the vault.
    VaultGet(VaultGet),
    /// Brings a third of the next vault.
    VaultPut(Box<VaultPut>),
}

/// Reads one field group after the other; what is left of the body is zeros.
impl Wire for ClientControl {
    const SIZE: usize = CONTROL_FRAME;

    fn write(&self, out: &mut Writer<'_>) {
        self.header().write(out);
        match self {
            Self::Idle | Self::SignOut | Self::ListSessions | Self::VaultGet(_) => (),
            Self::RegisterStart(it) => {
                it.name.write(out);
                out.bytes(&it.request);
                it.invite.write(out);
            }
            Self::RegisterFinish(it) => it.write(out),
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
            Self::ChangeStart(it) => {
                out.bytes(&it.login);
                out.bytes(&it.registration);
            }
            Self::ChangeFinish(it) => it.write(out),
            Self::DeleteStart(it) => out.bytes(&it.login),
            Self::DeleteFinish(it) => {
                out.bytes(&it.finalization);
                it.record.write(out);
            }
            Self::EndSession(it) => it.id.write(out),
            Self::VaultPut(it) => out.bytes(&it.bytes),
        }
        out.zeros_to_end();
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Header::read(input)?;
        let control = match header.kind {
            0 => Self::Idle,
            1 => Self::RegisterStart(RegisterStart {
                name: Name::read(input)?,
                request: input.array()?,
                invite: Invite::read(input)?,
            }),
            2 => Self::RegisterFinish(Box::new(RegisterFinish::read(input)?)),
            3 => Self::LoginStart(LoginStart { name: Name::read(input)?, request: input.array()? }),
            4 => Self::LoginFinish(LoginFinish { finalization: input.array()? }),
            5 => Self::Resume(Resume { token: Token::read(input)? }),
            6 => Self::Pull(read_pull(input)?),
            7 => Self::SignOut,
            8 => Self::ChangeStart(ChangeStart {
                login: input.array()?,
                registration: input.array()?,
            }),
            9 => Self::ChangeFinish(Box::new(ChangeFinish::read(input)?)),
            10 => Self::DeleteStart(DeleteStart { login: input.array()? }),
            11 => Self::DeleteFinish(Box::new(DeleteFinish {
                finalization: input.array()?,
                record: Record::read(input)?,
            })),
            12 => Self::ListSessions,
            13 => Self::EndSession(EndSession { id: SessionId::read(input)? }),
            14 => Self::VaultGet(VaultGet::read(&header)?),
            15 => Self::VaultPut(Box::new(VaultPut::read(&header, input)?)),
            other => return Err(DecodeError::Kind(other)),
        };
        if control.header() != header {
            return Err(DecodeError::Field("reserved"));
        }
        input.zeros_to_end("padding")?;
        Ok(control)
    }
}

impl ClientControl {
    /// Returns the header, whose fields beside the kind only the vault uses.
    fn header(&self) -> Header {
        match self {
            Self::VaultGet(it) => it.header(self.kind()),
            Self::VaultPut(it) => it.header(self.kind()),
            _ => Header::of(self.kind()),
        }
    }

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
            Self::ChangeStart(_) => 8,
            Self::ChangeFinish(_) => 9,
            Self::DeleteStart(_) => 10,
            Self::DeleteFinish(_) => 11,
            Self::ListSessions => 12,
            Self::EndSession(_) => 13,
            Self::VaultGet(_) => 14,
            Self::VaultPut(_) => 15,
        }
    }
}

/// Registration, first step: name, OPAQUE's registration request, and a code if the server wants one.
pub struct RegisterStart {
    /// Name that is wanted.
    pub name: Name,
    /// RFC 9807 RegistrationRequest.
    pub request: [u8; REGISTRATION_REQUEST],
    /// Invitation code, [`Invite::NONE`] if there is none.
    pub invite: Invite,
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

/// Login, first step: name and OPAQUE's first message.
pub struct LoginStart {
    /// Account name.
    pub name: Name,
    /// RFC 9807 KE1.
    pub request: [u8; CREDENTIAL_REQUEST],
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

/// Password change, first step: a login with the old password, and a registration with the new one.
pub struct ChangeStart {
    /// RFC 9807 KE1, of the old password.
    pub login: [u8; CREDENTIAL_REQUEST],
    /// RFC 9807 RegistrationRequest, of the new password.
    pub registration: [u8; REGISTRATION_REQUEST],
}

/// Password change, second step: proof of the old password, and what replaces everything that hung on it.
pub struct ChangeFinish {
    /// RFC 9807 KE3, of the old password.
    pub finalization: [u8; CREDENTIAL_FINALIZATION],
    /// RFC 9807 RegistrationRecord, of the new password.
    pub upload: [u8; REGISTRATION_UPLOAD],
    /// Cost that the new password was stretched with.
    pub stretching: Stretching,
    /// Master key under the new export key.
    pub master: SealedMaster,
    /// Identity under the master key.
    pub identity: SealedIdentity,
}

/// Deletion of the account, first step: a login.
pub struct DeleteStart {
    /// RFC 9807 KE1.
    pub login: [u8; CREDENTIAL_REQUEST],
}

/// Deletion of the account, second step: proof of the password, and the log's last word on the account.
pub struct DeleteFinish {
    /// RFC 9807 KE3.
    pub finalization: [u8; CREDENTIAL_FINALIZATION],
    /// Made by [`Record::deletion`] with the account's name and signing key.
    pub record: Record,
}

/// Ends a session of the account: the server forgets its token and puts out its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSession {
    /// The session.
    pub id: SessionId,
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

impl RegisterFinish {
    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.upload);
        self.stretching.write(out);
        self.master.write(out);
        self.identity.write(out);
        self.record.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            upload: input.array()?,
            stretching: Stretching::read(input)?,
            master: SealedMaster::read(input)?,
            identity: SealedIdentity::read(input)?,
            record: Record::read(input)?,
        })
    }
}

impl ChangeFinish {
    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.finalization);
        out.bytes(&self.upload);
        self.stretching.write(out);
        self.master.write(out);
        self.identity.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            finalization: input.array()?,
            upload: input.array()?,
            stretching: Stretching::read(input)?,
            master: SealedMaster::read(input)?,
            identity: SealedIdentity::read(input)?,
        })
    }
}

fn read_pull(input: &mut Reader<'_>) -> Result<Pull, DecodeError> {
    let (from, pages) = (input.u32()?, input.u8()?);
    if !(1..=PULL_PAGES_MAX).contains(&pages) {
        return Err(DecodeError::Field("pages"));
    }
    Ok(Pull { from, pages })
}
