//! The profile key, and the names that it gives to things.

use wire::ids::{IdentityHash, MessageId};
use wire::kdf::{Label, Secret};
use wire::size::HASH;

const PROFILE: Label = Label("iirs 1 profile key");
const PEER: Label = Label("iirs 1 profile peer");
const MESSAGE: Label = Label("iirs 1 profile message");

/// Seals and names everything in one profile; another copy of the account's profile has another.
pub(super) struct ProfileKey(Secret);

/// Stands for a peer in keys of the database, 32 bytes: HMAC over his identity.
pub(super) type PeerTag = [u8; HASH];

/// Stands for a message of ours in keys of the database, 32 bytes: HMAC over its id.
pub(super) type MessageTag = [u8; HASH];

impl ProfileKey {
    /// Derives the key of the profile with this salt.
    pub(super) fn new(master: &Secret, salt: &[u8; 16]) -> Self {
        Self(master.derive(PROFILE, &[salt]))
    }

    pub(super) fn peer_tag(&self, peer: &IdentityHash) -> PeerTag {
        *self.0.hmac(PEER, &[&peer.0]).expose()
    }

    pub(super) fn message_tag(&self, id: &MessageId) -> MessageTag {
        *self.0.hmac(MESSAGE, &[&id.0]).expose()
    }

    /// Shows the key, to seal with it.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }
}
