//! What a client asks.

use super::{PULL_PAGES_MAX, read_header, write_header};
use crate::account::{SealedIdentity, SealedMaster, Stretching};
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::directory::Record;
use crate::ids::{Name, Token};
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

/// Registration, first step: name and OPAQUE's registration request.
pub struct RegisterStart {
    /// Name that is wanted.
    pub name: Name,
    /// RFC 9807 RegistrationRequest.
    pub request: [u8; REGISTRATION_REQUEST],
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

fn read_pull(input: &mut Reader<'_>) -> Result<Pull, DecodeError> {
    let (from, pages) = (input.u32()?, input.u8()?);
    if !(1..=PULL_PAGES_MAX).contains(&pages) {
        return Err(DecodeError::Field("pages"));
    }
    Ok(Pull { from, pages })
}
