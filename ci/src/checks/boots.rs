//! The boot tests: a program of their own, so that they can be run and listed alone.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::step::Step;
use crate::boot::children;
use crate::build;
use crate::workspace;

/// Builds the boot tests and says how they are run.
pub fn step() -> Result<Step> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo.args(["test", "--no-run", "-p", "loadphys-tests", "--features", "boots"]);
    cargo.args(["--test", "boot", "--message-format", "json-render-diagnostics"]);
    let output = children::output(&mut cargo)?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("the boot tests do not build");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = build::executable_in(&messages).context("cargo named no boot tests")?;
    // Run by us and not by cargo: if we are ended, the emulators end with it.
    let mut command = children::mortal(&program.to_string_lossy());
    command.current_dir(workspace::root());
    Ok(Step { name: "boots", command, live: true })
}
