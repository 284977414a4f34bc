//! What somebody on the wire sees: when, who, which way, how much.

use std::time::Duration;

use super::network::Way;

/// One thing on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// When it left.
    pub at: Duration,
    /// Whose connection it is on.
    pub peer: usize,
    /// Which way it goes.
    pub way: Way,
    /// Its size; 0 for a connection that opens or ends.
    pub bytes: usize,
}

/// Writes down everything that goes over the wire.
#[derive(Default)]
pub struct Observer {
    /// All sights, in order.
    pub sights: Vec<Sight>,
}

impl Observer {
    /// Writes one thing down.
    pub fn saw(&mut self, at: Duration, peer: usize, way: Way, bytes: usize) {
        self.sights.push(Sight { at, peer, way, bytes });
    }

    /// Returns what tells two worlds apart, if anything does.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let here = self.sights.iter().map(Some).chain(std::iter::repeat(None));
        let there = other.sights.iter().map(Some).chain(std::iter::repeat(None));
        let most = self.sights.len().max(other.sights.len());
        let mut both = here.zip(there).take(most).enumerate();
        let (place, (here, there)) = both.find(|(_, (here, there))| here != there)?;
        Some(format!("sight {place} of {most}: {here:?} in one world, {there:?} in the other"))
    }
}
