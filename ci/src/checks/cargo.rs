//! Steps that are a run of cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::step::Step;
use crate::build::BARE_METAL;
use crate::workspace;

/// Crates that are built for the machine itself.
const BARE: [&str; 6] = [
    "loadphys-apps",
    "loadphys-boot",
    "loadphys-guest",
    "loadphys-peer-linux",
    "loadphys-stub",
    "loadphys-test-guests",
];

/// Crates of which Miri can run every test.
const PURE: [&str; 5] =
    ["loadphys-abi", "loadphys-disk", "loadphys-plan", "loadphys-rules", "page-reclaim"];

/// Every step that needs nothing but the stable toolchain; `apps` is built into the guest.
pub fn steps(apps: &Path) -> Vec<Step> {
    let lints = ["--", "-D", "warnings"];
    vec![
        step("format", &["fmt", "--all", "--check"]),
        format_of_methods(),
        step("clippy, host", &[&["clippy", "--all-targets"], &lints[..]].concat()),
        bare("clippy, bare metal", apps, &["clippy"], &lints),
        strict(step("docs, host", &["doc", "--no-deps"])),
        strict(bare(
            "docs, bare metal",
            apps,
            &["doc", "--no-deps", "--document-private-items"],
            &[],
        )),
        package("package of foreign-access, host", &[]),
        package("package of foreign-access, bare metal", &["--target", BARE_METAL]),
        Step { live: true, ..step("host tests", &["test"]) },
        broken("host tests, no flush", "broken-skip-flush", "broken"),
        broken("host tests, frames freed before the flush", "broken-free-before-flush", "broken"),
        broken("host tests, Dirty forgotten", "broken-forget-dirty", "victims"),
        broken("host tests, flush before the edit", "broken-flush-before-edit", "races"),
        broken("host tests, load and then store", "broken-load-then-store", "races"),
        broken("host tests, write before the flush", "broken-write-before-flush", "races"),
        Step {
            live: true,
            ..step("host tests of the stub", &["test", "-p", "loadphys-stub", "--lib"])
        },
        loom(),
        Step {
            live: true,
            ..step(
                "broken twins of the rules",
                &["test", "-p", "loadphys-rules", "--features", "twins", "twin"],
            )
        },
        Step {
            live: true,
            ..step(
                "host tests of the peer's program",
                &["test", "-p", "loadphys-peer-linux", "--lib"],
            )
        },
    ]
}

/// The shootdown protocol in every order of its steps, with the loom crate's atomics in place of the real ones.
pub fn loom() -> Step {
    let words = ["test", "-p", "page-reclaim", "--features", "twins", "--test", "loom"];
    let mut step = step("loom on the shootdown protocol, up to three preemptions", &words);
    // Everything is built anew with this flag, so apart from everything else.
    step.command.env("RUSTFLAGS", "--cfg loom");
    step.command.env("CARGO_TARGET_DIR", workspace::root().join("target/loom"));
    // A twin that is found broken panics; what it says is read by the test.
    step.command.env("RUST_BACKTRACE", "0");
    Step { live: true, ..step }
}

/// The crate that other kernels take, packed, unpacked and built away from this workspace.
fn package(name: &'static str, target: &[&str]) -> Step {
    step(name, &[&["package", "-p", "foreign-access", "--allow-dirty"], target].concat())
}

/// Files whose `mod` lines are in a macro, where cargo fmt does not see them.
fn format_of_methods() -> Step {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--check", "--config-path"]).arg(workspace::root());
    command.args(files_in("guest/access/src/methods")).stdin(Stdio::null());
    command.current_dir(workspace::root());
    Step { name: "format, methods", command, live: false }
}

/// The Rust files of a folder; if there are none, the folder, which is an error to every tool.
fn files_in(folder: &str) -> Vec<PathBuf> {
    let folder = workspace::root().join(folder);
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let is_rust = |file: &PathBuf| file.extension().is_some_and(|end| end == "rs");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_rust).collect();
    files.sort();
    if files.is_empty() { vec![folder] } else { files }
}

/// Miri on the pure crates.
pub fn miri() -> Step {
    let mut words = vec!["+nightly", "miri", "test", "--features", "loadphys-plan/read"];
    words.extend(PURE.iter().flat_map(|name| ["-p", name]));
    let mut step = Step {
        live: true,
        ..step("Miri on abi, disk, plan, rules and page-reclaim, not on the model", &words)
    };
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

/// Tests, in this file, that must find what a feature breaks on purpose.
fn broken(name: &'static str, feature: &str, file: &str) -> Step {
    let words = ["test", "-p", "loadphys-tests", "--features", feature, "--test", file];
    Step { live: true, ..step(name, &words) }
}

/// With warnings as errors.
fn strict(mut step: Step) -> Step {
    step.command.env("RUSTDOCFLAGS", "-D warnings");
    step
}
