//! `iirs`, the window. It is an empty shell until the window is built on the engine that
//! `iirs-headless` runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!(
        "iirs has no window yet. Chat with `iirs-headless` for now; `iirs-headless --help` shows how."
    );
    ExitCode::FAILURE
}
