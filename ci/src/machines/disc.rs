//! The disc that a job boots from, where GRUB loads its files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::boot::Job;
use crate::iso::{self, Entry, Menu, Protocol};

/// Writes it in this directory.
pub fn written(job: &Job, place: &Path) -> Result<PathBuf> {
    let image = place.join("boot.iso");
    iso::write(&image, &Menu { entries: &[entry(job)?], chosen: 0, seconds: 0 })?;
    Ok(image)
}

fn entry(job: &Job) -> Result<Entry> {
    let module = job.module.clone().map(|module| (module.file, module.line));
    let initrd = job.initrd.clone().map(|file| (file, String::new()));
    Ok(Entry {
        title: job.name.clone(),
        protocol: protocol(&job.kernel)?,
        kernel: (job.kernel.clone(), job.line.clone()),
        modules: module.into_iter().chain(initrd).collect(),
    })
}

/// Other kernels than ours are Linux, or take its boot protocol.
fn protocol(kernel: &Path) -> Result<Protocol> {
    let mut head = Vec::new();
    let file = File::open(kernel);
    let read = file.and_then(|file| file.take(0x206).read_to_end(&mut head));
    read.with_context(|| format!("cannot read {}", kernel.display()))?;
    let linux = head.get(0x202..) == Some(b"HdrS");
    Ok(if linux { Protocol::Linux } else { Protocol::Multiboot2 })
}
