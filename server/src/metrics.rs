//! What the metrics say, in the text format of Prometheus, version 0.0.4.
//!
//! Invariant: nothing here names a person, and nothing says who met whom or how many did, who called, or how
//! many calls there were. All numbers are of the whole server, and those of a round belong to one that is over.

use std::fmt::Write as _;

use mixer::Counts;

use crate::admin::Office;
use crate::driver::room::{Tally, Totals};
use crate::store::Store as _;

/// The format of [`text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

enum Kind {
    /// Only ever grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
}

use Kind::{Counter, Gauge};

/// Writes all metrics.
pub fn text(office: &Office) -> String {
    let (totals, round, seats) = office.rounds.state();
    let Tally { counts, late: last_late } = office.rounds.last_tally();
    let Totals { rounds, deposits, missing, late, tampered, malformed_dials, lagging, left_out } =
        totals;
    // The other counts are of who met whom.
    let Counts { seats: last_seats, deposits: last_deposits, missing: last_missing, .. } = counts;
    let up_s = office.up().as_secs();
    let connections = office.endpoint.open_connections() as u64;
    let accounts = office.store.account_count();
    let rows: [(&str, Kind, u64, &str); _] = [
        ("up_seconds", Gauge, up_s, "Seconds since the process began to serve."),
        ("round", Gauge, round.0, "Number of the round that is open."),
        ("round_period_milliseconds", Gauge, office.round_ms.into(), "Length of a round."),
        ("seats", Gauge, seats as u64, "Clients with a seat in the open round."),
        ("connections", Gauge, connections, "Connections, signed in or not."),
        ("accounts", Gauge, accounts.into(), "Accounts, without deleted ones."),
        ("last_round_seats", Gauge, last_seats.into(), "Seats in the last round."),
        ("last_round_deposits", Gauge, last_deposits.into(), "Its deposits that came in time."),
        ("last_round_missing", Gauge, last_missing.into(), "Its seats without a deposit in time."),
        (
            "last_round_late",
            Gauge,
            last_late.into(),
            "Deposits that came after their round, until it closed.",
        ),
        ("rounds_total", Counter, rounds, "Rounds that were answered."),
        (
            "rounds_left_out_total",
            Counter,
            left_out,
            "Rounds never opened, since the server stood still.",
        ),
        ("deposits_total", Counter, deposits, "Deposits that came in time."),
        ("missing_total", Counter, missing, "Seats of a round without a deposit in time."),
        ("late_total", Counter, late, "Deposits that came after their round."),
        ("tampered_total", Counter, tampered, "Slots of deposits whose tag did not fit."),
        (
            "malformed_dials_total",
            Counter,
            malformed_dials,
            "Dial slots that hold nothing that can be said there.",
        ),
        ("lagging_total", Counter, lagging, "Clients that were closed since they did not keep up."),
    ];
    let mut text = String::new();
    for (name, kind, value, help) in rows {
        metric(&mut text, name, kind, value, help);
    }
    text
}

/// Writes one metric, without labels.
fn metric(text: &mut String, name: &str, kind: Kind, value: u64, help: &str) {
    let kind = match kind {
        Counter => "counter",
        Gauge => "gauge",
    };
    let written =
        write!(text, "# HELP iirs_{name} {help}\n# TYPE iirs_{name} {kind}\niirs_{name} {value}\n");
    written.expect("a string takes everything");
}
