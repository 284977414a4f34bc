//! The keys of a profile, and the names that the first gives to things.
//!
//! ```text
//! master key ─┬─► profile key     what the rounds need; in memory while the profile is open
//!             └─► history key     what people wrote; erased while the history is locked
//! random ──────► segment key     what is written meanwhile
//! ```

use rand_core::OsRng;
use wire::codec::Wire;
use wire::ids::{IdentityHash, MessageId, Name};
use wire::kdf::{Label, Secret};
use wire::size::{HASH, KEY};

const PROFILE: Label = Label("iirs 1 profile key");
const HISTORY: Label = Label("iirs 1 profile history key");
const NAME: Label = Label("iirs 1 profile name");
const PEER: Label = Label("iirs 1 profile peer");
const MESSAGE: Label = Label("iirs 1 profile message");

/// Seals and names everything in one profile; another copy of the account's profile has another.
pub(super) struct ProfileKey(Secret);

/// Seals what people wrote; comes from the password, by way of the master key, whenever the history is opened.
pub struct HistoryKey(Secret);

/// Seals what is written while the history is locked; kept on disk under the history key.
pub(super) struct SegmentKey(Secret);

/// What a row is sealed under.
#[derive(Clone, Copy)]
pub(super) enum Seal {
    /// The profile key.
    Profile,
    /// The history key.
    History,
    /// The key of what is written while the history is locked.
    Segment,
}

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

    /// Returns what stands for a name that something is drafted to, or whose history is forgotten, 32 bytes.
    pub(super) fn name_tag(&self, name: &Name) -> [u8; HASH] {
        *self.0.hmac(NAME, &[&name.encode()]).expose()
    }

    pub(super) fn message_tag(&self, id: &MessageId) -> MessageTag {
        *self.0.hmac(MESSAGE, &[&id.0]).expose()
    }

    /// Shows the key, to seal with it.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl HistoryKey {
    /// Derives the key of the history in the profile with this salt.
    pub(super) fn new(master: &Secret, salt: &[u8; 16]) -> Self {
        Self(master.derive(HISTORY, &[salt]))
    }

    /// Shows the key, to seal with it.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl SegmentKey {
    pub(super) fn random() -> Self {
        Self(Secret::random(&mut OsRng))
    }

    pub(super) fn new(bytes: [u8; KEY]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Shows the key, to seal with it or to keep it.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }
}
