//! The floor of `cargo load --bare`: a server that does nothing but QUIC.

fn main() -> std::process::ExitCode {
    tests::load::bare()
}
