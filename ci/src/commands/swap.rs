//! Options about where evicted pages go.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use loadphys_plan::command_line::{Plan, Swap};
use loadphys_plan::work;

use super::options::refused;
use crate::disks::{self, Bus, Contents, Disk};
use crate::machines::{MachineName, Path};
use crate::outcome::bad_input;

/// Options about swap.
#[derive(Args)]
pub struct SwapOptions {
    /// Where evicted pages go: ram; or a disk, virtio (QEMU) or ata [default: ram]
    ///
    /// Without --swap-file the disk is an image that is made for the boot and gone after it.
    #[arg(long, value_name = "NAME")]
    swap: Option<String>,
    /// The disk: an image that `cargo xtask swap-image` has made
    #[arg(long, value_name = "FILE")]
    swap_file: Option<PathBuf>,
}

impl SwapOptions {
    /// Where pages are to go, if that was said.
    pub fn kind(&self) -> Result<Option<Swap>> {
        self.swap.as_deref().map(|name| name.parse().map_err(refused)).transpose()
    }

    /// Refuses these options beside another.
    pub fn refuse(&self, other: &str) -> Result<()> {
        match (&self.swap, &self.swap_file) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(bad_input(format!("--swap is for our guest, not for {other}"))),
            (None, Some(_)) => {
                Err(bad_input(format!("--swap-file is for our guest, not for {other}")))
            }
        }
    }

    /// The disks that a plan needs on a machine.
    pub fn disks(&self, plan: &Plan, path: Path, machine: MachineName) -> Result<Vec<Disk>> {
        let Some(bus) = Bus::of(plan.swap) else {
            return match &self.swap_file {
                None => Ok(Vec::new()),
                Some(_) => Err(bad_input("--swap-file needs --swap virtio or ata")),
            };
        };
        if !bus.is_on(machine) {
            let swap = plan.swap;
            return Err(bad_input(format!(
                "--swap {swap}: {machine}, which runs path {path}, has no {swap} disk: there is ram, ata"
            )));
        }
        let contents = match &self.swap_file {
            Some(file) => Contents::File(checked(file)?),
            None => Contents::Swap { pages: work::swap_pages(plan) + 1 },
        };
        Ok(vec![Disk { bus, contents, flaws: Vec::new() }])
    }
}

/// A file that the guest will take.
fn checked(file: &std::path::Path) -> Result<PathBuf> {
    let shown = file.display();
    if !file.is_file() {
        return Err(bad_input(format!("--swap-file {shown}: no such file")));
    }
    match disks::header_of(file).with_context(|| format!("cannot read {shown}"))? {
        Ok(_) => Ok(std::path::absolute(file)?),
        Err(why) => Err(bad_input(format!(
            "--swap-file {shown} {why}; `cargo xtask swap-image` makes one that has it"
        ))),
    }
}
