//! `cargo load`: what a server costs with many clients, and how it takes restarts.

fn main() -> std::process::ExitCode {
    tests::load::main()
}
