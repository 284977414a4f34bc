//! `cargo directory`: what a directory of many accounts costs a client.

fn main() -> std::process::ExitCode {
    tests::directory::main()
}
