//! Parts of the Rust toolchain.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::boot::children;
use crate::outcome::bad_input;

/// Adds a compilation target unless it is there.
pub fn target(name: &str) -> Result<()> {
    if has_target(name) || rustup(&["target", "add", name])? {
        return Ok(());
    }
    Err(bad_input(format!("the Rust target {name} is missing and rustup could not add it")))
}

/// Whether a compilation target is installed.
pub fn has_target(name: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", name]);
    rustc.current_dir(crate::workspace::root());
    let Ok(output) = rustc.output() else {
        return false;
    };
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success() && std::path::Path::new(&directory).is_dir()
}

/// Adds a component unless its cargo subcommand works.
pub fn component(name: &str, subcommand: &str) -> Result<()> {
    if works(&[subcommand, "--version"]) || rustup(&["component", "add", name])? {
        return Ok(());
    }
    Err(bad_input(format!("the Rust component {name} is missing and rustup could not add it")))
}

/// Whether Miri works, after an attempt to install it.
pub fn miri() -> Result<bool> {
    let works_now = || works(&["+nightly", "miri", "--version"]);
    if works_now() {
        return Ok(true);
    }
    // A nightly toolchain that is there already is left as it is.
    if rustup(&["component", "add", "--toolchain", "nightly", "miri", "rust-src"])? && works_now() {
        return Ok(true);
    }
    let parts = ["--profile", "minimal", "--component", "miri", "--component", "rust-src"];
    let installed = rustup(&[&["toolchain", "install", "nightly"], &parts[..]].concat())?;
    Ok(installed && works_now())
}

fn works(arguments: &[&str]) -> bool {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(crate::workspace::root()).args(arguments);
    cargo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    cargo.status().is_ok_and(|status| status.success())
}

/// Runs rustup, if there is one, after saying so.
fn rustup(arguments: &[&str]) -> Result<bool> {
    if which::which("rustup").is_err() {
        return Ok(false);
    }
    eprintln!("xtask: rustup {}", arguments.join(" "));
    let mut rustup = Command::new("rustup");
    rustup.current_dir(crate::workspace::root()).args(arguments);
    rustup.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
    Ok(children::spawn(&mut rustup)?.wait()?.success())
}
