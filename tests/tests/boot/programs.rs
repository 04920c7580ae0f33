//! What is booted, built once and only if some test runs.

use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use anyhow::{Context, Result, anyhow};
use xtask::build::{self, Programs};
use xtask::hostile::Hostile;
use xtask::machines::Path;

static BUILDING: Mutex<()> = Mutex::new(());

/// What path `bare` needs, and what paths with a stub need.
static PROGRAMS: [LazyLock<Result<Programs, String>>; 2] =
    [LazyLock::new(|| built(Path::Bare)), LazyLock::new(|| built(Path::Vmx))];

fn built(path: Path) -> Result<Programs, String> {
    let _one_at_a_time = BUILDING.lock();
    Programs::build(&[path]).map_err(|error| format!("{error:#}"))
}

/// The guest, and what runs below it on a path.
pub fn programs(path: Path) -> Result<&'static Programs> {
    let [bare, with_stub] = &PROGRAMS;
    let programs = match path {
        Path::Bare => bare,
        Path::Vmx | Path::Svm => with_stub,
    };
    programs.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The guest that tries what several CPUs can do.
pub fn cpus() -> Result<PathBuf> {
    let _one_at_a_time = BUILDING.lock();
    build::cpus_guest()
}

/// The guest that looks at the machine it runs on.
pub fn machine() -> Result<PathBuf> {
    let _one_at_a_time = BUILDING.lock();
    build::machine_guest()
}

/// The kernel that is entered by multiboot 1.
pub fn multiboot1() -> Result<PathBuf> {
    let _one_at_a_time = BUILDING.lock();
    build::multiboot1_kernel()
}

/// The guest that does everything wrong on purpose, and the stub.
pub fn hostile() -> Result<&'static Hostile> {
    static HOSTILE: LazyLock<Result<Hostile, String>> = LazyLock::new(|| {
        let _one_at_a_time = BUILDING.lock();
        Hostile::build().map_err(|error| format!("{error:#}"))
    });
    HOSTILE.as_ref().map_err(|error| anyhow!("{error}"))
}

/// A hypervisor that is broken on purpose by a cargo feature.
pub fn broken_stub(feature: &str) -> Result<PathBuf> {
    let _one_at_a_time = BUILDING.lock();
    kept(build::stub(&[feature])?, feature)
}

/// A guest that is broken on purpose by a cargo feature.
pub fn broken(feature: &str) -> Result<PathBuf> {
    let _one_at_a_time = BUILDING.lock();
    kept(build::guest(&[feature])?, feature)
}

/// A copy that the next build, by another feature, does not overwrite while this one is still to be booted.
fn kept(program: PathBuf, feature: &str) -> Result<PathBuf> {
    let copy = program.with_extension(feature);
    fs::copy(&program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
    Ok(copy)
}
