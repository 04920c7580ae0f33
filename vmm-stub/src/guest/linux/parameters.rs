//! The page of parameters ("The Linux/x86 Boot Protocol", and `Documentation/x86/zero-page.rst`), and what it names.

use loadphys_boot::handoff::pvh::{RESERVED, USABLE};

use super::{HEADER, Setup, field};
use crate::guest::block::{Block, NoRoom, halves};
use crate::guest::handover::Handover;
use crate::guest::pvh::parts;
use crate::guest::screen::Screen;

/// Bytes of the page.
const PAGE: usize = 4096;

/// Places in the page that the setup header does not have.
const RSDP: usize = 0x70;
const REGIONS: usize = 0x1e8;
const MAP: usize = 0x2d0;

/// An entry of the memory map: address, bytes, kind; and how many there is room for.
const MAP_ENTRY: usize = 20;
const MOST_REGIONS: usize = 128;

/// A loader without a number of its own.
const UNDEFINED_LOADER: u8 = 0xff;

/// A screen in text mode of a VGA (`screen_info.orig_video_isVGA`).
const VGA_TEXT: u8 = 1;

/// Writes the page, for a kernel that lies at `code_at`, and all it names; gives its address, which goes to ESI.
///
/// # Errors
/// [`NoRoom`], also if the memory map has too many regions for the page.
pub fn write(
    setup: &Setup,
    code_at: u32,
    handover: &Handover<'_>,
    block: &mut Block<'_>,
) -> Result<u32, NoRoom> {
    let page = block.reserve(PAGE)?;
    let line = block.text(handover.command_line)? as u32;
    let rsdp = handover.rsdp.map_or(Ok(0), |bytes| block.bytes(bytes))?;
    let module = handover.modules.first();
    let module = module.map_or([0, 0], |m| [m.start as u32, (m.end - m.start) as u32]);
    let mut put = |at: usize, bytes: &[u8]| {
        block.put(page.start + at..page.start + at + bytes.len(), bytes);
    };
    put(HEADER, &setup.header);
    put(field::LOADER, &[UNDEFINED_LOADER]);
    put(field::CODE_AT, &code_at.to_le_bytes());
    put(field::MODULE, module.map(u32::to_le_bytes).as_flattened());
    put(field::COMMAND_LINE, &line.to_le_bytes());
    put(RSDP, &rsdp.to_le_bytes());
    put(0, &handover.screen.map_or([0; 18], screen_info));
    put_map(handover, page.start, block)?;
    Ok(block.address(&page) as u32)
}

fn put_map(handover: &Handover<'_>, page: usize, block: &mut Block<'_>) -> Result<(), NoRoom> {
    let count = handover.memory.len();
    if count > MOST_REGIONS {
        return Err(NoRoom);
    }
    block.put(page + REGIONS..page + REGIONS + 1, &[count as u8]);
    let map = page + MAP..page + MAP + count * MAP_ENTRY;
    for (region, entry) in handover.memory.iter().zip(parts(&map, MAP_ENTRY)) {
        let kind = if region.usable { USABLE } else { RESERVED };
        let words = [region.start, region.end - region.start].into_iter().flat_map(halves);
        block.put_words(&entry, words.chain([kind]));
    }
    Ok(())
}

/// `screen_info`, as far as it is about text.
const fn screen_info(screen: Screen) -> [u8; 18] {
    let mut info = [0; 18];
    (info[0], info[1]) = screen.cursor;
    (info[6], info[7]) = (screen.mode, screen.columns);
    (info[0xe], info[0xf], info[0x10]) = (screen.lines, VGA_TEXT, screen.points);
    info
}
