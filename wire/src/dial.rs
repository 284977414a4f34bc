//! The dial slot: how people call each other without anybody seeing that they do.
//!
//! In every dial round ([`Round::has_dial`](crate::ids::Round::has_dial)) the last slot of a deposit
//! carries a [`Dial`] and the last slot of its reply a [`DialReply`], in the same sizes and the same layer
//! as ever. Who is called is named by a *bucket* only, which about a thousand accounts share, and all
//! readers of a bucket get the same reply.

use rand_core::CryptoRngCore;

use crate::codec::{DecodeError, Reader, Wire, Writer, wire_bytes};
use crate::ids::AccountIndex;
use crate::public_key::PublicKey;
use crate::size::{CELL, DEPOSIT, INVITATION, PUBLIC_KEY, WAKE_UP, WAKE_UPS};

/// Accounts that share a bucket, before their number doubles the buckets.
pub const BUCKET_ACCOUNTS: u32 = 1024;
/// Most buckets: those of as many accounts as count in 32 bits.
pub const BUCKETS_MAX: u32 = 1 << 22;

/// Dial rounds in which a wake-up is known again: the one that it is made for and the two after it, since one
/// deposit or two of its sender may be missing while it waits (decision 0013).
pub const WAKE_UP_VALID: u64 = 3;

const COVER: u32 = 0;
const CALL: u32 = 1;
const WAKE: u32 = 2;
/// Zeros between the bucket and the body, so that the body is where a cell would be.
const RESERVED: usize = 8;

wire_bytes! {
    /// Invitation to a conversation, 240 bytes that only the person called can open.
    SealedInvitation(INVITATION);
    /// Wake-up, 16 bytes that only two people can tell from random ones.
    WakeUp(WAKE_UP);
}

impl SealedInvitation {
    /// Makes what looks like an invitation to everybody and opens for nobody: a random point of the
    /// curve, then random bytes.
    pub fn noise(rng: &mut impl CryptoRngCore) -> Self {
        let mut noise = Self([0; INVITATION]);
        rng.fill_bytes(&mut noise.0);
        noise.0[..PUBLIC_KEY].copy_from_slice(&random_point(rng).0);
        noise
    }
}

impl WakeUp {
    /// Draws a wake-up that wakes nobody.
    pub fn noise(rng: &mut impl CryptoRngCore) -> Self {
        let mut noise = Self([0; WAKE_UP]);
        rng.fill_bytes(&mut noise.0);
        noise
    }
}

/// What a client deposits in the dial slot, 496 bytes like any other deposit slot.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart once a round, never stored")]
pub enum Dial {
    /// Calls nobody.
    Cover,
    /// Invites somebody whose account is in the bucket.
    Invitation {
        /// Bucket of the person called, below the number of buckets.
        bucket: u32,
        /// What that person opens.
        invitation: SealedInvitation,
    },
    /// Wakes a conversation with somebody whose account is in the bucket.
    WakeUp {
        /// Bucket of the person called, below the number of buckets.
        bucket: u32,
        /// What that person knows again.
        token: WakeUp,
    },
}

/// What every reader of a bucket gets in the reply to the dial slot, 480 bytes like any other cell.
#[derive(Clone, PartialEq, Eq)]
pub struct DialReply {
    /// The next invitation to somebody of the bucket, or noise.
    pub invitation: SealedInvitation,
    /// Wake-ups for people of the bucket, in no order, and noise in the places that are left.
    pub wake_ups: [WakeUp; WAKE_UPS],
}

impl DialReply {
    /// Makes the reply of a bucket where nobody is called.
    pub fn noise(rng: &mut impl CryptoRngCore) -> Self {
        let invitation = SealedInvitation::noise(rng);
        Self { invitation, wake_ups: std::array::from_fn(|_| WakeUp::noise(rng)) }
    }
}

/// Returns into how many buckets so many accounts are divided: a power of two, at least 1.
pub fn buckets(accounts: u32) -> u32 {
    accounts.div_ceil(BUCKET_ACCOUNTS).max(1).next_power_of_two()
}

/// Returns the bucket of an account, below `buckets`, which is a power of two.
///
/// When the buckets double from n to 2n, everybody of bucket b is in b or b + n.
pub fn bucket_of(index: AccountIndex, buckets: u32) -> u32 {
    index.0 & buckets.saturating_sub(1)
}

impl Wire for Dial {
    const SIZE: usize = DEPOSIT;

    fn write(&self, out: &mut Writer<'_>) {
        let (kind, bucket, body): (u32, u32, &[u8]) = match self {
            Self::Cover => (COVER, 0, &[]),
            Self::Invitation { bucket, invitation } => (CALL, *bucket, &invitation.0),
            Self::WakeUp { bucket, token } => (WAKE, *bucket, &token.0),
        };
        out.u32(kind);
        out.u32(bucket);
        out.zeros(RESERVED);
        out.bytes(body);
        out.zeros(CELL - body.len());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = input.u32()?;
        let bucket = input.u32()?;
        input.zeros(RESERVED, "reserved")?;
        let (dial, body) = match kind {
            COVER if bucket != 0 => return Err(DecodeError::Field("bucket")),
            COVER => (Self::Cover, 0),
            CALL => {
                let invitation = SealedInvitation::read(input)?;
                (Self::Invitation { bucket, invitation }, INVITATION)
            }
            WAKE => (Self::WakeUp { bucket, token: WakeUp::read(input)? }, WAKE_UP),
            _ => return Err(DecodeError::Field("kind")),
        };
        input.zeros(CELL - body, "padding")?;
        Ok(dial)
    }
}

impl Wire for DialReply {
    const SIZE: usize = CELL;

    fn write(&self, out: &mut Writer<'_>) {
        self.invitation.write(out);
        self.wake_ups.iter().for_each(|token| token.write(out));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let invitation = SealedInvitation::read(input)?;
        let mut wake_ups = [WakeUp([0; WAKE_UP]); WAKE_UPS];
        for token in &mut wake_ups {
            *token = WakeUp::read(input)?;
        }
        Ok(Self { invitation, wake_ups })
    }
}

/// Draws a point, each with the same probability, by drawing coordinates until one is on the curve,
/// which every second one is; less work than multiplying a scalar.
fn random_point(rng: &mut impl CryptoRngCore) -> PublicKey {
    loop {
        let mut key = PublicKey([0; PUBLIC_KEY]);
        rng.fill_bytes(&mut key.0);
        key.0[0] = 2 | (key.0[0] & 1);
        if key.parse().is_ok() {
            return key;
        }
    }
}

const _: () = assert!(size_of::<u32>() * 2 + RESERVED + CELL == DEPOSIT);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn buckets_hold_a_thousand_accounts_and_double() {
        let expected = [
            (0, 1),
            (1, 1),
            (1024, 1),
            (1025, 2),
            (2048, 2),
            (2049, 4),
            (4097, 8),
            (1_000_000, 1024),
            (u32::MAX, BUCKETS_MAX),
        ];
        for (accounts, count) in expected {
            assert_eq!(buckets(accounts), count, "{accounts} accounts");
        }
    }

    #[test]
    fn on_doubling_a_bucket_becomes_two() {
        for index in [0, 1, 2, 3, 1023, 1024, 5000, u32::MAX].map(AccountIndex) {
            assert_eq!(bucket_of(index, 1), 0);
            for before in (0..22).map(|power| 1 << power) {
                let (old, new) = (bucket_of(index, before), bucket_of(index, 2 * before));
                assert!(old < before && (new == old || new == old + before));
            }
        }
        assert_eq!(bucket_of(AccountIndex(7), 0), 0, "a count that nobody sends harms nobody");
    }

    #[test]
    fn noise_has_a_point_and_never_repeats() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut seen = BTreeSet::new();
        let mut tags = BTreeSet::new();
        for _ in 0..64 {
            let noise = DialReply::noise(&mut rng);
            let key = PublicKey(*noise.invitation.0.first_chunk().unwrap());
            assert!(key.parse().is_ok());
            tags.insert(key.0[0]);
            assert!(seen.insert(noise.invitation.0.to_vec()));
            assert!(noise.wake_ups.iter().all(|token| seen.insert(token.0.to_vec())));
        }
        assert_eq!(tags, [2, 3].into(), "both halves of the curve come up");
    }

    #[test]
    fn a_dial_has_one_encoding() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let cover = Dial::Cover.encode();
        let call = Dial::Invitation { bucket: 3, invitation: SealedInvitation::noise(&mut rng) };
        let call = call.encode();
        let wake = Dial::WakeUp { bucket: 3, token: WakeUp::noise(&mut rng) }.encode();
        for (valid, free) in [(&cover, 0..0), (&call, 16..256), (&wake, 16..32)] {
            let bucket = if valid == &cover { 4..4 } else { 4..8 };
            for byte in 0..valid.len() {
                let mut changed = valid.clone();
                changed[byte] ^= 0x40;
                let taken = free.contains(&byte) || bucket.contains(&byte);
                assert_eq!(Dial::decode(&changed).is_ok(), taken, "byte {byte}");
            }
        }
        let mut unknown = cover;
        for kind in 3..=u8::MAX {
            unknown[0] = kind;
            assert!(Dial::decode(&unknown).is_err(), "kind {kind}");
        }
    }
}
