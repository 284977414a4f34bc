//! `iirs-headless`, the client without a window.

use std::process::ExitCode;

use wire::account::Stretching;

fn main() -> ExitCode {
    headless::main(Stretching::STANDARD)
}
