//! The program `iirs`.

use wire::account::Stretching;

fn main() -> std::process::ExitCode {
    client::main(Stretching::STANDARD)
}
