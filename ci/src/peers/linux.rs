//! Debian's Linux with one program, ours: how both are had and booted.

mod check;
mod package;

pub use check::check;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use loadphys_plan::command_line::Plan;

use super::initramfs::Archive;
use crate::boot::{Job, Module};
use crate::machines::MachineName;
use crate::{build, workspace};

/// A console that is read, few words on it, no mitigations, the same addresses each time, and an end if it panics. What comes
/// after the dashes is for our program.
const LINE: &str = "console=ttyS0 quiet mitigations=off nokaslr panic=-1 --";

/// Where all that belongs to it is.
fn directory() -> PathBuf {
    workspace::target().join("peers").join("linux")
}

/// Fetches it unless it is there.
pub fn fetch() -> Result<()> {
    package::kernel(&directory()).map(drop)
}

/// Boots it for this plan.
pub fn job(plan: &Plan, machine: MachineName, limit: Duration) -> Result<Job> {
    let directory = directory();
    let kernel = package::kernel(&directory)?;
    let program = build::peer_linux()?;
    let modules = [kernel.module];
    let file = initial_files(&directory.join("initramfs.cpio"), &program, &modules)?;
    let module = Some(Module { file, line: String::new() });
    let line = format!("{LINE} {plan}");
    Ok(Job::new(format!("linux on {machine}"), machine, kernel.image, line, module, limit))
}

/// Writes the file system that Linux starts with: our program, and modules.
fn initial_files(path: &Path, program: &Path, modules: &[PathBuf]) -> Result<PathBuf> {
    let read = |file: &Path| {
        std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
    };
    let mut archive = Archive::new();
    for name in ["dev", "proc", "sys", "groups"] {
        archive.directory(name);
    }
    archive.console("dev/console");
    archive.program("init", &read(program)?);
    for module in modules {
        archive.file(&name(module)?, &read(module)?);
    }
    let write = || -> Result<()> {
        let file = tempfile::NamedTempFile::new_in(path.parent().context("it has no directory")?)?;
        std::fs::write(file.path(), archive.finish())?;
        file.persist(path).map(drop)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}

fn name(module: &Path) -> Result<String> {
    let name = module.file_name().context("a module has a name")?;
    Ok(name.to_string_lossy().into_owned())
}
