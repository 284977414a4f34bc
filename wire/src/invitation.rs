//! The invitation: how somebody is called who does not expect it, in one message of 240 bytes.
//!
//! ```text
//! key 33 · sealed box (IV 16 · box 144 · tag 32) · padding 15
//! box: version 1 · flags 1 · reserved 2 · directory index 4 · first round 8 · caller 32 · secret 32 · signature 64
//! ```
//!
//! After the first message of Noise's IK pattern (Perrin 2018), over P-256: the box is sealed under the agreement of the
//! ephemeral key with the long-term one of the person called, and the caller's identity is inside. What a call goes by is
//! a secret in the box, not the ephemeral key: so the same call goes out again in bytes that nobody else can know again.

use crate::VERSION;
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::dial::SealedInvitation;
use crate::ids::{AccountIndex, IdentityHash, Round};
use crate::kdf::Secret;
use crate::public_key::PublicKey;
use crate::size::{INVITATION, INVITATION_BOX, PUBLIC_KEY, SEALED_OVERHEAD, SIGNATURE};

/// What is inside the box, 144 bytes.
pub struct Invitation {
    /// The caller's place in the directory.
    pub index: AccountIndex,
    /// First round that the call's root serves: the one in which the invitation was made.
    pub first: Round,
    /// The caller's identity.
    pub caller: IdentityHash,
    /// What the root of the call comes from, beside both long-term keys.
    pub secret: Secret,
    /// ECDSA P-256 by the caller over everything above and the identity of the person called.
    pub signature: [u8; SIGNATURE],
}

impl Invitation {
    /// Returns what the signature is over, beside its context: everything before it, 80 bytes.
    pub fn signed_part(encoded: &[u8; INVITATION_BOX]) -> &[u8] {
        &encoded[..INVITATION_BOX - SIGNATURE]
    }
}

impl Wire for Invitation {
    const SIZE: usize = INVITATION_BOX;

    fn write(&self, out: &mut Writer<'_>) {
        out.u8(VERSION);
        out.zeros(3);
        out.u32(self.index.0);
        out.u64(self.first.0);
        self.caller.write(out);
        out.bytes(self.secret.expose());
        out.bytes(&self.signature);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = input.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        input.zeros(3, "flags")?;
        Ok(Self {
            index: AccountIndex(input.u32()?),
            first: Round(input.u64()?),
            caller: IdentityHash::read(input)?,
            secret: Secret::new(input.array()?),
            signature: input.array()?,
        })
    }
}

/// Bytes of the sealed box.
pub const SEALED: usize = INVITATION_BOX + SEALED_OVERHEAD;

impl SealedInvitation {
    /// Puts an invitation together; `padding` is random.
    pub fn new(
        key: &PublicKey,
        sealed: &[u8; SEALED],
        padding: &[u8; INVITATION - PUBLIC_KEY - SEALED],
    ) -> Self {
        let mut invitation = Self([0; INVITATION]);
        let (front, back) = invitation.0.split_at_mut(PUBLIC_KEY);
        front.copy_from_slice(&key.0);
        back[..SEALED].copy_from_slice(sealed);
        back[SEALED..].copy_from_slice(padding);
        invitation
    }

    /// Returns the ephemeral key and the sealed box; `None` if it begins with no key.
    pub fn parts(&self) -> Option<(PublicKey, &[u8])> {
        let key = PublicKey::decode(&self.0[..PUBLIC_KEY]).ok()?;
        Some((key, &self.0[PUBLIC_KEY..PUBLIC_KEY + SEALED]))
    }
}
