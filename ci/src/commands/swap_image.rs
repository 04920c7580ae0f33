//! `cargo xtask swap-image`.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use loadphys_disk::header::NAME_BYTES;

use super::options::number;
use crate::disks;
use crate::outcome::bad_input;

/// Make a disk image that the guest may swap to.
///
/// Its first page carries the loadphys swap signature, without which the guest writes no disk. Give the image to a boot with
/// --swap virtio or ata and --swap-file FILE; or write it to a whole disk that holds nothing of value, for example with dd, and
/// the guest on that machine finds it by swap=ata or swap=virtio on its command line. As many pages as the image has are
/// used of the disk.
#[derive(Args)]
pub struct Arguments {
    /// Where to write the image
    file: PathBuf,
    /// How large it is, in MiB; a little more, so that it is whole cylinders of 504 KiB
    #[arg(long, value_name = "MIB", default_value = "64")]
    size: String,
    /// What the guest calls it; at most 32 bytes
    #[arg(long, default_value = "loadphys")]
    name: String,
    /// Overwrite a file that is no swap image
    #[arg(long)]
    force: bool,
}

/// As many as slots have numbers for.
const MOST_MIB: u64 = 128 << 10;

/// Pages of a MiB.
const PAGES: u32 = 256;

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let mib = number("--size", &self.size, 1, MOST_MIB)? as u32;
        if self.name.is_empty() || self.name.len() > NAME_BYTES || self.name.contains('\0') {
            let name = &self.name;
            return Err(bad_input(format!("--name '{name}': 1 to {NAME_BYTES} bytes are wanted")));
        }
        may_write(&self.file, self.force)?;
        let cannot = || format!("cannot write {}", self.file.display());
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&self.file);
        let mut file = opened.with_context(cannot)?;
        disks::write_swap(&mut file, &self.name, mib * PAGES).with_context(cannot)?;
        println!("{}", self.file.display());
        Ok(())
    }
}

/// What is there must be nothing, or a swap image, or a file that may go.
fn may_write(file: &Path, force: bool) -> Result<()> {
    let shown = file.display();
    let Ok(found) = file.metadata() else { return Ok(()) };
    if !found.is_file() {
        let would = "make an image elsewhere and copy it there, for example with dd";
        return Err(bad_input(format!("{shown} is no file: {would}")));
    }
    if force || found.len() == 0 {
        return Ok(());
    }
    match disks::header_of(file).with_context(|| format!("cannot read {shown}"))? {
        Ok(_) => Ok(()),
        Err(why) => Err(bad_input(format!("{shown} {why}: --force overwrites it"))),
    }
}
