//! Builds the bare-metal programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::boot::children;
use crate::machines::Path as MachinePath;
use crate::progress::Progress;
use crate::{tools, workspace};

mod vmfunc;

/// The target of everything that runs below or as the guest.
pub const BARE_METAL: &str = "x86_64-unknown-none";

/// What can be booted.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The guest kernel with its programs inside.
    pub guest: PathBuf,
    /// The hypervisor, where a path needs it.
    stub: Option<PathBuf>,
}

impl Programs {
    /// Builds what these paths need.
    pub fn build(paths: &[MachinePath]) -> Result<Self> {
        let guest = guest(&[])?;
        let stub = paths.iter().any(|path| path.has_stub()).then(|| stub(&[]));
        Ok(Self { guest, stub: stub.transpose()? })
    }

    /// The hypervisor.
    ///
    /// # Panics
    ///
    /// If the programs were built for paths that do not need it.
    pub fn stub(&self) -> &Path {
        self.stub.as_deref().expect("it is built for paths that need it")
    }
}

/// Builds the guest with these cargo features, which break it on purpose: in a place of its own, so
/// that it cannot be taken for the good one.
pub fn guest(features: &[&str]) -> Result<PathBuf> {
    let apps = apps()?;
    let guest = executable("loadphys-guest", features, Some(&apps))?;
    for program in [&guest, &apps] {
        vmfunc::check(program)?;
    }
    Ok(guest)
}

/// Builds the hypervisor with these cargo features, which break it on purpose, as [`guest`] does.
pub fn stub(features: &[&str]) -> Result<PathBuf> {
    tools::rust_target(BARE_METAL)?;
    executable("loadphys-stub", features, None)
}

/// Builds the guest of the tests that tries what several CPUs can do.
pub fn cpus_guest() -> Result<PathBuf> {
    test_guest("loadphys-cpus")
}

/// Builds the guest of the tests that does everything wrong on purpose.
pub fn hostile_guest() -> Result<PathBuf> {
    test_guest("loadphys-hostile")
}

/// Builds the guest of the tests that looks at the machine it runs on.
pub fn machine_guest() -> Result<PathBuf> {
    test_guest("loadphys-machine")
}

/// Builds the kernel of the tests that is entered by multiboot 1.
pub fn multiboot1_kernel() -> Result<PathBuf> {
    test_guest("loadphys-multiboot1")
}

fn test_guest(program: &str) -> Result<PathBuf> {
    tools::rust_target(BARE_METAL)?;
    let mut cargo = cargo_build("loadphys-test-guests", &[]);
    built(program, program, cargo.args(["--bin", program]))
}

/// Builds the ring-3 programs, which the build of the guest needs.
pub fn apps() -> Result<PathBuf> {
    tools::rust_target(BARE_METAL)?;
    executable("loadphys-apps", &[], None)
}

/// Builds the one program of a Linux that is compared with the guest. It needs no C library, and so neither a linker nor a
/// target other than the guest's.
pub fn peer_linux() -> Result<PathBuf> {
    linux_program("loadphys-peer-linux")
}

/// Builds the one program of a Linux that tries CPUs, memory and a disk.
pub fn linux_check() -> Result<PathBuf> {
    linux_program("loadphys-linux-check")
}

fn linux_program(program: &str) -> Result<PathBuf> {
    tools::rust_target(BARE_METAL)?;
    let mut cargo = cargo_build("loadphys-peer-linux", &[]);
    built(program, program, cargo.args(["--bin", program]))
}

/// Builds a program that runs on the host, cargo's `target`, by these words for cargo; `what` is for people.
pub fn host_executable(what: &str, target: &str, words: &[&str]) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).args(words).stdin(Stdio::null());
    cargo.args(["--message-format", "json-render-diagnostics"]);
    built(what, target, &mut cargo)
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}

fn executable(package: &str, features: &[&str], apps: Option<&Path>) -> Result<PathBuf> {
    let mut cargo = cargo_build(package, features);
    if let Some(apps) = apps {
        cargo.env("LOADPHYS_APPS", apps);
    }
    built(package, package, &mut cargo)
}

/// Runs cargo; gives back the executable that it names.
pub(crate) fn built(what: &str, target: &str, cargo: &mut Command) -> Result<PathBuf> {
    let progress = Progress::start(format!("build {what}"), 0);
    let output = children::output(cargo)?;
    if !output.status.success() {
        progress.finish("failed");
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        bail!("{what} does not build");
    }
    progress.finish("done");
    let messages = String::from_utf8_lossy(&output.stdout);
    executable_in(&messages, target).with_context(|| format!("cargo named no executable of {what}"))
}

fn cargo_build(package: &str, features: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo.args(["build", "--release", "--package", package, "--target", BARE_METAL]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    if !features.is_empty() {
        cargo.args(["--features", &features.join(",")]);
        cargo.arg("--target-dir").arg(workspace::target().join("broken"));
    }
    // It would replace the flags that the target needs.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.stdin(Stdio::null());
    cargo
}

#[derive(Deserialize)]
struct Message {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The executable of this target in cargo's messages. A test of a package has the package's programs built too, and cargo names
/// all of them in no certain order.
fn executable_in(messages: &str, target: &str) -> Option<PathBuf> {
    let read = |line: &str| serde_json::from_str::<Message>(line).ok();
    let mut named = messages.lines().filter_map(read).filter(|it| it.target.name == target);
    named.find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::executable_in;

    #[test]
    fn a_test_is_told_from_the_programs_that_it_has_built() {
        let message = |name: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":"/x/{name}"}}"#
            )
        };
        let library = r#"{"target":{"name":"boot"},"executable":null}"#.to_owned();
        let other = r#"{"reason":"build-finished","success":true}"#.to_owned();
        let all = [message("hit_rates"), library, message("boot"), message("random_work"), other];
        let found = |target| executable_in(&all.join("\n"), target);
        assert_eq!(found("boot").as_deref(), Some(Path::new("/x/boot")));
        assert_eq!(found("random_work").as_deref(), Some(Path::new("/x/random_work")));
        assert_eq!(found("nothing"), None);
    }
}
