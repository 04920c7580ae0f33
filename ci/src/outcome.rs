//! How a command ends: the exit code is part of the interface.

use std::fmt;
use std::process::ExitCode;

/// Wrong arguments or a missing tool: exit code 2. Every other error is a failed run: 1.
#[derive(Debug)]
pub struct BadInput(String);

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// An error that ends in exit code 2; `line` says what was wrong and what exists.
pub fn bad_input(line: impl Into<String>) -> anyhow::Error {
    BadInput(line.into()).into()
}

/// Stopped by Ctrl-C or a request to terminate.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; what was started has been ended")
    }
}

impl std::error::Error for Interrupted {}

/// Prints an error as one line and chooses the exit code.
pub fn report(outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("xtask: {error:#}");
    match () {
        () if error.is::<Interrupted>() => ExitCode::from(130),
        () if error.is::<BadInput>() => ExitCode::from(2),
        () => ExitCode::FAILURE,
    }
}
