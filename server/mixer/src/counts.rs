//! What a round comes to, in numbers that name nobody.

/// Counts of one round.
///
/// All slots of all seats but the dial slots are `2 · pairs + lone + crowded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seats in the round.
    pub seats: u32,
    /// Seats whose deposit came in time.
    pub deposits: u32,
    /// Seats whose deposit did not.
    pub missing: u32,
    /// Slots of deposits whose tag did not fit.
    pub tampered: u32,
    /// Dead drops in which two slots swapped cells.
    pub pairs: u32,
    /// Slots alone in their dead drop, those of missing and tampered deposits among them.
    pub lone: u32,
    /// Slots that came third or later to their dead drop.
    pub crowded: u32,
    /// Dial slots that hold nothing that can be said there; they count as cover. How many seats called
    /// is not counted.
    pub malformed_dials: u32,
}
