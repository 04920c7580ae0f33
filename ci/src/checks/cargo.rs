//! Steps that are a run of cargo.

use std::path::Path;
use std::process::{Command, Stdio};

use super::step::Step;
use crate::build::BARE_METAL;
use crate::workspace;

/// Crates that are built for the machine itself.
const BARE: [&str; 4] = ["loadphys-apps", "loadphys-boot", "loadphys-guest", "loadphys-stub"];

/// Crates of which Miri can run every test.
const PURE: [&str; 4] = ["loadphys-abi", "loadphys-plan", "loadphys-rules", "page-reclaim"];

/// Every step that needs nothing but the stable toolchain; `apps` is built into the guest.
pub fn steps(apps: &Path) -> Vec<Step> {
    let lints = ["--", "-D", "warnings"];
    vec![
        step("format", &["fmt", "--all", "--check"]),
        step("clippy, host", &[&["clippy", "--all-targets"], &lints[..]].concat()),
        bare("clippy, bare metal", apps, &["clippy"], &lints),
        strict(step("docs, host", &["doc", "--no-deps"])),
        strict(bare(
            "docs, bare metal",
            apps,
            &["doc", "--no-deps", "--document-private-items"],
            &[],
        )),
        Step { live: true, ..step("host tests", &["test"]) },
        broken("host tests, no flush", "broken-skip-flush"),
        broken("host tests, frames freed before the flush", "broken-free-before-flush"),
        Step {
            live: true,
            ..step("host tests of the stub", &["test", "-p", "loadphys-stub", "--lib"])
        },
    ]
}

/// Miri on the pure crates.
pub fn miri() -> Step {
    let mut words = vec!["+nightly", "miri", "test", "--features", "loadphys-plan/read"];
    words.extend(PURE.iter().flat_map(|name| ["-p", name]));
    let mut step = Step { live: true, ..step("Miri", &words) };
    // Tests of properties ask for the time and the environment; Miri is slow, so few cases do.
    step.command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "4");
    step
}

fn step(name: &'static str, words: &[&str]) -> Step {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root()).args(words).stdin(Stdio::null());
    Step { name, command, live: false }
}

fn bare(name: &'static str, apps: &Path, before: &[&str], after: &[&str]) -> Step {
    let mut words = before.to_vec();
    words.extend(["--target", BARE_METAL]);
    words.extend(BARE.iter().flat_map(|name| ["-p", name]));
    let mut step = step(name, &[&words, after].concat());
    step.command.env("LOADPHYS_APPS", apps).env_remove("RUSTFLAGS");
    step
}

/// Tests that must find what a feature breaks on purpose.
fn broken(name: &'static str, feature: &str) -> Step {
    let words = ["test", "-p", "loadphys-tests", "--features", feature, "--test", "broken"];
    Step { live: true, ..step(name, &words) }
}

/// With warnings as errors.
fn strict(mut step: Step) -> Step {
    step.command.env("RUSTDOCFLAGS", "-D warnings");
    step
}
