//! Guests that are entered by multiboot 1 ("Multiboot Specification", version 0.6.96): a header in the first 8 KiB says how,
//! an information structure says what they have. They are ELF files, or plain files whose header has the addresses.

use core::ops::Range;

use heapless::Vec;
use loadphys_boot::handoff::Region;
use loadphys_boot::handoff::pvh::{RESERVED, USABLE};

use super::block::{Block, NoRoom, halves};
use super::handover::Handover;
use super::image::{BadImage, Format, Image, Segment};
use super::pvh::parts;

/// What EAX holds at the entry.
pub const MAGIC: u32 = 0x2bad_b002;

/// What a header begins with, within so many bytes of the file, at a multiple of 4.
const HEADER_MAGIC: u32 = 0x1bad_b002;
const SEARCHED: usize = 8192;

/// Flags of a header: modules at whole pages; memory information; the header has the addresses. A loader must know all
/// of the lower half.
const PAGES: u32 = 1 << 0;
const MEMORY: u32 = 1 << 1;
const ADDRESSES: u32 = 1 << 16;
const MUST_KNOW: u32 = 0xffff;

/// The flags that are known here.
pub const KNOWN: u32 = PAGES | MEMORY | ADDRESSES;

/// What a header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    flags: u32,
}

impl Header {
    /// Whether modules must begin at whole pages.
    pub const fn wants_pages(self) -> bool {
        self.flags & PAGES != 0
    }

    /// The same, if all is known that must be.
    ///
    /// # Errors
    /// [`BadImage::Multiboot`].
    pub const fn checked(self) -> Result<Self, BadImage> {
        match self.flags & MUST_KNOW & !KNOWN {
            0 => Ok(self),
            _ => Err(BadImage::Multiboot(self.flags)),
        }
    }
}

/// The word at this byte.
fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?))
}

/// Finds a header; gives its place too.
pub fn find(file: &[u8]) -> Option<(usize, Header)> {
    (0..SEARCHED.min(file.len())).step_by(4).find_map(|at| {
        let (magic, flags, sum) = (word(file, at)?, word(file, at + 4)?, word(file, at + 8)?);
        let all = magic.wrapping_add(flags).wrapping_add(sum);
        (at + 12 <= SEARCHED && magic == HEADER_MAGIC && all == 0).then_some((at, Header { flags }))
    })
}

/// Reads a file that is no ELF file and has this header at this byte.
///
/// # Errors
/// [`BadImage`].
pub fn read_plain(file: &[u8], at: usize, header: Header) -> Result<Image, BadImage> {
    const DAMAGED: BadImage = BadImage::Header("multiboot 1 header");
    let header = header.checked()?;
    if header.flags & ADDRESSES == 0 {
        return Err(BadImage::Header("multiboot 1 header: no ELF file, and no addresses"));
    }
    let field = |number: usize| word(file, at + 12 + 4 * number).map(u64::from).ok_or(DAMAGED);
    let [header_at, start, load_end, bss_end, entry] =
        [field(0)?, field(1)?, field(2)?, field(3)?, field(4)?];
    let skipped = header_at.checked_sub(start).and_then(|before| (at as u64).checked_sub(before));
    let first = skipped.ok_or(DAMAGED)?;
    // 0 means all of the file.
    let bytes =
        if load_end == 0 { file.len() as u64 - first } else { load_end.wrapping_sub(start) };
    let last = first.checked_add(bytes).filter(|last| *last <= file.len() as u64).ok_or(DAMAGED)?;
    let end = (start + bytes).max(bss_end);
    if bytes == 0 || !(start..end).contains(&entry) {
        return Err(DAMAGED);
    }
    let segment = Segment { file: first as usize..last as usize, memory: start..end };
    Ok(Image {
        format: Format::Multiboot1(header),
        entry: entry as u32,
        segments: Vec::from_iter([segment]),
    })
}

/// The information structure: how long it is, and where in it is what.
mod info {
    pub const BYTES: usize = 116;
    pub const FLAGS: usize = 0;
    /// Kibibytes below 1 MiB and from there to the first hole.
    pub const MEMORY: usize = 4;
    pub const COMMAND_LINE: usize = 16;
    /// How many, and where.
    pub const MODULES: usize = 20;
    /// How many bytes, and where.
    pub const MAP: usize = 44;
    pub const LOADER: usize = 64;
    /// Of these all but the boot device are there: bits 0, 2, 3, 6 and 9.
    pub const HAS: u32 = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9;
}

/// An entry of the memory map: its size without this word, address, bytes, kind; and one of the list of modules.
const MAP_ENTRY: usize = 24;
const MODULE_ENTRY: usize = 16;

/// Writes an information structure and all it names; gives its address, which goes to EBX.
///
/// # Errors
/// [`NoRoom`].
pub fn write(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<u32, NoRoom> {
    let info = block.reserve(info::BYTES)?;
    let map = write_map(handover, block)?;
    let modules = write_modules(handover, block)?;
    let line = block.text(handover.command_line)? as u32;
    let loader = block.text("loadphys")? as u32;
    let fields: [(usize, &[u32]); 6] = [
        (info::FLAGS, &[info::HAS]),
        (info::MEMORY, &[kib_from(handover.memory, 0), kib_from(handover.memory, 1 << 20)]),
        (info::COMMAND_LINE, &[line]),
        (info::MODULES, &[handover.modules.len() as u32, block.address(&modules) as u32]),
        (info::MAP, &[map.len() as u32, block.address(&map) as u32]),
        (info::LOADER, &[loader]),
    ];
    for (at, words) in fields {
        let place = info.start + at..info.start + at + size_of_val(words);
        block.put_words(&place, words.iter().copied());
    }
    Ok(block.address(&info) as u32)
}

fn write_map(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<Range<usize>, NoRoom> {
    let map = block.reserve(handover.memory.len() * MAP_ENTRY)?;
    for (region, entry) in handover.memory.iter().zip(parts(&map, MAP_ENTRY)) {
        let places = [region.start, region.end - region.start].into_iter().flat_map(halves);
        let kind = if region.usable { USABLE } else { RESERVED };
        block.put_words(&entry, [MAP_ENTRY as u32 - 4].into_iter().chain(places).chain([kind]));
    }
    Ok(map)
}

fn write_modules(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<Range<usize>, NoRoom> {
    let modules = block.reserve(handover.modules.len() * MODULE_ENTRY)?;
    for (module, entry) in handover.modules.iter().zip(parts(&modules, MODULE_ENTRY)) {
        let text = block.text(&module.command_line)?;
        block.put_words(&entry, [module.start as u32, module.end as u32, text as u32, 0]);
    }
    Ok(modules)
}

/// Kibibytes of usable memory without a hole from an address on, as far as it lies below 4 GiB.
fn kib_from(memory: &[Region], from: u64) -> u32 {
    let mut end = from;
    // Regions are sorted by their starts.
    for region in memory.iter().filter(|region| region.usable) {
        if region.start <= end && end < region.end {
            end = region.end;
        }
    }
    ((end.min(1 << 32) - from) >> 10) as u32
}

#[cfg(test)]
mod tests;
