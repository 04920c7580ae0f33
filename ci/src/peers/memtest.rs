//! Debian's memtest86+, which tries all memory that it is told of: fetched and unpacked beside our own build products.

use std::path::PathBuf;

use anyhow::Result;

use crate::foreign::Foreign;
use crate::outcome::bad_input;
use crate::{tools, workspace};

/// The package, and the program in it. It takes Linux's boot protocol.
const PACKAGE: &str = "memtest86+";
const IMAGE: &str = "boot/memtest86+x64.bin";

/// A console that is read, and nothing that differs from machine to machine or waits for a key.
const LINE: &str = "console=ttyS0,115200 nosmp nopause nobench nosm nobigstatus";

/// Fetches it unless it is there.
///
/// # Errors
/// Bad input if it cannot be fetched; what is missing.
pub fn fetch() -> Result<()> {
    image().map(drop)
}

/// The kernel, with its line.
///
/// # Errors
/// As [`fetch`].
pub fn kernel() -> Result<Foreign> {
    Ok(Foreign { image: image()?, line: LINE.to_owned(), initrd: None })
}

fn image() -> Result<PathBuf> {
    let directory = workspace::target().join("peers").join("memtest");
    let unpacked = directory.join("package");
    if !unpacked.is_dir() {
        tools::fetchable()
            .map_err(|why| bad_input(format!("{why}, to fetch Debian's package {PACKAGE}")))?;
        tools::unpack(PACKAGE, &directory, &unpacked)?;
    }
    let image = unpacked.join(IMAGE);
    let missing = || {
        bad_input(format!(
            "{} has no {IMAGE}: remove it, and it is fetched anew",
            unpacked.display()
        ))
    };
    image.is_file().then_some(image).ok_or_else(missing)
}
