//! Profiles of older versions, and how they become ones of this.
//!
//! - 1 had the tables up to `received`.
//! - 2 had those up to `records`. Its rows of the history were sealed under the profile key, with the rounds of our
//!   messages in them.
//! - 3 had those up to `waiting`.
//! - 4 had all tables. Its contacts were saved or changed here, never of a restore.
//!
//! Rows that are the same today are not repeated here; these are frozen.

use serde::{Deserialize, Serialize};
use wire::size::{HASH, MESSAGE_ID};

use super::ProfileError;
use super::data::{Data, Rows, damaged};
use super::key::Seal;
use super::row::{HistoryRow, ProgressRow, Table};
use super::value;

/// A message as version 1 and 2 kept it.
#[derive(Serialize, Deserialize)]
pub(super) enum OldHistoryRow {
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

/// Makes a profile of an older version into one of this, in one durable transaction: cut off, it is as it was.
pub(super) fn migrate(data: &Data, version: u32) -> Result<(), ProfileError> {
    let rows = data.write(true)?;
    rows.put_schema()?;
    if version < 3 {
        split_history(data, &rows)?;
    }
    rows.commit()
}

/// Puts each message of the history, and how far it is, into rows of their own.
fn split_history(data: &Data, rows: &Rows<'_>) -> Result<(), ProfileError> {
    // as it was before the transaction, which writes to the same table
    let history = data.table(Table::History)?;
    for entry in data.entries(&history)? {
        let (key, sealed) = entry?;
        let key = key.value();
        let place = [&Table::History.tag()[..], key];
        let old = value::open(rows.secret(Seal::Profile)?, place, sealed.value());
        let (row, progress) = split(old.ok_or_else(damaged::<HistoryRow>)?);
        rows.put(key, &row)?;
        if let Some(progress) = progress {
            rows.put(key, &progress)?;
        }
    }
    Ok(())
}

/// Takes apart what never changes and what does.
fn split(old: OldHistoryRow) -> (HistoryRow, Option<ProgressRow>) {
    match old {
        OldHistoryRow::Ours { peer, id, label, text, sent_ms, sent, delivered } => {
            let (sent, delivered) = (sent.unwrap_or_default(), delivered.unwrap_or_default());
            let row = HistoryRow::Ours { peer, id, label, text, sent_ms };
            (row, Some(ProgressRow { sent, delivered }))
        }
        OldHistoryRow::Theirs { peer, id, text, sent_ms, round } => {
            (HistoryRow::Theirs { peer, id, text, sent_ms, round }, None)
        }
    }
}
