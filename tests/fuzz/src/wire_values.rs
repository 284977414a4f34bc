//! Everything of `wire` that is read: bytes that decode re-encode to themselves.

use wire::account::Invite;
use wire::codec::Wire;
use wire::control::{ClientControl, ServerControl};
use wire::dial::{Dial, DialReply};
use wire::directory::Record;
use wire::ids::Name;
use wire::invitation::Invitation;
use wire::link::Link;
use wire::peer::PeerMessage;
use wire::round::{ClientFrame, ServerHeader, deposit_frame, deposit_slots_mut};
use wire::size::{SLOTS_MAX, round_frame, server_header};

use crate::input::padded;

/// Decodes bytes, as they are and filled up with zeros.
fn holds<T: Wire>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != T::SIZE {
        assert!(T::decode(bytes).is_err(), "another length is refused");
    }
    let bytes = padded(bytes, T::SIZE);
    let value = T::decode(&bytes).ok()?;
    assert!(value.encode() == bytes, "what decodes re-encodes to itself");
    Some(value)
}

pub(crate) fn control_client(bytes: &[u8]) {
    holds::<ClientControl>(bytes);
}

pub(crate) fn control_server(bytes: &[u8]) {
    holds::<ServerControl>(bytes);
}

pub(crate) fn rounds(bytes: &[u8]) {
    let Some((slots, bytes)) = bytes.split_first() else { return };
    let slots = 1 + slots % SLOTS_MAX;
    client_frame(bytes, slots);
    client_frame(&padded(bytes, deposit_frame(wire::ids::Round(1), slots).len()), slots);
    let read = ServerHeader::decode(bytes, slots);
    assert!(read.is_err() || bytes.len() == round_frame(slots), "another length is refused");
    let frame = padded(bytes, round_frame(slots));
    if let Ok((header, replies)) = ServerHeader::decode(&frame, slots) {
        let mut again = frame.clone();
        header.write_to(&mut again);
        assert!(again == frame && server_header(slots) + replies.len() == frame.len());
    }
}

fn client_frame(bytes: &[u8], slots: u8) {
    match ClientFrame::decode(bytes, slots) {
        Ok(ClientFrame::Join(join)) => assert!(join.encode(slots) == bytes),
        Ok(ClientFrame::Deposit(deposit)) => {
            let mut frame = deposit_frame(deposit.round, slots);
            let mut rest = deposit.slots;
            for slot in deposit_slots_mut(&mut frame) {
                let (front, behind) = rest.split_at(slot.len());
                slot.copy_from_slice(front);
                rest = behind;
            }
            assert!(rest.is_empty() && frame == bytes);
        }
        Err(_) => (),
    }
}

pub(crate) fn dial(bytes: &[u8]) {
    holds::<Dial>(bytes);
    holds::<DialReply>(bytes);
    holds::<Invitation>(bytes);
}

pub(crate) fn directory(bytes: &[u8]) {
    if let Some(record) = holds::<Record>(bytes) {
        // Only who has the key makes one that verifies; what a server shows is hashed all the same.
        let _ = (record.verify(), record.identity(), record.is_deletion());
    }
    holds::<Name>(bytes);
}

pub(crate) fn peer(bytes: &[u8]) {
    if let Some(message) = holds::<PeerMessage>(bytes) {
        assert!(message.index < message.count.max(1), "a fragment is one of its message's");
    }
}

pub(crate) fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(link) = text.parse::<Link>() {
        assert!(link.to_string().parse::<Link>() == Ok(link));
    }
    if let Ok(name) = text.parse::<Name>() {
        // Capital letters are folded.
        assert!(name.as_str().parse::<Name>() == Ok(name));
    }
    if let Ok(invite) = text.parse::<Invite>() {
        assert!(invite.to_string().parse::<Invite>() == Ok(invite));
    }
    if let Ok(public) = text.parse::<server::config::Public>() {
        assert!(public.to_string().parse() == Ok(public));
    }
}
