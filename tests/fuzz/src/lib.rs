//! What is fuzzed: everything that takes bytes from a peer, from the network, or from the disk.
//!
//! Each target takes any bytes and panics where something is wrong: a panic of the code under test, or a property
//! that does not hold. `tests/fuzz/run` has libFuzzer look for such bytes; the tests of this crate play the corpus
//! that is kept, so that what was found once is looked at in every test run.

mod backup;
mod client;
mod desk;
mod house;
mod input;
mod login;
mod peel;
mod sealed;
mod sign_in;
mod store;
mod wire_values;

/// One thing that takes bytes.
pub struct Target {
    /// Its name: that of its directory in `corpus`.
    pub name: &'static str,
    /// Longest input that is worth trying, in bytes.
    pub bytes_max: usize,
    /// Takes the bytes; panics where something is wrong.
    pub run: fn(&[u8]),
}

/// Everything that is fuzzed.
pub const TARGETS: &[Target] = &[
    Target { name: "control-client", bytes_max: 1100, run: wire_values::control_client },
    Target { name: "control-server", bytes_max: 1100, run: wire_values::control_server },
    Target { name: "rounds", bytes_max: 4200, run: wire_values::rounds },
    Target { name: "dial", bytes_max: 512, run: wire_values::dial },
    Target { name: "directory", bytes_max: 512, run: wire_values::directory },
    Target { name: "peer", bytes_max: 512, run: wire_values::peer },
    Target { name: "text", bytes_max: 512, run: wire_values::text },
    Target { name: "login", bytes_max: 1024, run: login::login },
    Target { name: "cell", bytes_max: 512, run: sealed::cell },
    Target { name: "invitation", bytes_max: 512, run: sealed::invitation },
    Target { name: "vault", bytes_max: 4096, run: sealed::vault },
    Target { name: "peel", bytes_max: 8192, run: peel::peel },
    Target { name: "client", bytes_max: 8192, run: client::client },
    Target { name: "sign-in", bytes_max: 1024, run: sign_in::sign_in },
    Target { name: "desk", bytes_max: 4200, run: desk::desk },
    Target { name: "store", bytes_max: 4200, run: store::records },
    Target { name: "migrations", bytes_max: 4200, run: store::migrations },
    Target { name: "backup", bytes_max: 4200, run: backup::backup },
    Target { name: "http", bytes_max: 4200, run: store::http },
];

/// Finds a target.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
