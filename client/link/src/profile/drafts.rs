//! What is being written to somebody and not sent yet.

use wire::ids::Name;

use super::ProfileError;
use super::data::Data;
use super::row::{DraftRow, Table};

/// Most people to whom something is drafted.
pub const DRAFTS_MAX: u64 = 1024;

/// Keeps a draft in place of the one before; an empty one is removed. Durable on return.
pub(super) fn keep(data: &Data, peer: &Name, text: &str) -> Result<(), ProfileError> {
    let key = data.key().name_tag(peer);
    let rows = data.write(true)?;
    if text.is_empty() {
        rows.remove::<DraftRow>(&key)?;
        return rows.commit();
    }
    if rows.get::<DraftRow>(&key)?.is_none() && rows.count(Table::Drafts)? >= DRAFTS_MAX {
        return Err(ProfileError::TooMany("1,024 drafts"));
    }
    rows.put(&key, &DraftRow { peer: peer.to_string(), text: text.to_owned() })?;
    rows.commit()
}

/// Returns every draft with whom it is to, by name.
pub(super) fn all(data: &Data) -> Result<Vec<(String, String)>, ProfileError> {
    let mut drafts: Vec<_> =
        data.all::<DraftRow>()?.into_iter().map(|DraftRow { peer, text }| (peer, text)).collect();
    drafts.sort();
    Ok(drafts)
}
