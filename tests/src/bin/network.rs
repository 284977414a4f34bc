//! `cargo network`: two people chat through bad networks.

fn main() -> std::process::ExitCode {
    tests::network::main()
}
