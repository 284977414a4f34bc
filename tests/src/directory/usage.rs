//! What a process uses, as the system counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Memory of a process, in bytes, and its processor time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Memory that is resident now.
    pub(crate) resident: u64,
    /// The most that was, since the start or [`forget_peak`].
    pub(crate) peak: u64,
    /// Processor time of all threads.
    pub(crate) processor: Duration,
}

impl Usage {
    /// Reads it.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kib = line.and_then(|it| it.trim().strip_suffix("kB")).map(str::trim);
            let kib: u64 = kib.and_then(|it| it.parse().ok()).context("no such line in /proc")?;
            anyhow::Ok(kib * 1024)
        };
        let (resident, peak) = (bytes("VmRSS:")?, bytes("VmHWM:")?);
        Ok(Self { resident, peak, processor: processor(process)? })
    }
}

/// Has the system count a process's peak of memory anew.
pub(crate) fn forget_peak(process: u32) -> anyhow::Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("the peak cannot be reset")
}

fn processor(process: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // the second field is a name in brackets that may have spaces in it
    let (_, fields) = stat.rsplit_once(')').context("no such line in /proc")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let ticks = next().zip(next()).map(|(user, system)| user + system);
    let ms =
        ticks.context("no such line in /proc")? * 1000 / rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_stays_until_it_is_forgotten() {
        const BYTES: u64 = 48 << 20;
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        drop(std::hint::black_box(vec![1_u8; BYTES as usize]));
        let after = Usage::of(own).unwrap();
        assert!(after.peak >= before.resident + BYTES / 2, "{before:?} {after:?}");
        forget_peak(own).unwrap();
        let forgotten = Usage::of(own).unwrap();
        assert!(forgotten.peak < after.peak && forgotten.resident <= forgotten.peak);
        assert!(Usage::of(0).is_err());
    }
}
