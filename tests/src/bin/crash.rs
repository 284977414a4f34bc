//! `cargo crash`: breaks a server again and again, and looks whether it kept what it acknowledged.

fn main() -> std::process::ExitCode {
    tests::crash::main()
}
