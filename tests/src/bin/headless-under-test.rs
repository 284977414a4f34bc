//! `iirs-headless` as a program of this package, since Cargo tells a test only where its own package's are.

use wire::account::Stretching;

fn main() -> std::process::ExitCode {
    headless::main(Stretching::STANDARD)
}
