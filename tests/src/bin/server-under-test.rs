//! `iirs-server` as a program of this package, since Cargo tells a test only where its own package's are.

fn main() -> std::process::ExitCode {
    server::main()
}
