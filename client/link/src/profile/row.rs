//! The tables, and the row that lies in each.
//!
//! ```text
//! state      (empty)                        mark, token, next order, the server's clock and directory
//! peers      peer tag 32                    record of a peer, and whether the conversation is open
//! history    peer tag 32 · order 8          one message, ours or the peer's; never changed
//! progress   peer tag 32 · order 8          how far a message of ours is
//! pending    message tag 32                 where in the history an undelivered message of ours lies
//! received   peer tag 32                    the last ids received from a peer
//! contacts   peer tag 32                    record of a contact or of who is blocked, and how he stands
//! roots      peer tag 32                    the root of a contact's conversation
//! declined   peer tag 32                    the round until which a caller's calls are not told
//! vault      (empty)                        the highest versions of the vault that were seen and used
//! records    block 4                        24 records of the server's directory, and the head before them
//! identity   (empty)                        the account's identity, as the server keeps it
//! drafts     name tag 32                    what is being written to somebody
//! forgetful  name tag 32                    whose history is deleted when the program ends
//! segment    (empty)                        the key of what waits
//! restores   (empty)                        up to which the server's restores are taken and told
//! waiting    peer tag 32 · order 8          a message that came or was written while the history is locked
//! ```
//!
//! The order counts messages of all conversations as they were written or arrived. Peer, message and name
//! tags are HMACs under the profile key. Blocks are numbered from 0, big-endian; all but the last are full.
//! `history`, `drafts` and `segment` are sealed under the history key, `waiting` under the key in `segment`, all else
//! under the profile key.
//!
//! Older versions are in `old.rs`.

use client_core::record::Unsaved;
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::ids::Round;
use wire::size::{HASH, KEY, MESSAGE_ID, TOKEN};
use zeroize::Zeroize;

use super::key::{PeerTag, Seal};
use super::value::Padding;

/// The version of tables and rows together.
pub(super) const SCHEMA_VERSION: u32 = 5;

/// Holds the schema version under [`SCHEMA_KEY`], in clear, so that a newer one is recognised.
pub(super) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
pub(super) const SCHEMA_KEY: &str = "schema";

/// A table of the database; the key of a row has one size in each.
#[derive(Clone, Copy)]
pub(super) enum Table {
    State,
    Peers,
    History,
    Pending,
    Received,
    Contacts,
    Roots,
    Declined,
    Vault,
    Records,
    Progress,
    Identity,
    Drafts,
    Forgetful,
    Segment,
    Waiting,
    Restores,
}

/// What lies in one table.
pub(super) trait Row: Serialize + DeserializeOwned {
    const TABLE: Table;
    const PADDING: Padding = Padding::PowerOfTwo;
    const SEAL: Seal = Seal::Profile;
}

/// The profile's only row of its kind; its key is empty.
#[derive(Default, Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
pub(super) struct StateRow {
    pub(super) mark: u64,
    pub(super) token: Option<[u8; TOKEN]>,
    pub(super) next_order: u64,
    /// Genesis and length of a round, in milliseconds.
    pub(super) clock: Option<(u64, u32)>,
    /// Length and head.
    pub(super) directory: Option<(u32, [u8; HASH])>,
}

/// A peer's directory record as its 163 bytes; the key is the peer's tag.
#[derive(Serialize, Deserialize)]
pub(super) struct PeerRow {
    pub(super) record: Vec<u8>,
    pub(super) open: bool,
}

/// A message; the key is made by [`history_key`].
#[derive(Serialize, Deserialize)]
pub(super) enum HistoryRow {
    Ours { peer: [u8; HASH], id: [u8; MESSAGE_ID], label: String, text: String, sent_ms: u64 },
    Theirs { peer: [u8; HASH], id: [u8; MESSAGE_ID], text: String, sent_ms: u64, round: u64 },
}

/// A message that came or was written while the history was locked; the key is the one that it has in the history.
#[derive(Serialize, Deserialize)]
pub(super) struct WaitingRow(pub(super) HistoryRow);

/// Rounds of a message of ours, 0 for none; the key is the message's.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct ProgressRow {
    /// In which its last fragment first went out.
    pub(super) sent: u64,
    /// In which it was known to be delivered.
    pub(super) delivered: u64,
}

/// An undelivered message of ours; the key is its tag.
#[derive(Serialize, Deserialize)]
pub(super) struct PendingRow {
    pub(super) peer: [u8; HASH],
    pub(super) order: u64,
}

/// Ids received from a peer, oldest first; the key is the peer's tag.
#[derive(Serialize, Deserialize)]
pub(super) struct ReceivedRow {
    pub(super) peer: [u8; HASH],
    pub(super) ids: Vec<[u8; MESSAGE_ID]>,
}

/// Somebody who is or was a contact, or is blocked; the key is his tag.
#[derive(Serialize, Deserialize)]
pub(super) struct ContactRow {
    /// The record as its 163 bytes.
    pub(super) record: Vec<u8>,
    pub(super) index: u32,
    pub(super) verified: bool,
    pub(super) blocked: bool,
    pub(super) forgotten: bool,
    /// What [`Self::unsaved_byte`] makes of it.
    pub(super) unsaved: u8,
}

/// The root of a contact's conversation; the key is the contact's tag.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
pub(super) struct RootRow {
    pub(super) peer: [u8; HASH],
    pub(super) caller: [u8; HASH],
    pub(super) first: u64,
    pub(super) heard: bool,
    pub(super) hello: [u8; KEY],
    pub(super) outer: [u8; KEY],
    pub(super) steps: u32,
}

/// A caller who was declined; the key is his tag.
#[derive(Serialize, Deserialize)]
pub(super) struct DeclinedRow {
    pub(super) peer: [u8; HASH],
    pub(super) until: u64,
}

/// The profile's only row of its kind; its key is empty.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct VaultRow {
    /// Highest one that was seen.
    pub(super) version: u64,
    /// Highest one that may have been written.
    pub(super) used: u64,
}

/// The account's identity as the server keeps it, sealed under the master key; its key is empty.
#[derive(Serialize, Deserialize)]
pub(super) struct IdentityRow {
    /// 112 bytes.
    pub(super) sealed: Vec<u8>,
}

/// What is being written to somebody; the key is the name's tag.
#[derive(Serialize, Deserialize)]
pub(super) struct DraftRow {
    pub(super) peer: String,
    pub(super) text: String,
}

/// Somebody whose history is deleted when the program ends; the key is the name's tag.
#[derive(Serialize, Deserialize)]
pub(super) struct ForgetfulRow {
    pub(super) peer: String,
    /// Those of the name whom no other row names any more.
    pub(super) identities: Vec<[u8; HASH]>,
}

/// The key of what waits; its own key is empty.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
pub(super) struct SegmentRow {
    pub(super) key: [u8; KEY],
}

/// How far the server's restores are known, by their times in milliseconds since 1970, 0 for none; its key is empty.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct RestoresRow {
    pub(super) taken: u64,
    pub(super) told: u64,
    pub(super) dropped: u64,
}

/// Records of the directory in its order, 163 bytes each; the key is the block's number.
///
/// With its box, a full block fills one page of the database.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct BlockRow {
    /// Head of the chain before the first record.
    pub(super) before: [u8; HASH],
    pub(super) records: Vec<u8>,
}

impl ContactRow {
    /// Returns the byte for why a contact is unsaved; 0 and 1 mean what no and yes did up to version 4.
    pub(super) fn unsaved_byte(unsaved: Option<Unsaved>) -> u8 {
        match unsaved {
            None => 0,
            Some(Unsaved::Changed) => 1,
            Some(Unsaved::Restored) => 2,
        }
    }

    /// Returns why the contact is unsaved, if it is; nothing of a byte that means nothing.
    pub(super) fn unsaved(&self) -> Option<Option<Unsaved>> {
        match self.unsaved {
            0 => Some(None),
            1 => Some(Some(Unsaved::Changed)),
            2 => Some(Some(Unsaved::Restored)),
            3.. => None,
        }
    }
}

impl ProgressRow {
    pub(super) fn sent(self) -> Option<Round> {
        known(self.sent)
    }

    pub(super) fn delivered(self) -> Option<Round> {
        known(self.delivered)
    }
}

fn known(round: u64) -> Option<Round> {
    (round != Round::NONE.0).then_some(Round(round))
}

impl Table {
    pub(super) const ALL: [Self; 17] = [
        Self::State,
        Self::Peers,
        Self::History,
        Self::Pending,
        Self::Received,
        Self::Contacts,
        Self::Roots,
        Self::Declined,
        Self::Vault,
        Self::Records,
        Self::Progress,
        Self::Identity,
        Self::Drafts,
        Self::Forgetful,
        Self::Segment,
        Self::Waiting,
        Self::Restores,
    ];

    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            Self::State => "state",
            Self::Peers => "peers",
            Self::History => "history",
            Self::Pending => "pending",
            Self::Received => "received",
            Self::Contacts => "contacts",
            Self::Roots => "roots",
            Self::Declined => "declined",
            Self::Vault => "vault",
            Self::Records => "records",
            Self::Progress => "progress",
            Self::Identity => "identity",
            Self::Drafts => "drafts",
            Self::Forgetful => "forgetful",
            Self::Segment => "segment",
            Self::Waiting => "waiting",
            Self::Restores => "restores",
        })
    }

    /// Returns what binds a box to the table, 1 byte.
    pub(super) fn tag(self) -> [u8; 1] {
        [match self {
            Self::State => 1,
            Self::Peers => 2,
            Self::History => 3,
            Self::Pending => 4,
            Self::Received => 5,
            Self::Contacts => 6,
            Self::Roots => 7,
            Self::Declined => 8,
            Self::Vault => 9,
            Self::Records => 10,
            Self::Progress => 11,
            Self::Identity => 12,
            Self::Drafts => 13,
            Self::Forgetful => 14,
            Self::Segment => 15,
            Self::Waiting => 16,
            Self::Restores => 17,
        }]
    }

    /// Names the table in an error.
    pub(super) fn damaged(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Peers => "peers",
            Self::History => "history",
            Self::Pending => "unsent messages",
            Self::Received => "received ids",
            Self::Contacts => "contacts",
            Self::Roots => "roots",
            Self::Declined => "declined calls",
            Self::Vault => "vault",
            Self::Records => "directory",
            Self::Progress => "states of messages",
            Self::Identity => "identity",
            Self::Drafts => "drafts",
            Self::Forgetful => "whose history is forgotten",
            Self::Segment => "key of what came while locked",
            Self::Waiting => "what came while locked",
            Self::Restores => "restores",
        }
    }
}

impl Row for StateRow {
    const TABLE: Table = Table::State;
}

impl Row for PeerRow {
    const TABLE: Table = Table::Peers;
}

impl Row for HistoryRow {
    const TABLE: Table = Table::History;
    const SEAL: Seal = Seal::History;
}

impl Row for WaitingRow {
    const TABLE: Table = Table::Waiting;
    const SEAL: Seal = Seal::Segment;
}

impl Row for ProgressRow {
    const TABLE: Table = Table::Progress;
    // all are as long
    const PADDING: Padding = Padding::Block;
}

impl Row for IdentityRow {
    const TABLE: Table = Table::Identity;
}

impl Row for DraftRow {
    const TABLE: Table = Table::Drafts;
    const SEAL: Seal = Seal::History;
}

impl Row for ForgetfulRow {
    const TABLE: Table = Table::Forgetful;
}

impl Row for SegmentRow {
    const TABLE: Table = Table::Segment;
    const SEAL: Seal = Seal::History;
}

impl Row for RestoresRow {
    const TABLE: Table = Table::Restores;
}

impl Row for PendingRow {
    const TABLE: Table = Table::Pending;
}

impl Row for ReceivedRow {
    const TABLE: Table = Table::Received;
}

impl Row for ContactRow {
    const TABLE: Table = Table::Contacts;
}

impl Row for RootRow {
    const TABLE: Table = Table::Roots;
}

impl Row for DeclinedRow {
    const TABLE: Table = Table::Declined;
}

impl Row for VaultRow {
    const TABLE: Table = Table::Vault;
}

impl Row for BlockRow {
    const TABLE: Table = Table::Records;
    // how long the directory is shows anyway, and is no secret
    const PADDING: Padding = Padding::Block;
}

/// Key of a message: peers apart, and each peer's messages in order.
pub(super) fn history_key(peer: &PeerTag, order: u64) -> [u8; HASH + 8] {
    let mut key = [0; HASH + 8];
    key[..HASH].copy_from_slice(peer);
    key[HASH..].copy_from_slice(&order.to_be_bytes());
    key
}
