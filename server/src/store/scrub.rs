//! Reads the whole store in the background, to miss what the disk lost.

use std::time::Duration;

use super::StoreError;
use super::sums::Walk;
use super::trees::Trees;
use crate::clock;

/// How much longer than it reads a scrub rests, so that it takes a quarter of a core at most.
const RESTS: u32 = 3;

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(100);

/// Reads all records and compares their sum with the one that is kept, as long as `go_on` says so; returns how many
/// there were, `None` if it was ended before.
pub(super) fn scrub(
    trees: &Trees,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<u64>, StoreError> {
    let (mut walk, mut records) = (Walk::begin(trees), 0);
    let mut begun = clock::now();
    while let Some((_, entries)) = walk.next()? {
        records += entries.len() as u64;
        if !go_on() {
            return Ok(None);
        }
        std::thread::sleep((begun.elapsed() * RESTS).min(REST_MAX));
        begun = clock::now();
    }
    walk.compare()?;
    Ok(Some(records))
}
