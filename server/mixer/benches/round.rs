//! Cost of a round.
fn main() {}
