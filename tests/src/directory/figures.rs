//! What was measured, for people and for programs.

use std::fmt;

use anyhow::bail;
use serde::Serialize;

use super::{FEW, NEWS};

/// The most that an account of the directory may cost a client: bytes on the wire, bytes of memory.
const BYTES_DOWN_MAX: f64 = 300.0;
const RESIDENT_MAX: f64 = 256.0;

/// Memory beside that, for caches that grow with use to a bound.
const RESIDENT_MORE: f64 = 16.0 * 1024.0 * 1024.0;

/// What one start of the client costs; bytes until it has signed in, memory until its first round.
#[derive(Serialize)]
pub(super) struct Cost {
    pub(super) signed_in_s: f64,
    pub(super) processor_s: f64,
    pub(super) bytes_down: usize,
    pub(super) bytes_up: usize,
    pub(super) resident: u64,
    pub(super) peak: u64,
}

/// What a directory costs a client.
#[derive(Serialize)]
pub(super) struct Costs {
    /// Accounts before the client's own.
    pub(super) accounts: u32,
    /// Registration on a new machine, and all of the directory.
    pub(super) first: Cost,
    /// The next start, nothing new.
    pub(super) again: Cost,
    /// A start with [`NEWS`] more accounts.
    pub(super) news: Cost,
    /// Size of the profile after the first start.
    pub(super) disk_bytes: u64,
    /// Time to look up one of many people.
    pub(super) look_up_ms: f64,
    /// Time to print all names.
    pub(super) listing_s: f64,
}

/// What many accounts cost over a few.
#[derive(Serialize)]
pub(super) struct Figures {
    few: Costs,
    many: Costs,
    sync: Sync,
}

/// The fetching alone: the difference of the first starts.
#[derive(Serialize)]
struct Sync {
    seconds: f64,
    processor_s: f64,
    accounts_a_second: f64,
    bytes_down_an_account: f64,
    bytes_up_an_account: f64,
    resident_bytes: f64,
    disk_bytes_an_account: f64,
}

impl Figures {
    pub(super) fn new(few: Costs, many: Costs) -> Self {
        // from the first start: a few accounts cost next to nothing of their own
        let accounts = f64::from(many.accounts);
        let difference = |of: &dyn Fn(&Costs) -> f64| of(&many) - of(&few);
        let seconds = difference(&|it| it.first.signed_in_s);
        let sync = Sync {
            seconds,
            processor_s: difference(&|it| it.first.processor_s),
            accounts_a_second: accounts / seconds,
            bytes_down_an_account: difference(&|it| number(it.first.bytes_down)) / accounts,
            bytes_up_an_account: difference(&|it| number(it.first.bytes_up)) / accounts,
            resident_bytes: difference(&|it| {
                bytes(it.first.resident).max(bytes(it.again.resident))
            }),
            disk_bytes_an_account: difference(&|it| bytes(it.disk_bytes)) / accounts,
        };
        Self { few, many, sync }
    }

    /// Fails if bytes or memory are out of proportion.
    ///
    /// # Errors
    /// Says which.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Sync { bytes_down_an_account, resident_bytes, .. } = self.sync;
        if bytes_down_an_account > BYTES_DOWN_MAX {
            bail!("{bytes_down_an_account:.0} bytes down an account; {BYTES_DOWN_MAX} is the most");
        }
        let bound = RESIDENT_MORE + RESIDENT_MAX * f64::from(self.many.accounts);
        if resident_bytes > bound {
            let [is, most] = [resident_bytes, bound].map(|it| it / 1e6);
            bail!("the directory takes {is:.1} MB of memory; {most:.1} is the most");
        }
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { few, many, sync } = self;
        writeln!(
            f,
            "{:<36}{:>11}{:>11}{:>13}{:>11}{:>11}{:>11}",
            "", "signed in", "processor", "down", "up", "resident", "peak"
        )?;
        for costs in [few, many] {
            let Costs { accounts, first, again, news, .. } = costs;
            let news_title = format!("{NEWS} more");
            for (what, cost) in
                [("first start", first), ("nothing new", again), (&news_title, news)]
            {
                writeln!(f, "{:<36}{cost}", format!("{accounts} accounts, {what}"))?;
            }
        }
        writeln!(f)?;
        for Costs { accounts, disk_bytes, look_up_ms, listing_s, .. } in [few, many] {
            writeln!(
                f,
                "{accounts} accounts: profile {disk_bytes} bytes on disk; one look-up {look_up_ms:.2} ms, all \
                 names printed in {listing_s:.2} s",
            )?;
        }
        let Sync { seconds, processor_s, accounts_a_second, resident_bytes, .. } = sync;
        let Sync { bytes_down_an_account, bytes_up_an_account, disk_bytes_an_account, .. } = sync;
        write!(
            f,
            "directory: {} accounts in {seconds:.2} s ({accounts_a_second:.0} a second, {processor_s:.2} s of the \
             client's processor), an account {bytes_down_an_account:.1} bytes down, {bytes_up_an_account:.1} up, \
             {disk_bytes_an_account:.1} on disk; {:.1} MB of memory more than with {FEW}",
            many.accounts,
            resident_bytes / 1e6,
        )
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signed_in_s, processor_s, bytes_down, bytes_up, resident, peak } = self;
        let [resident, peak] = [resident, peak].map(|it| bytes(*it) / 1e6);
        write!(
            f,
            "{signed_in_s:>9.2} s{processor_s:>9.2} s{bytes_down:>13}{bytes_up:>11}{resident:>8.1} MB{peak:>8.1} MB"
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files and memory are far below 2^52")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(clippy::cast_precision_loss, reason = "bytes on the wire are far below 2^52")]
fn number(bytes: usize) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(accounts: u32, down: usize, resident: u64) -> Costs {
        let cost = |resident| Cost {
            signed_in_s: f64::from(accounts) / 1000.0,
            processor_s: 0.0,
            bytes_down: down,
            bytes_up: 1000,
            resident,
            peak: resident,
        };
        let (first, again, news) = (cost(resident), cost(resident / 2), cost(resident));
        let (disk_bytes, look_up_ms, listing_s) = (u64::from(accounts) * 200, 0.1, 0.1);
        Costs { accounts, first, again, news, disk_bytes, look_up_ms, listing_s }
    }

    #[test]
    fn bytes_and_memory_out_of_proportion_fail() {
        const MIB: u64 = 1 << 20;
        for (down, resident, ok) in
            [(251_000, 30 * MIB, true), (350_000, 30 * MIB, false), (251_000, 50 * MIB, false)]
        {
            let figures = Figures::new(costs(10, 1000, 20 * MIB), costs(1000, down, resident));
            assert_eq!(figures.check().is_ok(), ok, "{figures}");
        }
    }
}
