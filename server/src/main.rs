//! The program `iirs-server`; everything is in the library.

fn main() -> std::process::ExitCode {
    server::main()
}
