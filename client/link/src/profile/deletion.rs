//! What is deleted of the history: what somebody asks for, and at the end of the program what he chose before. What
//! is not delivered stays until it is.
//!
//! Nothing is opened for that, so it needs no key of the history.

use std::collections::BTreeSet;

use wire::codec::Wire;
use wire::directory::Record;
use wire::ids::{IdentityHash, Name};
use wire::size::HASH;

use super::ProfileError;
use super::data::{Data, Rows};
use super::row::{ContactRow, ForgetfulRow, PeerRow, PendingRow, Table, history_key};

/// Most people whose history is deleted when the program ends.
pub const FORGETFUL_MAX: u64 = 1024;

/// Most identities of one name that are kept for that.
const IDENTITIES_MAX: usize = 64;

/// Tables with a row for each message.
const OF_MESSAGES: [Table; 3] = [Table::History, Table::Progress, Table::Waiting];

/// Deletes the history with some people, or all of it. Durable on return.
pub(super) fn delete(data: &Data, peers: Option<&[IdentityHash]>) -> Result<(), ProfileError> {
    let undelivered = undelivered(data)?;
    let rows = data.write(true)?;
    match peers {
        None => remove(&rows, [&[0; HASH], &[u8::MAX; HASH]], &undelivered)?,
        Some(peers) => peers.iter().try_for_each(|peer| {
            let tag = rows.key().peer_tag(peer);
            remove(&rows, [&tag, &tag], &undelivered)
        })?,
    }
    rows.commit()
}

/// Chooses whether the history under a name is deleted when the program ends. Durable on return.
pub(super) fn choose(
    data: &Data,
    peer: &Name,
    identity: Option<IdentityHash>,
    forget: bool,
) -> Result<(), ProfileError> {
    let key = data.key().name_tag(peer);
    let rows = data.write(true)?;
    if !forget {
        rows.remove::<ForgetfulRow>(&key)?;
        return rows.commit();
    }
    let known = rows.get::<ForgetfulRow>(&key)?;
    if known.is_none() && rows.count(Table::Forgetful)? >= FORGETFUL_MAX {
        return Err(ProfileError::TooMany("1,024 people whose history is forgotten"));
    }
    let row = known.unwrap_or(ForgetfulRow { peer: peer.to_string(), identities: Vec::new() });
    rows.put(&key, &with(row, identity))?;
    rows.commit()
}

/// Notes whose history goes with a name, before the row that says so is removed.
pub(super) fn note(rows: &Rows<'_>, name: &Name, peer: IdentityHash) -> Result<(), ProfileError> {
    let key = rows.key().name_tag(name);
    match rows.get::<ForgetfulRow>(&key)? {
        Some(row) => rows.put(&key, &with(row, Some(peer))),
        None => Ok(()),
    }
}

/// Returns whose history is deleted when the program ends, by name.
pub(super) fn chosen(data: &Data) -> Result<Vec<String>, ProfileError> {
    let mut peers: Vec<_> = data.all::<ForgetfulRow>()?.into_iter().map(|row| row.peer).collect();
    peers.sort();
    Ok(peers)
}

/// Deletes what was chosen.
pub(super) fn forget(data: &Data) -> Result<(), ProfileError> {
    let chosen = data.all::<ForgetfulRow>()?;
    if chosen.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<_> = chosen.iter().map(|row| row.peer.as_str()).collect();
    let mut peers: Vec<_> = chosen.iter().flat_map(|row| &row.identities).copied().collect();
    let open = data.all::<PeerRow>()?.into_iter().map(|row| row.record);
    let contacts = data.all::<ContactRow>()?.into_iter().map(|row| row.record);
    for record in open.chain(contacts).filter_map(|record| Record::decode(&record).ok()) {
        if names.contains(record.name.as_str()) {
            peers.push(record.identity().0);
        }
    }
    peers.sort_unstable();
    peers.dedup();
    delete(data, Some(&peers.into_iter().map(IdentityHash).collect::<Vec<_>>()))
}

fn undelivered(data: &Data) -> Result<BTreeSet<Vec<u8>>, ProfileError> {
    let key = |row: PendingRow| {
        history_key(&data.key().peer_tag(&IdentityHash(row.peer)), row.order).to_vec()
    };
    Ok(data.all::<PendingRow>()?.into_iter().map(key).collect())
}

fn remove(
    rows: &Rows<'_>,
    [first, last]: [&[u8; HASH]; 2],
    undelivered: &BTreeSet<Vec<u8>>,
) -> Result<(), ProfileError> {
    let (first, last) = (history_key(first, 0), history_key(last, u64::MAX));
    OF_MESSAGES.into_iter().try_for_each(|table| {
        rows.remove_between(table, [&first, &last], |key| undelivered.contains(key))
    })
}

fn with(mut row: ForgetfulRow, identity: Option<IdentityHash>) -> ForgetfulRow {
    if let Some(IdentityHash(identity)) = identity
        && !row.identities.contains(&identity)
        && row.identities.len() < IDENTITIES_MAX
    {
        row.identities.push(identity);
    }
    row
}
