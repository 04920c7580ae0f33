//! Disks of machines: what is on them, and what is wrong with them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loadphys_disk::PAGE_BYTES;
use loadphys_disk::header::{Header, NoHeader};
use loadphys_plan::command_line::Swap;
use tempfile::TempPath;

use crate::machines::MachineName;
use crate::workspace;

/// A disk of a machine.
#[derive(Clone, Debug)]
pub struct Disk {
    /// How it is connected.
    pub bus: Bus,
    /// What is on it.
    pub contents: Contents,
    /// What is wrong with it (QEMU only).
    pub flaws: Vec<Flaw>,
}

/// How a disk is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// A virtio block device on PCI (QEMU only).
    Virtio,
    /// An ATA disk behind an IDE controller.
    Ata,
}

impl Bus {
    /// How the disk of a kind of swap is connected; `None` if it needs none.
    pub const fn of(swap: Swap) -> Option<Self> {
        match swap {
            Swap::Ram => None,
            Swap::Virtio => Some(Self::Virtio),
            Swap::Ata => Some(Self::Ata),
        }
    }

    /// Whether a machine has it.
    pub const fn is_on(self, machine: MachineName) -> bool {
        !matches!((self, machine), (Self::Virtio, MachineName::Bochs))
    }
}

/// What is on a disk.
#[derive(Clone, Debug)]
pub enum Contents {
    /// What a file holds; what is written goes there.
    File(PathBuf),
    /// A new swap image with room for at least so many pages, its header among them. It is gone after the boot.
    Swap {
        /// Pages.
        pages: u32,
    },
    /// Zeros, gone after the boot.
    Zeros {
        /// Pages.
        pages: u32,
    },
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Requests fail.
    Error {
        /// Whether those that write do, or those that read.
        writes: bool,
        /// Only those that touch this page.
        page: Option<u32>,
        /// Only the first of them.
        once: bool,
    },
    /// From the second write on, none is carried out within hours.
    StuckWrites,
}

/// A disk that is there.
#[derive(Debug)]
pub struct Made {
    /// As it was wanted.
    pub disk: Disk,
    made: Option<TempPath>,
}

impl Disk {
    /// A new swap image without flaws.
    pub const fn swap(bus: Bus, pages: u32) -> Self {
        Self { bus, contents: Contents::Swap { pages }, flaws: Vec::new() }
    }
}

impl Made {
    /// The file that holds it.
    ///
    /// # Panics
    /// Never: a disk whose contents are no file was made.
    pub fn file(&self) -> &Path {
        match (&self.made, &self.disk.contents) {
            (Some(made), _) => made,
            (None, Contents::File(file)) => file,
            (None, _) => unreachable!("what is no file was made"),
        }
    }
}

/// Makes the disks that are not there; they are gone when the answer is dropped.
pub fn make(disks: &[Disk]) -> Result<Vec<Made>> {
    disks.iter().map(make_one).collect()
}

fn make_one(disk: &Disk) -> Result<Made> {
    let made = match disk.contents {
        Contents::File(_) => None,
        Contents::Swap { pages } => Some(temporary(|file| write_swap(file, "temporary", pages))?),
        Contents::Zeros { pages } => Some(temporary(|file| fill_up(file, pages))?),
    };
    Ok(Made { disk: disk.clone(), made })
}

fn temporary(write: impl FnOnce(&mut File) -> Result<()>) -> Result<TempPath> {
    let directory = workspace::target();
    std::fs::create_dir_all(&directory)?;
    let file = tempfile::Builder::new().prefix("swap-").suffix(".img").tempfile_in(&directory);
    let mut file = file.with_context(|| format!("no disk image in {}", directory.display()))?;
    write(file.as_file_mut())?;
    Ok(file.into_temp_path())
}

/// Pages of a cylinder of 16 heads and 63 sectors, which is how Bochs counts disks.
const CYLINDER_PAGES: u32 = 16 * 63 * 512 / PAGE_BYTES as u32;

const _: () = assert!(CYLINDER_PAGES as usize * PAGE_BYTES == 16 * 63 * 512);

/// So many pages or the fewest more that are whole cylinders.
pub const fn whole_cylinders(pages: u32) -> u32 {
    pages.div_ceil(CYLINDER_PAGES) * CYLINDER_PAGES
}

/// Makes a file a swap image with room for at least so many pages, its header among them.
pub fn write_swap(file: &mut File, name: &str, pages: u32) -> Result<()> {
    let header =
        Header::new(name, whole_cylinders(pages)).context("a swap image cannot be that")?;
    fill_up(file, header.pages())?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.write_all(&header.encode())?)
}

/// Has a file hold zeros and nothing else.
fn fill_up(file: &mut File, pages: u32) -> Result<()> {
    file.set_len(0)?;
    Ok(file.set_len(u64::from(whole_cylinders(pages)) * PAGE_BYTES as u64)?)
}

/// What the first page of a file says, or why it is no swap image.
pub fn header_of(file: &Path) -> Result<std::result::Result<Header, NoHeader>> {
    let mut page = [0; PAGE_BYTES];
    let mut opened = File::open(file)?;
    match opened.read_exact(&mut page) {
        Ok(()) => Ok(Header::decode(&page)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Ok(Err(NoHeader::NoMagic))
        }
        Err(error) => Err(error.into()),
    }
}
