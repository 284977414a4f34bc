//! Every length on the wire, in bytes, each derived from others and held by assertions.

/// UDP payload of every datagram after the handshake: the least that every QUIC path carries (RFC 9000,
/// section 14).
pub const PACKET: u16 = 1200;

/// Block of AES, and so the unit of everything that CBC encrypts without padding (FIPS 197).
pub const BLOCK: usize = 16;
/// Initialisation vector of CBC (NIST SP 800-38A).
pub const IV: usize = BLOCK;
/// Output of SHA-256 and tag of HMAC-SHA-256 (FIPS 180-4, RFC 2104).
pub const HASH: usize = 32;
/// Symmetric key of any purpose.
pub const KEY: usize = 32;
/// Compressed SEC1 point of P-256.
pub const PUBLIC_KEY: usize = 33;
/// Scalar of P-256.
pub const SECRET_KEY: usize = 32;
/// ECDSA signature over P-256, r followed by s.
pub const SIGNATURE: usize = 64;
/// What a sealed box adds to its plain text: IV and tag.
pub const SEALED_OVERHEAD: usize = IV + HASH;

/// Header of a client's round frame and of every control frame.
pub const HEADER: usize = 32;

/// Slots of a deposit that a server may choose from.
pub const SLOTS_MIN: u8 = 1;
/// See [`SLOTS_MIN`].
pub const SLOTS_MAX: u8 = 8;
/// Slots of a deposit unless the server chooses otherwise: the most that fit one packet.
pub const SLOTS_DEFAULT: u8 = 2;

/// Name of a dead drop.
pub const DROP_ID: usize = 16;
/// Fields of a peer message in front of its payload; [`crate::peer`] has them one by one.
pub const PEER_HEADER: usize =
    SIGNATURE + 1 + 1 + 2 + 4 + PUBLIC_KEY + 8 + 4 + 4 + 4 + 2 + 2 + 8 + 2 + 1;
/// Payload of a peer message.
pub const PEER_PAYLOAD: usize = 292;
/// Peer message: the plain text of a cell.
pub const PEER_MESSAGE: usize = PEER_HEADER + PEER_PAYLOAD;
/// Cell: one peer message in a sealed box.
pub const CELL: usize = PEER_MESSAGE + SEALED_OVERHEAD;
/// Deposit slot without its layer: drop id and cell.
pub const DEPOSIT: usize = DROP_ID + CELL;
/// Tag of a layer, HMAC-SHA-256 cut short.
pub const LAYER_TAG: usize = 16;
/// Slot of a deposit: drop id and cell inside one layer.
pub const DEPOSIT_SLOT: usize = DEPOSIT + LAYER_TAG;
/// Slot of a reply: a cell inside one layer.
pub const REPLY_SLOT: usize = CELL + LAYER_TAG;
/// Invitation of a dial slot: key, sealed box of 192 bytes, random padding.
pub const INVITATION: usize = 240;
/// Inside of an invitation's sealed box: version, flags, reserved, index, first round, caller, secret, signature.
pub const INVITATION_BOX: usize = 1 + 1 + 2 + 4 + 8 + HASH + KEY + SIGNATURE;
/// Wake-up of a dial slot: an HMAC-SHA-256 cut short.
pub const WAKE_UP: usize = 16;
/// Wake-ups in the reply to a dial slot, behind one invitation.
pub const WAKE_UPS: usize = 15;
/// What a server's header has beyond [`HEADER`] for each slot, so that both directions are of one size.
pub const SERVER_HEADER_PER_SLOT: usize = DROP_ID;

/// Round frame of `slots` slots, the same size both ways.
pub const fn round_frame(slots: u8) -> usize {
    HEADER + slots as usize * DEPOSIT_SLOT
}

/// Header of a server's round frame of `slots` slots.
pub const fn server_header(slots: u8) -> usize {
    HEADER + slots as usize * SERVER_HEADER_PER_SLOT
}

/// Body of a control frame.
pub const CONTROL_BODY: usize = 1024;
/// Control frame, the same size both ways.
pub const CONTROL_FRAME: usize = HEADER + CONTROL_BODY;

/// Longest account name.
pub const NAME_MAX: usize = 32;
/// Account name with its length in front.
pub const NAME: usize = 1 + NAME_MAX;
/// Public record of an account: name, both public keys, self-signature.
pub const RECORD: usize = NAME + 2 * PUBLIC_KEY + SIGNATURE;
/// Records on one page of the directory: as many as a control frame holds beside the page's signature.
pub const PAGE_RECORDS: usize = 5;
/// A restore notice: two times, length and head of the directory.
pub const RESTORE_NOTICE: usize = 8 + 8 + 4 + HASH;
/// Restore notices in a session.
pub const RESTORES_MAX: usize = 4;
/// Master key in its sealed box.
pub const SEALED_MASTER: usize = KEY + SEALED_OVERHEAD;
/// Signing and agreement secret in their sealed box.
pub const SEALED_IDENTITY: usize = 2 * SECRET_KEY + SEALED_OVERHEAD;
/// Session token.
pub const TOKEN: usize = 32;
/// Name of a session in a list of sessions, the front of its token's digest.
pub const SESSION_ID: usize = 8;
/// A session in a list of sessions: its id, two times, two flags.
pub const SESSION_INFO: usize = SESSION_ID + 8 + 8 + 1 + 1;
/// Sessions in one list.
pub const SESSIONS_MAX: usize = 8;
/// Code that lets somebody register.
pub const INVITE: usize = 10;
/// Control frames that a vault travels in.
pub const VAULT_PARTS: u8 = 3;
/// Vault: a person's list of contacts in a sealed box, as many bytes as its parts' bodies.
pub const VAULT: usize = VAULT_PARTS as usize * CONTROL_BODY;

/// Random name of a message, in front of its first fragment.
pub const MESSAGE_ID: usize = 8;
/// Longest text of a message, UTF-8.
pub const TEXT_MAX: usize = 16 * 1024;
/// Fragments of the longest message.
pub const FRAGMENTS_MAX: usize = (MESSAGE_ID + TEXT_MAX).div_ceil(PEER_PAYLOAD);

/// OPAQUE messages of the suite P-256, SHA-256 (RFC 9807): registration request.
pub const REGISTRATION_REQUEST: usize = PUBLIC_KEY;
/// Registration response: evaluated element and server public key.
pub const REGISTRATION_RESPONSE: usize = 2 * PUBLIC_KEY;
/// Envelope: nonce and tag.
pub const ENVELOPE: usize = 32 + HASH;
/// Registration upload: client public key, masking key, envelope.
pub const REGISTRATION_UPLOAD: usize = PUBLIC_KEY + HASH + ENVELOPE;
/// First login message: blinded element, nonce, ephemeral key.
pub const CREDENTIAL_REQUEST: usize = PUBLIC_KEY + 32 + PUBLIC_KEY;
/// Second login message: evaluated element, masking nonce, masked response, nonce, ephemeral key, tag.
pub const CREDENTIAL_RESPONSE: usize =
    PUBLIC_KEY + 32 + (PUBLIC_KEY + ENVELOPE) + 32 + PUBLIC_KEY + HASH;
/// Third login message: tag.
pub const CREDENTIAL_FINALIZATION: usize = HASH;

const _: () = {
    assert!(PEER_HEADER == 140);
    assert!(PEER_MESSAGE == 432 && PEER_MESSAGE.is_multiple_of(BLOCK));
    assert!(CELL == 480);
    assert!(DEPOSIT == 496 && DEPOSIT.is_multiple_of(BLOCK));
    assert!(CELL.is_multiple_of(BLOCK));
    assert!(DEPOSIT_SLOT == 512);
    assert!(REPLY_SLOT == 496);
    assert!(INVITATION + WAKE_UPS * WAKE_UP == CELL);
    assert!(SERVER_HEADER_PER_SLOT + REPLY_SLOT == DEPOSIT_SLOT);
    assert!(round_frame(1) == 544 && round_frame(2) == 1056 && round_frame(3) == 1568);
    assert!(server_header(2) + 2 * REPLY_SLOT == round_frame(2));
    assert!(CONTROL_FRAME == round_frame(2));
    assert!(FRAGMENTS_MAX == 57);
    assert!(INVITATION_BOX == 144 && INVITATION_BOX.is_multiple_of(BLOCK));
    assert!(PUBLIC_KEY + INVITATION_BOX + SEALED_OVERHEAD + 15 == INVITATION);
    assert!(RECORD == 163);
    assert!(SEALED_MASTER == 80 && SEALED_IDENTITY == 112);
    assert!(SESSION_INFO == 26 && SESSIONS_MAX * SESSION_INFO < CONTROL_BODY);
    assert!(RESTORE_NOTICE == 52);
    assert!(VAULT == 3072 && VAULT.is_multiple_of(BLOCK));
    assert!(4 + 4 + HASH + 1 + SIGNATURE + PAGE_RECORDS * RECORD <= CONTROL_BODY);
    // one 1200-byte packet: 1 + 8 (connection id) + 4 (number) + 16 (tag) + stream frame header <= 64
    assert!(round_frame(SLOTS_DEFAULT) + 64 <= PACKET as usize);
};
