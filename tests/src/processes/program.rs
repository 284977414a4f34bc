//! What all programs of the tests do with their arguments, and how they end.

use std::process::ExitCode;

use clap::Parser;

/// Runs a whole program, from arguments to exit code: 0 as promised, 1 not so, or it could not run, 2 usage. `run` tells
/// whether all was as promised, and has said so.
pub fn program<A: Parser>(run: impl FnOnce(A) -> anyhow::Result<bool>) -> ExitCode {
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // nothing can be said if the terminal is gone
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let command = A::command();
            let name = command.get_bin_name().unwrap_or(command.get_name());
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
