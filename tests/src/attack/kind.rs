//! The attacks, and what the server's limits let each of them cost.

use clap::ValueEnum;

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Connections that never sign in.
    Idle,
    /// Connections that send one byte a second.
    Slow,
    /// Connections that fill every window that they are given.
    Stuffed,
    /// Sign-ins, from many addresses.
    Logins,
    /// Registrations, from many addresses.
    Registrations,
    /// First packets of connections whose senders hear no answer.
    Initials,
    /// Handshakes that never end, by senders who prove their address.
    HalfOpen,
    /// Frames that are none.
    Garbage,
    /// People with an account who never read.
    Unread,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the server uses without anybody: its code, the store's cache, tables of a fixed size.
const ALONE: u64 = 128 * MIB;

/// What a connection takes whose client sends nothing that is kept.
const CONNECTION: u64 = 48 * KIB;

/// What a connection can have the server keep that nobody reads: the window of a connection.
const RECEIVED: u64 = server::transport::CONNECTION_WINDOW_BYTES as u64;

/// What a connection can have the server keep for a client that does not take it.
const SENT: u64 = server::transport::SEND_WINDOW_BYTES;

impl Kind {
    /// What the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Idle => "connections that never sign in",
            Self::Slow => "one byte a second",
            Self::Stuffed => "windows filled and left",
            Self::Logins => "flood of logins",
            Self::Registrations => "flood of registrations",
            Self::Initials => "flood of first packets",
            Self::HalfOpen => "handshakes that never end",
            Self::Garbage => "garbage",
            Self::Unread => "clients that never read",
        }
    }

    /// Tasks of the attacker that run at once; each holds at most one connection.
    pub(super) fn at_once(self) -> usize {
        match self {
            // more than `held_min`, so that the others find no place but that of one who came before
            Self::Idle => 10_500,
            Self::Slow | Self::Stuffed => 1_000,
            Self::Logins | Self::Registrations | Self::Garbage => 64,
            Self::Initials => 1,
            Self::HalfOpen => 300,
            Self::Unread => 48,
        }
    }

    /// Connections that the attacker must have held at once for its attack to be one.
    pub(super) fn held_min(self) -> u64 {
        match self {
            Self::Idle => 10_000,
            Self::Slow | Self::Stuffed => 950,
            Self::Logins | Self::Registrations | Self::Garbage | Self::Unread => 1,
            // they come to no connection
            Self::Initials | Self::HalfOpen => 0,
        }
    }

    /// The most memory that the server may take, in bytes, by the limits in docs/operations.md.
    pub(super) fn resident_max(self, connections_max: usize) -> u64 {
        // one that was closed is kept for a moment longer
        let held = (2 * self.at_once()).min(connections_max) as u64;
        ALONE
            + match self {
                Self::Idle | Self::Slow | Self::Logins | Self::Registrations | Self::Garbage => {
                    held * CONNECTION
                }
                Self::Stuffed => held * (CONNECTION + RECEIVED),
                // handshakes under way, and first packets that wait
                Self::Initials | Self::HalfOpen => {
                    server::transport::INCOMING_BUFFERS_BYTES + 1024 * CONNECTION
                }
                Self::Unread => held * (CONNECTION + SENT),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_documentation() {
        let document = include_str!("../../../docs/operations.md");
        let (_, memory) = document.split_once("| part | bytes at most |\n|---|---|\n").unwrap();
        let bounds = memory.lines().take_while(|line| line.starts_with('|'));
        let found: Vec<_> = bounds.filter_map(|line| line.rsplit('|').nth(1)).collect();
        let kib = |bytes: u64| format!(" {} KiB ", bytes / KIB);
        let alone = format!(" {} MiB ", ALONE / MIB);
        assert_eq!(found, [alone, kib(CONNECTION), kib(RECEIVED), kib(SENT)]);
        let all = server::listen::connections_max(4096) as u64;
        let strangers = (ALONE + all * (CONNECTION + RECEIVED)) / MIB;
        assert!(strangers == 1136 && memory.contains("9,216 · 112 KiB = 1,136 MiB"), "{strangers}");
    }
}
