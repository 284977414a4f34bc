//! The memory of a round, which the next one uses again.

use std::ops::{Deref, DerefMut};

use zeroize::{DefaultIsZeroes, Zeroize as _};

use crate::drops::{Partner, Visitor};
use crate::threads::Threads;

/// Of memory that is kept, the part that must be in use: with less, the rest is given back.
const USED_MIN: usize = 4;

/// Bytes that are kept in any case.
const KEPT: usize = 1 << 16;

/// Bytes that are erased as one piece of work.
const ERASED: usize = 1 << 20;

/// What one round after the other is made in; erased between two of them, but for the frames, which were
/// sent as they stand.
#[derive(Default)]
pub(crate) struct Memory {
    /// By seat number, a row of slots of 512 bytes: layered at first, then without their layer.
    pub(crate) rows: Reused<u8>,
    /// By seat number, whether its deposit came.
    pub(crate) arrived: Reused<bool>,
    /// By seat number, whether its dial slot could be opened.
    pub(crate) dialed: Reused<bool>,
    /// The places of all talking slots, in the secret order.
    pub(crate) order: Reused<u32>,
    /// Who visits the dead drops.
    pub(crate) visitors: Reused<Visitor>,
    /// Who met whom, in the secret order.
    pub(crate) met: Reused<Partner>,
    /// Who met whom, by place.
    pub(crate) partners: Reused<Partner>,
    /// Frames of an earlier round that have been sent, to be written over.
    pub(crate) frames: Vec<u8>,
}

impl Memory {
    /// Erases what the slots of a round held, and who deposited.
    pub(crate) fn end(&mut self, threads: &Threads) {
        let Self { rows, arrived, dialed, .. } = self;
        arrived.erase();
        dialed.erase();
        threads.each(rows.chunks_mut(ERASED), |piece| piece.zeroize());
    }
}

/// A vector that is all zeros whenever a round begins, and when it is dropped.
pub(crate) struct Reused<T: DefaultIsZeroes>(Vec<T>);

impl<T: DefaultIsZeroes> Reused<T> {
    /// Takes it out as so many zeros; what stays behind is empty.
    pub(crate) fn take(&mut self, length: usize) -> Self {
        let mut taken = std::mem::take(self);
        taken.fit(length);
        taken
    }

    /// Makes it so many zeros. It must be erased.
    pub(crate) fn fit(&mut self, length: usize) {
        fit(&mut self.0, length);
    }

    /// Erases all of it.
    pub(crate) fn erase(&mut self) {
        self.0[..].zeroize();
    }
}

impl<T: DefaultIsZeroes> Default for Reused<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: DefaultIsZeroes> Drop for Reused<T> {
    fn drop(&mut self) {
        self.erase();
    }
}

impl<T: DefaultIsZeroes> Deref for Reused<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: DefaultIsZeroes> DerefMut for Reused<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// Makes a vector so long, with zeros behind what it holds, or all of zeros in new memory if it has too
/// little, or more than [`USED_MIN`] times as much.
pub(crate) fn fit<T: DefaultIsZeroes>(vector: &mut Vec<T>, length: usize) {
    let capacity = vector.capacity();
    let idle = capacity / USED_MIN > length && capacity * size_of::<T>() > KEPT;
    if capacity < length || idle {
        // the old memory goes first, so that there are never both
        *vector = Vec::new();
        // an eighth more, since a crowd comes in many rounds
        *vector = vec![T::default(); length + length / 8];
        vector.truncate(length);
    }
    vector.resize(length, T::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_all_zeros() {
        let mut memory = Reused::<u8>::default();
        for length in [100, 3, 100, 1 << 20, 5, 300] {
            let mut taken = memory.take(length);
            assert_eq!((taken.len(), memory.len()), (length, 0));
            assert!(taken.iter().all(|byte| *byte == 0), "{length}");
            taken.fill(7);
            taken.erase();
            memory = taken;
        }
    }

    #[test]
    fn memory_goes_on_for_as_many_and_is_given_back_for_far_fewer() {
        let mut vector = vec![0_u32; 0];
        fit(&mut vector, 100_000);
        let capacity = vector.capacity();
        assert!(capacity < 120_000);
        for length in [90_000, 105_000, 30_000, 100_000] {
            fit(&mut vector, length);
            assert_eq!((vector.len(), vector.capacity()), (length, capacity));
        }
        fit(&mut vector, 20_000);
        assert_eq!((vector.len(), vector.capacity()), (20_000, 22_500));
        fit(&mut vector, 10);
        assert!(vector.capacity() < 100);
        fit(&mut vector, 100);
        let capacity = vector.capacity();
        fit(&mut vector, 1);
        assert_eq!(vector.capacity(), capacity, "a little is kept");
    }
}
