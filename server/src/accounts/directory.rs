//! The directory as clients get it: pages and heads, signed by the server's root key.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wire::codec::Wire as _;
use wire::control::{Page, Pull};
use wire::directory::{Head, Record, head_signed};
use wire::restore::{RestoreNotice, Restores, restores_signed};
use wire::size::{PAGE_RECORDS, SIGNATURE};

use super::Accounts;
use crate::identity::RootKey;
use crate::store::{DIRECTORY_MAX, Store as _, StoreError};

/// Signatures of heads that are kept: one for each full page of the longest directory, 13 MiB.
pub const SIGNATURES_MAX: usize = DIRECTORY_MAX as usize / PAGE_RECORDS;

/// The directory as it is when a session begins.
pub struct SignedHead {
    /// Records in the directory.
    pub length: u32,
    /// Head at that length.
    pub head: Head,
    /// The root key's signature over both.
    pub signature: [u8; SIGNATURE],
    /// The backups that the server was put back from, signed too.
    pub restores: Restores,
}

/// Signs heads of the directory, each once as long as it is asked for.
///
/// A head at a length never changes, so neither does its signature.
pub(super) struct Notary {
    root: RootKey,
    /// They stay the same while the server runs.
    restores: Restores,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By length / [`PAGE_RECORDS`] − 1; at most [`SIGNATURES_MAX`].
    full_pages: Vec<Option<[u8; SIGNATURE]>>,
    /// The last one of another length: while nobody registers, every session asks for it.
    other: Option<(u32, [u8; SIGNATURE])>,
}

impl Accounts {
    /// Returns the directory's length and head, signed. Reads from the disk and computes for about 0.3 ms,
    /// if nobody asked before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn directory(&self) -> Result<SignedHead, StoreError> {
        let length = self.store.directory_len();
        let head = self.head_at(length)?;
        let (signature, restores) = (self.notary.sign(length, &head), self.notary.restores.clone());
        Ok(SignedHead { length, head, signature, restores })
    }

    /// Reads the pages that a request asks for, exactly as many; those past the end are empty. A page ends
    /// at a multiple of [`PAGE_RECORDS`], wherever it begins, so that most were signed before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pages(&self, pull: Pull) -> Result<Vec<Page>, StoreError> {
        let length = self.store.directory_len();
        let mut from = pull.from.min(length);
        let mut pages = Vec::with_capacity(pull.pages.into());
        for _ in 0..pull.pages {
            let (page, until) = self.page(from, length)?;
            from = until;
            pages.push(page);
        }
        Ok(pages)
    }

    /// Reads the page at `from`; returns where it ends, too.
    fn page(&self, from: u32, length: u32) -> Result<(Page, u32), StoreError> {
        let most = PAGE_RECORDS - from as usize % PAGE_RECORDS;
        let entries = self.store.directory(from, most.min((length - from) as usize))?;
        let until = from + u32::try_from(entries.len()).expect("a page has at most five records");
        let head = match entries.last() {
            Some(last) => last.head,
            None => self.head_at(from)?,
        };
        let damaged =
            |_| StoreError::Fatal("the directory is damaged; put a backup in its place".into());
        let records = entries.iter().map(|entry| Record::decode(&entry.record));
        let records = records.collect::<Result<_, _>>().map_err(damaged)?;
        let signature = self.notary.sign(until, &head);
        Ok((Page { from, length, head, signature, records }, until))
    }

    /// Returns the head after `length` records.
    fn head_at(&self, length: u32) -> Result<Head, StoreError> {
        let Some(last) = length.checked_sub(1) else { return Ok(Head::EMPTY) };
        let entries = self.store.directory(last, 1)?;
        Ok(entries.first().map_or(Head::EMPTY, |entry| entry.head))
    }
}

impl Notary {
    pub(super) fn new(root: RootKey, notices: Vec<RestoreNotice>) -> Self {
        let signature = root.sign(&restores_signed(&notices));
        Self { root, restores: Restores { notices, signature }, kept: Mutex::default() }
    }

    fn sign(&self, length: u32, head: &Head) -> [u8; SIGNATURE] {
        if let Some(signature) = self.kept().get(length) {
            return signature;
        }
        let signature = self.root.sign(&head_signed(length, head));
        self.kept().put(length, signature);
        signature
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&self, length: u32) -> Option<[u8; SIGNATURE]> {
        match full_page(length) {
            Some(page) => *self.full_pages.get(page)?,
            None => self.other.filter(|(kept, _)| *kept == length).map(|(_, signature)| signature),
        }
    }

    fn put(&mut self, length: u32, signature: [u8; SIGNATURE]) {
        match full_page(length) {
            Some(page) if page < SIGNATURES_MAX => {
                if self.full_pages.len() <= page {
                    self.full_pages.resize(page + 1, None);
                }
                self.full_pages[page] = Some(signature);
            }
            Some(_) => (),
            None => self.other = Some((length, signature)),
        }
    }
}

/// Returns which full page ends at a length, if one does.
fn full_page(length: u32) -> Option<usize> {
    let length = length as usize;
    if length.is_multiple_of(PAGE_RECORDS) { (length / PAGE_RECORDS).checked_sub(1) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_full_pages_are_kept_and_no_more_than_they() {
        let mut kept = Kept::default();
        let full = PAGE_RECORDS as u32;
        for length in 0..3 * full {
            assert_eq!(kept.get(length), None, "{length}");
            kept.put(length, [length as u8; SIGNATURE]);
            assert_eq!(kept.get(length), Some([length as u8; SIGNATURE]));
        }
        assert_eq!(kept.get(full), Some([full as u8; SIGNATURE]));
        assert_eq!(kept.get(full + 1), None, "of the others only the last one");
        kept.put(u32::MAX / full * full, [1; SIGNATURE]);
        assert_eq!(kept.full_pages.len(), 2);
        kept.put(SIGNATURES_MAX as u32 * full, [1; SIGNATURE]);
        assert_eq!(kept.full_pages.len(), SIGNATURES_MAX);
    }

    #[test]
    fn a_kept_signature_is_not_made_again() {
        let (notary, head) = (Notary::new(RootKey::generate(), Vec::new()), Head([1; 32]));
        let signature = notary.sign(5, &head);
        assert_eq!(notary.sign(5, &Head([2; 32])), signature);
        assert_ne!(notary.sign(10, &head), signature);
    }
}
