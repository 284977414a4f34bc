//! Frames of the round stream: `join`, `deposit`, and the server's `round`.
//!
//! All three are [`size::round_frame`] bytes long, in both directions; nothing else ever goes over the
//! stream.

use crate::VERSION;
use crate::codec::{DecodeError, Reader, Wire, Writer};
use crate::dial::BUCKETS_MAX;
use crate::ids::Round;
use crate::public_key::PublicKey;
use crate::size::{
    self, DEPOSIT_SLOT, HEADER, PUBLIC_KEY, REPLY_SLOT, SERVER_HEADER_PER_SLOT, round_frame,
    server_header,
};

const JOIN: u8 = 1;
const DEPOSIT: u8 = 2;
const ROUND: u8 = 3;

/// A client's frame, read; slots are borrowed from the bytes.
pub enum ClientFrame<'a> {
    /// The first frame of the stream: asks for a seat.
    Join(Join),
    /// Every later frame: one deposit for one round.
    Deposit(Deposit<'a>),
}

/// Asks for a seat: header, the client's fresh key for the layer, zeros.
pub struct Join {
    /// Key that the layer is agreed with.
    pub key: PublicKey,
}

/// What a seat sends in a round: header, then layered slots of 512 bytes.
pub struct Deposit<'a> {
    /// Round that the deposit is for.
    pub round: Round,
    /// Slots, one behind the other.
    pub slots: &'a [u8],
}

impl<'a> ClientFrame<'a> {
    /// Reads a frame of a stream with `slots` slots.
    ///
    /// # Errors
    /// [`DecodeError`] for every other length, version, kind or number of slots.
    pub fn decode(bytes: &'a [u8], slots: u8) -> Result<Self, DecodeError> {
        check_length(bytes, slots)?;
        let (mut header, body) = (Reader::new(&bytes[..HEADER]), &bytes[HEADER..]);
        let kind = read_start(&mut header, slots)?;
        header.zeros(5, "reserved")?;
        let round = Round(header.u64()?);
        header.zeros_to_end("reserved")?;
        match kind {
            JOIN => {
                if round != Round::NONE {
                    return Err(DecodeError::Field("round"));
                }
                let mut body = Reader::new(body);
                let key = PublicKey::read(&mut body)?;
                body.zeros_to_end("padding")?;
                Ok(Self::Join(Join { key }))
            }
            DEPOSIT => Ok(Self::Deposit(Deposit { round, slots: body })),
            other => Err(DecodeError::Kind(other)),
        }
    }
}

impl Join {
    /// Returns the frame for a stream with `slots` slots.
    pub fn encode(&self, slots: u8) -> Vec<u8> {
        let mut frame = vec![0; round_frame(slots)];
        write_client_header(&mut frame, JOIN, slots, Round::NONE);
        frame[HEADER..HEADER + PUBLIC_KEY].copy_from_slice(&self.key.0);
        frame
    }
}

/// Makes a deposit frame of `slots` slots whose layered slots the caller fills in.
pub fn deposit_frame(round: Round, slots: u8) -> Vec<u8> {
    let mut frame = vec![0; round_frame(slots)];
    write_client_header(&mut frame, DEPOSIT, slots, round);
    frame
}

/// Returns the layered slots of a deposit frame, 512 bytes each.
pub fn deposit_slots_mut(frame: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    frame[HEADER..].chunks_exact_mut(DEPOSIT_SLOT)
}

/// What the server says in front of the replies, [`size::server_header`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHeader {
    /// Slots of the frame.
    pub slots: u8,
    /// Milliseconds until `open` closes.
    pub closes_ms: u32,
    /// Round that this frame opens.
    pub open: Round,
    /// Round that this frame answers; [`Round::NONE`] in the first frame of a seat.
    pub answered: Round,
    /// Seats in the round that opens.
    pub seats: u32,
    /// Records in the directory.
    pub directory_length: u32,
    /// Buckets of the dial slot in the round that opens: a power of two, at most
    /// [`BUCKETS_MAX`].
    pub buckets: u32,
}

impl ServerHeader {
    /// Writes the header at the front of a frame of its slots.
    ///
    /// # Panics
    /// If the frame has another length, which is a bug of the caller.
    pub fn write_to(&self, frame: &mut [u8]) {
        assert_eq!(frame.len(), round_frame(self.slots), "frame is of the header's slots");
        let mut out = Writer::new(&mut frame[..server_header(self.slots)]);
        write_start(&mut out, ROUND, self.slots);
        out.zeros(1);
        out.u32(self.closes_ms);
        out.u64(self.open.0);
        out.u64(self.answered.0);
        out.u32(self.seats);
        out.u32(self.directory_length);
        out.u32(self.buckets);
        out.zeros_to_end();
    }

    /// Reads the header and the replies, one 496-byte layered slot behind the other.
    ///
    /// # Errors
    /// [`DecodeError`] for every other length, version, kind or number of slots, and for buckets that
    /// cannot be.
    pub fn decode(frame: &[u8], slots: u8) -> Result<(Self, &[u8]), DecodeError> {
        check_length(frame, slots)?;
        let (header, replies) = frame.split_at(server_header(slots));
        let mut input = Reader::new(header);
        match read_start(&mut input, slots)? {
            ROUND => (),
            other => return Err(DecodeError::Kind(other)),
        }
        input.zeros(1, "reserved")?;
        let header = Self {
            slots,
            closes_ms: input.u32()?,
            open: Round(input.u64()?),
            answered: Round(input.u64()?),
            seats: input.u32()?,
            directory_length: input.u32()?,
            buckets: input.u32()?,
        };
        if !header.buckets.is_power_of_two() || header.buckets > BUCKETS_MAX {
            return Err(DecodeError::Field("buckets"));
        }
        input.zeros_to_end("reserved")?;
        Ok((header, replies))
    }
}

/// Returns the layered slots of a server's frame, 496 bytes each.
pub fn reply_slots_mut(frame: &mut [u8], slots: u8) -> impl Iterator<Item = &mut [u8]> {
    replies_mut(frame, slots).chunks_exact_mut(REPLY_SLOT)
}

/// Returns the layered slots of a server's frame, 496 bytes each, as they stand one behind the other.
pub fn replies_mut(frame: &mut [u8], slots: u8) -> &mut [u8] {
    &mut frame[server_header(slots)..]
}

fn check_length(bytes: &[u8], slots: u8) -> Result<(), DecodeError> {
    let expected = round_frame(slots);
    if bytes.len() == expected {
        Ok(())
    } else {
        Err(DecodeError::Length { expected, found: bytes.len() })
    }
}

fn write_client_header(frame: &mut [u8], kind: u8, slots: u8, round: Round) {
    let mut out = Writer::new(&mut frame[..HEADER]);
    write_start(&mut out, kind, slots);
    out.zeros(5);
    out.u64(round.0);
    out.zeros_to_end();
}

fn write_start(out: &mut Writer<'_>, kind: u8, slots: u8) {
    out.u8(VERSION);
    out.u8(kind);
    out.u8(slots);
}

fn read_start(input: &mut Reader<'_>, slots: u8) -> Result<u8, DecodeError> {
    let version = input.u8()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = input.u8()?;
    if input.u8()? != slots {
        return Err(DecodeError::Field("slots"));
    }
    Ok(kind)
}

const _: () = {
    // version, kind, slots, reserved, closes, open, answered, seats, directory, buckets
    assert!(1 + 1 + 1 + 1 + 4 + 8 + 8 + 4 + 4 + 4 <= HEADER + SERVER_HEADER_PER_SLOT);
    assert!(size::SLOTS_MIN >= 1);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_a_power_of_two_of_at_most_32_bits_of_accounts() {
        let round = Round(7);
        for (buckets, taken) in [0, 1, 2, 3, 6, 1 << 22, 1 << 23, 1 << 31, u32::MAX]
            .into_iter()
            .zip([false, true, true, false, false, true, false, false, false])
        {
            let header = ServerHeader {
                slots: 2,
                closes_ms: 2000,
                open: round.next(),
                answered: round,
                seats: 1,
                directory_length: 1,
                buckets,
            };
            let mut frame = vec![0; round_frame(2)];
            header.write_to(&mut frame);
            assert_eq!(ServerHeader::decode(&frame, 2).is_ok(), taken, "{buckets} buckets");
        }
    }
}
