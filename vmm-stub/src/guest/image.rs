//! The guest's file: which format it has, what goes where, and where it is entered.

use core::fmt;
use core::ops::Range;

use heapless::Vec;
use loadphys_boot::handoff::Region;

use super::linux::{self, Setup};
use super::multiboot1::{self, Header};
use super::{elf_file, pvh};
use crate::places;

/// Most segments that are loaded.
pub const MOST_SEGMENTS: usize = 16;

/// A part of the file that is to be in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The bytes of the file.
    pub file: Range<usize>,
    /// Where they go, and the zeroes behind them.
    pub memory: Range<u64>,
}

/// How a guest is entered, and what it is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// By PVH.
    Pvh,
    /// By multiboot 1.
    Multiboot1(Header),
    /// By Linux's 32-bit boot protocol.
    Linux(Setup),
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// How it is entered.
    pub format: Format,
    /// The 32-bit physical entry point.
    pub entry: u32,
    /// What to load.
    pub segments: Vec<Segment, MOST_SEGMENTS>,
}

/// Why a file cannot be the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadImage {
    /// None of the formats.
    Unknown,
    /// No ELF file, or a damaged one.
    NoElf,
    /// For another CPU; the ELF machine number.
    Machine(u16),
    /// No program; the ELF type.
    Type(u16),
    /// An ELF file without an entry that is known here.
    NoNote,
    /// Nothing to load, or too much.
    Segments(usize),
    /// Multiboot 1 with flags that are not known here.
    Multiboot(u32),
    /// A kernel of Linux's boot protocol that is too old; its version.
    Linux(u16),
    /// A header that contradicts itself or the file; which.
    Header(&'static str),
    /// A segment would lie where there is no memory, or only reserved memory.
    Outside(Range<u64>),
    /// A segment would lie in the stub.
    OverStub(Range<u64>),
    /// The command line is longer than the kernel takes; how much it does.
    Line(u32),
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("is no kernel: neither PVH or multiboot 1 ELF nor Linux bzImage")
            }
            Self::NoElf => f.write_str("is a damaged ELF file"),
            Self::Machine(machine) => write!(f, "is not for x86-64 but for ELF machine {machine}"),
            Self::Type(kind) => write!(f, "is no program but of ELF type {kind}"),
            Self::NoNote => f.write_str(
                "has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY) and no multiboot 1 header",
            ),
            Self::Segments(n) => write!(f, "has {n} segments to load; 1 to {MOST_SEGMENTS} can be"),
            Self::Multiboot(flags) => write!(
                f,
                "wants multiboot 1 with flags {flags:#x}; {:#x} are known",
                multiboot1::KNOWN
            ),
            Self::Linux(version) => write!(
                f,
                "has Linux's boot protocol {}.{}; 2.10 or later is needed",
                version >> 8,
                version & 0xff
            ),
            Self::Header(what) => write!(f, "has a damaged {what}"),
            Self::Outside(at) => write!(f, "wants {:#x}..{:#x}: not usable", at.start, at.end),
            Self::OverStub(at) => write!(f, "wants {:#x}..{:#x}: the stub's", at.start, at.end),
            Self::Line(most) => write!(f, "takes a command line of at most {most} bytes"),
        }
    }
}

impl Image {
    /// Reads a file, whose content says which format it has.
    ///
    /// # Errors
    /// [`BadImage`]; where the segments go is judged by [`Image::check_places`].
    pub fn read(file: &[u8]) -> Result<Self, BadImage> {
        if linux::is(file) {
            return linux::read(file);
        }
        let header = multiboot1::find(file);
        if !file.starts_with(b"\x7fELF") {
            return match header {
                Some((at, header)) => multiboot1::read_plain(file, at, header),
                None => Err(BadImage::Unknown),
            };
        }
        let elf = elf_file::read(file)?;
        let (format, entry) = match (pvh::entry(&elf), header) {
            (Some(entry), _) => (Format::Pvh, entry),
            (None, Some((_, header))) => (Format::Multiboot1(header.checked()?), elf_entry(&elf)?),
            (None, None) => return Err(BadImage::NoNote),
        };
        Ok(Self { format, entry, segments: elf_file::segments(&elf, file.len())? })
    }

    /// Puts a kernel that can be put elsewhere below `below`, if there is no memory where it wants to be.
    pub fn settle(&mut self, map: &[Region], below: u64) {
        if let Format::Linux(setup) = &self.format
            && let Some(place) = setup.place(&self.place(), map, below)
        {
            self.entry = place.start as u32;
            self.segments[0].memory = place;
        }
    }

    /// Whether every segment lies in usable memory and none in the stub.
    ///
    /// # Errors
    /// [`BadImage::OverStub`], [`BadImage::Outside`].
    pub fn check_places(&self, map: &[Region], stub: &Range<u64>) -> Result<(), BadImage> {
        for Segment { memory, .. } in &self.segments {
            if places::overlap(memory, stub) {
                return Err(BadImage::OverStub(memory.clone()));
            }
            if !places::usable(map, memory) {
                return Err(BadImage::Outside(memory.clone()));
            }
        }
        Ok(())
    }

    /// Whether it takes this command line.
    ///
    /// # Errors
    /// [`BadImage::Line`].
    pub fn check_line(&self, line: &str) -> Result<(), BadImage> {
        match &self.format {
            Format::Linux(setup) if line.len() > setup.most_line as usize => {
                Err(BadImage::Line(setup.most_line))
            }
            _ => Ok(()),
        }
    }

    /// Below which address its modules must lie.
    pub const fn modules_end(&self) -> u64 {
        match &self.format {
            Format::Linux(setup) => setup.modules_end,
            _ => 1 << 32,
        }
    }

    /// Whether its modules must begin at whole pages.
    pub const fn wants_pages(&self) -> bool {
        matches!(&self.format, Format::Multiboot1(header) if header.wants_pages())
    }

    /// From where to where the segments go.
    pub fn place(&self) -> Range<u64> {
        let places = || self.segments.iter().map(|segment| &segment.memory);
        let start = places().map(|memory| memory.start).min().unwrap_or(0);
        start..places().map(|memory| memory.end).max().unwrap_or(0)
    }

    /// Whether any segment goes into this range.
    pub fn overlaps(&self, range: &Range<u64>) -> bool {
        let mut places = self.segments.iter().map(|s| &s.memory);
        places.any(|memory| places::overlap(memory, range))
    }
}

fn elf_entry(elf: &elf_file::Elf<'_>) -> Result<u32, BadImage> {
    elf_file::entry(elf).ok_or(BadImage::Header("entry point"))
}

#[cfg(test)]
mod tests;
