//! `cargo store`: what a store of many accounts costs a server.

fn main() -> std::process::ExitCode {
    tests::store::main()
}
