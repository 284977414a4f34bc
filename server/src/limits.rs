//! Limits on guessing and on registering: failed sign-ins per name and per address, with growing delays,
//! and new accounts per address, so many an hour.
//!
//! Who guesses at a name from one address slows down himself and not whoever has the name: the name as
//! such slows down only when many addresses guess at it.
//!
//! In OPAQUE the client learns from the server's first answer whether its guess was right, and need not
//! come back. So an attempt counts as failed from its start, and is taken back when it succeeds.
//! Nothing is locked for good: after the delay one attempt is free.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wire::ids::Name;

use crate::clock;

/// Failures per name from one address before delays begin, and how they grow.
pub const PER_NAME_HERE: Policy =
    Policy { free: 5, first: Duration::from_secs(1), most: Duration::from_secs(60) };

/// Failures per name from all addresses before delays begin.
pub const PER_NAME: Policy =
    Policy { free: 64, first: Duration::from_secs(1), most: Duration::from_secs(8) };

/// Failures per address before delays begin: many people may sit behind one address.
pub const PER_ADDRESS: Policy =
    Policy { free: 256, first: Duration::from_secs(1), most: Duration::from_secs(16) };

/// How long failures are remembered after the last one, at least; at most twice as long.
pub const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Names and addresses that are remembered, at most twice as many; beyond, the oldest are forgotten.
pub const ENTRIES_MAX: usize = 32 * 1024;

/// What an address may save up of new accounts: those of one hour.
pub const REGISTRATIONS_SAVED: Duration = Duration::from_secs(60 * 60);

/// How long to wait when other attempts for the same name or address are running.
const BUSY: Duration = Duration::from_secs(1);

/// How many failures are free, and how long to wait after the further ones.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Failures without a delay.
    pub free: u32,
    /// Delay after the first failure that is not free; it doubles with each further one.
    pub first: Duration,
    /// The longest delay.
    pub most: Duration,
}

impl Policy {
    fn delay(&self, failures: u32) -> Duration {
        let Some(beyond) = failures.checked_sub(self.free) else { return Duration::ZERO };
        self.first.saturating_mul(1 << beyond.min(16)).min(self.most)
    }
}

/// The failures of all names and addresses, and the new accounts of addresses.
pub struct Limits(Mutex<Tables>);

struct Tables {
    names_here: Failures<(Name, IpAddr)>,
    names: Failures<Name>,
    addresses: Failures<IpAddr>,
    registrations: Registrations,
}

/// One attempt to sign in, or to find a free name; dropped without [`Attempt::succeed`] it failed.
pub struct Attempt {
    limits: Arc<Limits>,
    name: Option<Name>,
    address: IpAddr,
    succeeded: bool,
}

impl Limits {
    /// Starts without failures. An address may register so many accounts an hour, at least 1.
    pub fn new(registrations_per_hour: u32) -> Self {
        let now = clock::now();
        Self(Mutex::new(Tables {
            names_here: Failures::new(PER_NAME_HERE, now),
            names: Failures::new(PER_NAME, now),
            addresses: Failures::new(PER_ADDRESS, now),
            registrations: Registrations::new(registrations_per_hour, now),
        }))
    }

    /// Begins an attempt to sign in under a name, or without one to find a free name: failures at that
    /// must not slow down whoever has the name.
    ///
    /// # Errors
    /// How long to wait, if there were too many failures.
    pub fn attempt(
        self: &Arc<Self>,
        name: Option<Name>,
        address: IpAddr,
    ) -> Result<Attempt, Duration> {
        let (now, address) = (clock::now(), network(address));
        self.tables().begin(name, address, now)?;
        Ok(Attempt { limits: self.clone(), name, address, succeeded: false })
    }

    /// Changes how many accounts an address may register an hour.
    pub fn set_registrations_per_hour(&self, count: u32) {
        self.tables().registrations.interval = interval(count);
    }

    /// Tells whether an address may register an account now.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn may_register(&self, address: IpAddr) -> Result<(), Duration> {
        self.tables().registrations.next(network(address), clock::now()).map(|_| ())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn begin(&mut self, name: Option<Name>, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.addresses.begin(address, now)?;
        let Some(name) = name else { return Ok(()) };
        let here = self.names_here.begin((name, address), now);
        let begun = here.and_then(|()| {
            let anywhere = self.names.begin(name, now);
            anywhere.inspect_err(|_| self.names_here.take_back((name, address)))
        });
        begun.inspect_err(|_| self.addresses.take_back(address))
    }

    fn fail(&mut self, name: Option<Name>, address: IpAddr, now: Instant) {
        self.addresses.fail(address, now);
        if let Some(name) = name {
            self.names_here.fail((name, address), now);
            self.names.fail(name, now);
        }
    }

    fn succeed(&mut self, name: Option<Name>, address: IpAddr) {
        self.addresses.take_back(address);
        if let Some(name) = name {
            self.names_here.entries.forget(&(name, address));
            self.names.entries.forget(&name);
        }
    }
}

impl Attempt {
    /// Counts an account that is about to be stored against its address. The count stands even if
    /// storing fails, which is rare.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn register(&self) -> Result<(), Duration> {
        self.limits.tables().registrations.count(self.address, clock::now())
    }

    /// Ends the attempt well: the name's failures are forgotten. Those of the address stay, or whoever
    /// has one account could guess at others for ever.
    pub fn succeed(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (name, address) = (self.name, self.address);
        let mut tables = self.limits.tables();
        if self.succeeded {
            tables.succeed(name, address);
        } else {
            tables.fail(name, address, clock::now());
        }
    }
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 host has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

/// New accounts by address: when each one's saved time is full again.
struct Registrations {
    interval: Duration,
    full: Generations<IpAddr, Option<Instant>>,
}

impl Registrations {
    fn new(per_hour: u32, now: Instant) -> Self {
        let full = Generations::new(REGISTRATIONS_SAVED, now);
        Self { interval: interval(per_hour), full }
    }

    /// Returns when the saved time would be full again after one more account.
    fn next(&mut self, address: IpAddr, now: Instant) -> Result<Instant, Duration> {
        self.full.turn(now);
        let full = self.full.entry(address).unwrap_or(now).max(now) + self.interval;
        match full.duration_since(now).checked_sub(REGISTRATIONS_SAVED) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => Ok(full),
        }
    }

    fn count(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let full = self.next(address, now)?;
        *self.full.entry(address) = Some(full);
        Ok(())
    }
}

/// Returns the time that one account costs.
fn interval(per_hour: u32) -> Duration {
    REGISTRATIONS_SAVED / per_hour.max(1)
}

/// A table in two generations: the older one is dropped whole, so that remembering costs the same for
/// each entry and the table is bounded.
struct Generations<K, V> {
    remembered: Duration,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    turned: Instant,
}

impl<K: Copy + Eq + Hash, V: Default> Generations<K, V> {
    fn new(remembered: Duration, now: Instant) -> Self {
        Self { remembered, young: HashMap::new(), old: HashMap::new(), turned: now }
    }

    fn forget(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    fn entry(&mut self, key: K) -> &mut V {
        let old = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| old.unwrap_or_default())
    }

    fn turn(&mut self, now: Instant) {
        let age = now.duration_since(self.turned);
        if self.young.len() >= ENTRIES_MAX || age >= self.remembered {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }
}

/// Failures by key.
struct Failures<K> {
    policy: Policy,
    entries: Generations<K, Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    failures: u32,
    running: u32,
    until: Option<Instant>,
}

impl<K: Copy + Eq + Hash> Failures<K> {
    fn new(policy: Policy, now: Instant) -> Self {
        Self { policy, entries: Generations::new(REMEMBERED, now) }
    }

    fn begin(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        self.entries.turn(now);
        let policy = self.policy;
        let entry = self.entries.entry(key);
        if entry.failures.saturating_add(entry.running) >= policy.free {
            let wait = entry.until.map_or(Duration::ZERO, |until| until.duration_since(now));
            if !wait.is_zero() {
                return Err(wait);
            }
            if entry.running > 0 {
                return Err(BUSY);
            }
        }
        entry.running += 1;
        Ok(())
    }

    fn fail(&mut self, key: K, now: Instant) {
        let policy = self.policy;
        let entry = self.entries.entry(key);
        entry.running = entry.running.saturating_sub(1);
        entry.failures = entry.failures.saturating_add(1);
        entry.until = Some(now + policy.delay(entry.failures));
    }

    fn take_back(&mut self, key: K) {
        let entry = self.entries.entry(key);
        entry.running = entry.running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { free: 3, first: Duration::from_secs(1), most: Duration::from_secs(4) };

    fn after_failures(count: u32) -> (Failures<u32>, Instant) {
        let mut now = clock::now();
        let mut failures = Failures::new(POLICY, now);
        for _ in 0..count {
            if let Err(wait) = failures.begin(7, now) {
                now += wait;
                failures.begin(7, now).unwrap();
            }
            failures.fail(7, now);
        }
        (failures, now)
    }

    #[test]
    fn delays_begin_after_the_free_failures_grow_and_end() {
        let waits = [0, 0, 0, 1, 2, 4, 4];
        for (count, wait) in (0..).zip(waits) {
            let (mut failures, now) = after_failures(count);
            let expected = Duration::from_secs(wait);
            assert_eq!(failures.begin(7, now).err().unwrap_or_default(), expected, "{count}");
            let later = now + expected;
            if wait > 0 {
                assert!(failures.begin(7, later).is_ok(), "one attempt is free after the delay");
                assert_eq!(failures.begin(7, later), Err(BUSY), "and only one");
            }
            assert!(failures.begin(8, now).is_ok(), "others do not wait");
        }
    }

    #[test]
    fn attempts_that_run_count_before_they_fail() {
        let (mut failures, now) = after_failures(1);
        assert!(failures.begin(7, now).is_ok());
        assert!(failures.begin(7, now).is_ok());
        assert_eq!(failures.begin(7, now), Err(BUSY));
        failures.take_back(7);
        assert!(failures.begin(7, now).is_ok());
    }

    #[test]
    fn failures_are_forgotten_with_time_and_the_table_is_bounded() {
        let (mut failures, now) = after_failures(6);
        assert!(failures.begin(7, now).is_err());
        failures.begin(1, now + REMEMBERED).unwrap();
        failures.begin(1, now + 2 * REMEMBERED).unwrap();
        assert_eq!(failures.entries.entry(7).failures, 0);
        for key in 0..u32::try_from(3 * ENTRIES_MAX).unwrap() {
            let _ = failures.begin(key, now + 2 * REMEMBERED);
        }
        assert!(failures.entries.young.len() + failures.entries.old.len() <= 2 * ENTRIES_MAX);
    }

    #[test]
    fn success_clears_the_name_but_not_the_address() {
        let limits = Arc::new(Limits::new(60));
        let (ann, here) = ("ann".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..4 {
            drop(limits.attempt(Some(ann), here));
        }
        limits.attempt(Some(ann), here).ok().unwrap().succeed();
        let mut tables = limits.tables();
        assert_eq!(tables.names.entries.entry(ann).failures, 0);
        assert_eq!(tables.names_here.entries.entry((ann, here)).failures, 0);
        let address = tables.addresses.entries.entry(here);
        assert_eq!((address.failures, address.running), (4, 0));
    }

    #[test]
    fn a_refused_attempt_leaves_nothing_running() {
        let limits = Arc::new(Limits::new(60));
        let (ann, here) = ("ann".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..PER_NAME_HERE.free {
            drop(limits.attempt(Some(ann), here));
        }
        assert!(limits.attempt(Some(ann), here).is_err());
        assert_eq!(limits.tables().addresses.entries.entry(here).running, 0);
        assert_eq!(limits.tables().names.entries.entry(ann).running, 0);
        assert!(limits.attempt(Some("bob".parse().unwrap()), here).is_ok());
    }

    #[test]
    fn guessing_from_one_address_does_not_keep_the_owner_out() {
        let limits = Arc::new(Limits::new(60));
        let (ann, there) = ("ann".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let guesses: Vec<_> =
            (0..99).map_while(|_| limits.attempt(Some(ann), there).ok()).collect();
        assert_eq!(guesses.len(), PER_NAME_HERE.free as usize);
        assert!(limits.attempt(Some(ann), "198.51.100.1".parse().unwrap()).is_ok());
        drop(guesses);
        assert!(limits.attempt(Some(ann), there).is_err());
        assert!(limits.attempt(Some(ann), "198.51.100.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn guessing_from_many_addresses_slows_the_name_down() {
        let limits = Arc::new(Limits::new(60));
        let ann = "ann".parse().unwrap();
        let from = |host: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(host));
        let guesses = (0..).map_while(|host| limits.attempt(Some(ann), from(host)).ok());
        assert_eq!(guesses.count(), PER_NAME.free as usize);
        assert!(limits.attempt(Some("bob".parse().unwrap()), from(0)).is_ok());
    }

    #[test]
    fn an_address_registers_so_many_at_once_and_then_so_many_an_hour() {
        let start = clock::now();
        let (here, there) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let mut registrations = Registrations::new(60, start);
        let mut register =
            |address, after_s| registrations.count(address, start + Duration::from_secs(after_s));
        assert!((0..60).all(|_| register(here, 0) == Ok(())));
        assert_eq!(register(here, 0), Err(Duration::from_secs(60)));
        assert_eq!(register(there, 0), Ok(()), "others do not wait");
        assert_eq!(register(here, 59), Err(Duration::from_secs(1)));
        assert_eq!(register(here, 60), Ok(()));
        assert_eq!(register(here, 60), Err(Duration::from_secs(60)));
        let saved = (0..100).take_while(|_| register(here, 3 * 3600) == Ok(()));
        assert_eq!(saved.count(), 60, "no more than an hour's are saved");
    }

    #[test]
    fn one_host_is_one_address() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
