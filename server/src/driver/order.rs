//! The generator of a round's secret order.

use rand_core::{CryptoRng, Error, OsRng, RngCore, impls};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes taken from the system at once.
const BLOCK: usize = 4096;

/// The system's randomness by the block, erased as it is given out.
///
/// A seeded generator could be run again from its state; a round's order must not outlive the round in
/// any form.
pub(super) struct OrderRng {
    block: Zeroizing<[u8; BLOCK]>,
    used: usize,
}

impl OrderRng {
    pub(super) fn new() -> Self {
        Self { block: Zeroizing::new([0; BLOCK]), used: BLOCK }
    }
}

impl RngCore for OrderRng {
    fn next_u32(&mut self) -> u32 {
        impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == BLOCK {
                OsRng.fill_bytes(&mut *self.block);
                self.used = 0;
            }
            let size = out.len().min(BLOCK - self.used);
            let (front, rest) = out.split_at_mut(size);
            let source = &mut self.block[self.used..self.used + size];
            front.copy_from_slice(source);
            source.zeroize();
            self.used += size;
            out = rest;
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for OrderRng {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_out_is_erased_and_never_comes_again() {
        let mut rng = OrderRng::new();
        let (mut first, mut second) = ([0; 3000], [0; 3000]);
        rng.fill_bytes(&mut first);
        assert!(rng.block[..3000].iter().all(|&byte| byte == 0));
        assert!(rng.block[3000..].iter().any(|&byte| byte != 0));
        rng.fill_bytes(&mut second);
        assert!(first.iter().any(|&byte| byte != 0) && first != second);
        assert!(second[1096..].iter().any(|&byte| byte != 0), "a second block was taken");
    }
}
