//! `cargo attack`: attacks on the server's limits, beside people who want their rounds.

fn main() -> std::process::ExitCode {
    tests::attack::main()
}
