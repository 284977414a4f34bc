//! The tables, and the row that lies in each.
//!
//! ```text
//! state      (empty)                        mark, token, next order, the server's clock and directory
//! peers      peer tag 32                    record of a peer, and whether the conversation is open
//! history    peer tag 32 · order 8          one message, ours or the peer's
//! pending    message tag 32                 where in the history an undelivered message of ours lies
//! received   peer tag 32                    the last ids received from a peer
//! ```
//!
//! The order counts messages of all conversations as they were written or arrived. Peer and message
//! tags are HMACs under the profile key.

use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::size::{HASH, MESSAGE_ID, TOKEN};
use zeroize::Zeroize;

use super::key::PeerTag;

/// The version of tables and rows together.
pub(super) const SCHEMA_VERSION: u32 = 1;

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
}

/// What lies in one table.
pub(super) trait Row: Serialize + DeserializeOwned {
    const TABLE: Table;
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
    Ours {
        peer: [u8; HASH],
        id: [u8; MESSAGE_ID],
        label: String,
        text: String,
        sent_ms: u64,
        sent: Option<u64>,
        delivered: Option<u64>,
    },
    Theirs {
        peer: [u8; HASH],
        id: [u8; MESSAGE_ID],
        text: String,
        sent_ms: u64,
        round: u64,
    },
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

impl Table {
    pub(super) const ALL: [Self; 5] =
        [Self::State, Self::Peers, Self::History, Self::Pending, Self::Received];

    pub(super) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            Self::State => "state",
            Self::Peers => "peers",
            Self::History => "history",
            Self::Pending => "pending",
            Self::Received => "received",
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
}

impl Row for PendingRow {
    const TABLE: Table = Table::Pending;
}

impl Row for ReceivedRow {
    const TABLE: Table = Table::Received;
}

/// Key of a message: peers apart, and each peer's messages in order.
pub(super) fn history_key(peer: &PeerTag, order: u64) -> [u8; HASH + 8] {
    let mut key = [0; HASH + 8];
    key[..HASH].copy_from_slice(peer);
    key[HASH..].copy_from_slice(&order.to_be_bytes());
    key
}
