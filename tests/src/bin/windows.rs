//! `cargo windows`: two real windows on a display that nobody sees.

fn main() -> std::process::ExitCode {
    tests::windows::main()
}
