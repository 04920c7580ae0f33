//! The guest's ELF file: what goes where, and where it is entered.

use core::fmt;
use core::ops::Range;

use elf::ElfBytes;
use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PT_LOAD, PT_NOTE};
use elf::endian::LittleEndian;
use elf::note::Note;
use elf::segment::ProgramHeader;
use heapless::Vec;
use loadphys_boot::handoff::Region;

use crate::places;

/// Most segments that are loaded.
pub const MOST_SEGMENTS: usize = 16;

/// `XEN_ELFNOTE_PHYS32_ENTRY` ("x86/HVM direct boot ABI").
const PHYS32_ENTRY: u64 = 18;

/// A part of the file that is to be in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The bytes of the file.
    pub file: Range<usize>,
    /// Where they go, and the zeroes behind them.
    pub memory: Range<u64>,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The 32-bit physical entry point.
    pub entry: u32,
    /// What to load.
    pub segments: Vec<Segment, MOST_SEGMENTS>,
}

/// Why a file cannot be the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadImage {
    /// No 64-bit little-endian ELF file, or a damaged one.
    NoElf,
    /// For another CPU; the ELF machine number.
    Machine(u16),
    /// No program; the ELF type.
    Type(u16),
    /// No PVH note.
    NoNote,
    /// Nothing to load, or too much.
    Segments(usize),
    /// A segment would lie where there is no memory, or only reserved memory.
    Outside(Range<u64>),
    /// A segment would lie in the stub.
    OverStub(Range<u64>),
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest module ")?;
        match self {
            Self::NoElf => f.write_str("is no 64-bit ELF file"),
            Self::Machine(machine) => write!(f, "is not for x86-64 but for ELF machine {machine}"),
            Self::Type(kind) => write!(f, "is no program but of ELF type {kind}"),
            Self::NoNote => f.write_str("has no PVH entry (note XEN_ELFNOTE_PHYS32_ENTRY)"),
            Self::Segments(n) => write!(f, "has {n} segments to load; 1 to {MOST_SEGMENTS} can be"),
            Self::Outside(at) => write!(f, "wants {:#x}..{:#x}: not usable", at.start, at.end),
            Self::OverStub(at) => write!(f, "wants {:#x}..{:#x}: the stub's", at.start, at.end),
        }
    }
}

type Elf<'a> = ElfBytes<'a, LittleEndian>;

impl Image {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadImage`]; where the segments go is judged by [`Image::check_places`].
    pub fn read(file: &[u8]) -> Result<Self, BadImage> {
        let elf = Elf::minimal_parse(file).map_err(|_| BadImage::NoElf)?;
        if elf.ehdr.class != elf::file::Class::ELF64 {
            return Err(BadImage::NoElf);
        }
        if elf.ehdr.e_machine != EM_X86_64 {
            return Err(BadImage::Machine(elf.ehdr.e_machine));
        }
        if ![ET_EXEC, ET_DYN].contains(&elf.ehdr.e_type) {
            return Err(BadImage::Type(elf.ehdr.e_type));
        }
        let segments = segments(&elf, file.len())?;
        let entry = entry(&elf).ok_or(BadImage::NoNote)?;
        Ok(Self { entry, segments })
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

fn segments(elf: &Elf<'_>, size: usize) -> Result<Vec<Segment, MOST_SEGMENTS>, BadImage> {
    let headers = elf.segments().ok_or(BadImage::NoElf)?;
    let loaded = || headers.iter().filter(|h| h.p_type == PT_LOAD && h.p_memsz > 0);
    let count = loaded().count();
    let mut segments = Vec::new();
    for header in loaded() {
        let segment = segment(&header, size).ok_or(BadImage::NoElf)?;
        segments.push(segment).map_err(|_| BadImage::Segments(count))?;
    }
    if segments.is_empty() { Err(BadImage::Segments(0)) } else { Ok(segments) }
}

/// A segment whose numbers make sense.
fn segment(header: &ProgramHeader, size: usize) -> Option<Segment> {
    let start = usize::try_from(header.p_offset).ok()?;
    let end = start.checked_add(usize::try_from(header.p_filesz).ok()?)?;
    let memory = header.p_paddr..header.p_paddr.checked_add(header.p_memsz)?;
    (end <= size && header.p_filesz <= header.p_memsz)
        .then_some(Segment { file: start..end, memory })
}

fn entry(elf: &Elf<'_>) -> Option<u32> {
    let notes = elf.segments()?.iter().filter(|h| h.p_type == PT_NOTE);
    notes.filter_map(|header| elf.segment_data_as_notes(&header).ok()).flatten().find_map(|note| {
        match note {
            Note::Unknown(note) if note.n_type == PHYS32_ENTRY && note.name.starts_with(b"Xen") => {
                address(note.desc)
            }
            _ => None,
        }
    })
}

/// A 32-bit address that may be written with 8 bytes.
fn address(bytes: &[u8]) -> Option<u32> {
    match bytes.len() {
        4 => Some(u32::from_le_bytes(bytes.try_into().ok()?)),
        8 => u32::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
