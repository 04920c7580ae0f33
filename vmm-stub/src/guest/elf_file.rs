//! ELF files: what goes where.

use elf::ElfBytes;
use elf::abi::{EM_386, EM_X86_64, ET_DYN, ET_EXEC, PT_LOAD};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::segment::ProgramHeader;
use heapless::Vec;

use super::image::{BadImage, MOST_SEGMENTS, Segment};

/// A file that was read so far.
pub type Elf<'a> = ElfBytes<'a, LittleEndian>;

/// Reads a program for this CPU. It may be one for its 32-bit mode: that is how multiboot 1 enters its kernels.
///
/// # Errors
/// [`BadImage`].
pub fn read(file: &[u8]) -> Result<Elf<'_>, BadImage> {
    let elf = Elf::minimal_parse(file).map_err(|_| BadImage::NoElf)?;
    let (class, machine) = (elf.ehdr.class, elf.ehdr.e_machine);
    match (class, machine) {
        (Class::ELF64, EM_X86_64) | (Class::ELF32, EM_386) => {}
        _ => return Err(BadImage::Machine(machine)),
    }
    if ![ET_EXEC, ET_DYN].contains(&elf.ehdr.e_type) {
        return Err(BadImage::Type(elf.ehdr.e_type));
    }
    Ok(elf)
}

/// What is to be loaded.
///
/// # Errors
/// [`BadImage`].
pub fn segments(elf: &Elf<'_>, size: usize) -> Result<Vec<Segment, MOST_SEGMENTS>, BadImage> {
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

/// The physical address of the file's own entry point.
pub fn entry(elf: &Elf<'_>) -> Option<u32> {
    let at = elf.ehdr.e_entry;
    let mut loaded = elf.segments()?.iter().filter(|h| h.p_type == PT_LOAD);
    let physical = loaded.find_map(|header| {
        let offset = at.checked_sub(header.p_vaddr).filter(|offset| *offset < header.p_memsz)?;
        header.p_paddr.checked_add(offset)
    });
    physical.and_then(|at| u32::try_from(at).ok())
}
