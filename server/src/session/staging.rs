//! A vault on its way: its parts come one by one and are stored together.

use wire::control::VaultPut;
use wire::size::{CONTROL_BODY, VAULT_PARTS};

use crate::store::{StoredVault, VAULT_BYTES};

/// A vault whose parts come in order; part 0 begins anew.
#[derive(Default)]
pub(super) struct Staging(Option<Staged>);

struct Staged {
    base: u64,
    version: u64,
    next: u8,
    sealed: Box<[u8; VAULT_BYTES]>,
}

/// The part does not follow the one before it, or has other numbers; what was staged is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

impl Staging {
    /// Takes a part; returns the vault with the last one.
    pub(super) fn take(&mut self, put: &VaultPut) -> Result<Option<StoredVault>, OutOfOrder> {
        let VaultPut { part, base, version, bytes } = put;
        let mut staged = match self.0.take() {
            _ if *part == 0 => Staged {
                base: *base,
                version: *version,
                next: 0,
                sealed: Box::new([0; VAULT_BYTES]),
            },
            Some(staged) if staged.follows(put) => staged,
            Some(_) | None => return Err(OutOfOrder),
        };
        let at = usize::from(*part) * CONTROL_BODY;
        staged.sealed[at..at + CONTROL_BODY].copy_from_slice(bytes);
        staged.next += 1;
        if staged.next == VAULT_PARTS {
            return Ok(Some(StoredVault { version: staged.version, sealed: staged.sealed }));
        }
        self.0 = Some(staged);
        Ok(None)
    }
}

impl Staged {
    fn follows(&self, put: &VaultPut) -> bool {
        (self.next, self.base, self.version) == (put.part, put.base, put.version)
    }
}

const _: () = assert!(VAULT_PARTS as usize * CONTROL_BODY == VAULT_BYTES);

#[cfg(test)]
mod tests {
    use super::*;

    fn put(part: u8, base: u64, version: u64) -> VaultPut {
        VaultPut { part, base, version, bytes: [part + 1; CONTROL_BODY] }
    }

    #[test]
    fn three_parts_in_order_are_a_vault() {
        let mut staging = Staging::default();
        assert!(matches!(staging.take(&put(0, 4, 9)), Ok(None)));
        assert!(matches!(staging.take(&put(1, 4, 9)), Ok(None)));
        let Ok(Some(vault)) = staging.take(&put(2, 4, 9)) else { panic!("not staged") };
        assert_eq!(vault.version, 9);
        let thirds: Vec<_> = vault.sealed.chunks(CONTROL_BODY).map(|third| third[7]).collect();
        assert_eq!(thirds, [1, 2, 3]);
        assert!(staging.0.is_none());
    }

    #[test]
    fn a_part_that_does_not_follow_drops_what_was_staged() {
        for wrong in [put(2, 4, 9), put(1, 5, 9), put(1, 4, 8)] {
            let mut staging = Staging::default();
            staging.take(&put(0, 4, 9)).ok().unwrap();
            assert!(matches!(staging.take(&wrong), Err(OutOfOrder)));
            assert!(matches!(staging.take(&put(1, 4, 9)), Err(OutOfOrder)));
        }
    }

    #[test]
    fn the_first_part_begins_anew() {
        let mut staging = Staging::default();
        for (part, version) in [(0, 1), (1, 1), (0, 2), (1, 2)] {
            assert!(matches!(staging.take(&put(part, 0, version)), Ok(None)));
        }
        assert!(matches!(staging.take(&put(2, 0, 2)), Ok(Some(vault)) if vault.version == 2));
    }
}
