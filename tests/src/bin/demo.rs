//! `cargo demo`: two people chat across a server that is killed and started again.

fn main() -> std::process::ExitCode {
    tests::demo::main()
}
