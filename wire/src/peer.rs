//! The peer message: the 432 bytes that two people exchange inside a cell.
//!
//! ```text
//! signature 64 · version 1 · kind 1 · flags 2 · epoch 4 · next 33 · seen 8 · seq 4 · ack 4 · sack 4
//! · fragment index 2 · count 2 · sent ms 8 · length 2 · reserved 1 · payload 292
//! ```

use crate::VERSION;
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::public_key::PublicKey;
use crate::size::{FRAGMENTS_MAX, PEER_MESSAGE, PEER_PAYLOAD, SIGNATURE};

/// What a peer message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Epoch 0: offers a session half, carries no text.
    Hello = 1,
    /// Epoch 1 and later: carries text, acknowledgements and the next key.
    Data = 2,
}

/// Flag: the sender has something that is not acknowledged, so the conversation stays hot.
pub const FLAG_UNSENT: u16 = 1;

/// What one side says to the other in one round.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerMessage {
    /// ECDSA P-256 over everything else in the message and its context.
    pub signature: [u8; SIGNATURE],
    /// Hello or data.
    pub kind: Kind,
    /// Bits, see [`FLAG_UNSENT`]; unknown bits are kept and ignored.
    pub flags: u16,
    /// 0 in a hello, else the epoch whose key seals the cell.
    pub epoch: u32,
    /// Hello: the sender's session half; data: the sender's key for the next epoch.
    pub next: PublicKey,
    /// First 8 bytes of SHA-256 of the peer's `next`, or zeros while it is unknown.
    pub seen: [u8; 8],
    /// Number of the fragment within the session, counted from 0.
    pub seq: u32,
    /// Fragments below this number are acknowledged.
    pub ack: u32,
    /// Bit i acknowledges the fragment `ack + 1 + i`.
    pub sack: u32,
    /// Which fragment of its message this is, counted from 0.
    pub index: u16,
    /// Fragments of the message, 0 if the cell carries none.
    pub count: u16,
    /// When the message was written, in milliseconds since 1970, by the sender's clock.
    pub sent_ms: u64,
    /// What is carried, at most 292 bytes; the rest of the payload is zeros.
    pub payload: Payload,
}

/// Up to 292 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    length: u16,
    bytes: [u8; PEER_PAYLOAD],
}

impl Payload {
    /// Returns an empty payload.
    pub fn empty() -> Self {
        Self { length: 0, bytes: [0; PEER_PAYLOAD] }
    }

    /// Takes over at most 292 bytes; `None` if there are more.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut payload = Self::empty();
        payload.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        payload.length = u16::try_from(bytes.len()).ok()?;
        Some(payload)
    }

    /// Returns the bytes carried.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl PeerMessage {
    /// Returns what the signature is over, beside its context: everything behind it, 368 bytes.
    pub fn signed_part(encoded: &[u8; PEER_MESSAGE]) -> &[u8] {
        &encoded[SIGNATURE..]
    }
}

impl Wire for PeerMessage {
    const SIZE: usize = PEER_MESSAGE;

    fn write(&self, out: &mut Writer<'_>) {
        out.bytes(&self.signature);
        out.u8(VERSION);
        out.u8(self.kind as u8);
        out.u16(self.flags);
        out.u32(self.epoch);
        self.next.write(out);
        out.bytes(&self.seen);
        out.u32(self.seq);
        out.u32(self.ack);
        out.u32(self.sack);
        out.u16(self.index);
        out.u16(self.count);
        out.u64(self.sent_ms);
        out.u16(self.payload.length);
        out.u8(0);
        out.bytes(&self.payload.bytes);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let signature = input.array()?;
        let version = input.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let kind = match input.u8()? {
            1 => Kind::Hello,
            2 => Kind::Data,
            other => return Err(DecodeError::Kind(other)),
        };
        let flags = input.u16()?;
        let epoch = input.u32()?;
        if (kind == Kind::Hello) != (epoch == 0) {
            return Err(DecodeError::Field("epoch"));
        }
        let next = PublicKey::read(input)?;
        let (seen, seq, ack, sack) = (input.array()?, input.u32()?, input.u32()?, input.u32()?);
        let (index, count) = (input.u16()?, input.u16()?);
        let in_range = if count == 0 { index == 0 } else { index < count };
        if !in_range || usize::from(count) > FRAGMENTS_MAX || (kind == Kind::Hello && count > 0) {
            return Err(DecodeError::Field("fragment"));
        }
        let sent_ms = input.u64()?;
        let payload = read_payload(input)?;
        Ok(Self {
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
    }
}

fn read_payload(input: &mut Reader<'_>) -> Result<Payload, DecodeError> {
    let length = input.u16()?;
    input.zeros(1, "reserved")?;
    let bytes = input.array::<PEER_PAYLOAD>()?;
    let rest = bytes.get(usize::from(length)..).ok_or(DecodeError::Field("length"))?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(DecodeError::Field("payload"));
    }
    Ok(Payload { length, bytes })
}
