//! Guests that are entered by Linux's 32-bit boot protocol (Linux, `Documentation/x86/boot.rst`): a setup header in the first
//! sectors says where, a page of parameters says what they have. Real-mode code between the two is not run.

mod parameters;

use core::ops::Range;

use heapless::Vec;
use loadphys_boot::handoff::Region;

use super::image::{BadImage, Format, Image, Segment};
use crate::places;

pub use parameters::write;

/// Fields of the setup header, by their places in the file; they have the same ones in the page of parameters.
mod field {
    pub const SETUP_SECTORS: usize = 0x1f1;
    pub const BOOT_FLAG: usize = 0x1fe;
    /// The header ends as many bytes behind the next one as this says.
    pub const LENGTH: usize = 0x201;
    pub const MAGIC: usize = 0x202;
    pub const VERSION: usize = 0x206;
    pub const LOADER: usize = 0x210;
    pub const LOAD_FLAGS: usize = 0x211;
    pub const CODE_AT: usize = 0x214;
    pub const MODULE: usize = 0x218;
    pub const COMMAND_LINE: usize = 0x228;
    pub const MODULE_LAST: usize = 0x22c;
    pub const ALIGNMENT: usize = 0x230;
    pub const RELOCATABLE: usize = 0x234;
    pub const MOST_LINE: usize = 0x238;
    pub const PREFERRED: usize = 0x258;
    pub const BYTES_NEEDED: usize = 0x260;
}

/// What the header begins and ends with.
const HEADER: usize = field::SETUP_SECTORS;
const HEADER_END: usize = 0x290;
const SECTOR: usize = 512;

/// The oldest version that says how much memory the kernel takes, and where it wants to be.
const OLDEST: u16 = 0x020a;

/// Of the load flags: the kernel's place is at or above 1 MiB.
const HIGH: u8 = 1 << 0;

/// What the setup header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    header: [u8; HEADER_END - HEADER],
    alignment: u64,
    relocatable: bool,
    /// Bytes that the command line may have.
    pub most_line: u32,
    /// Below which address the initial RAM disk must lie.
    pub modules_end: u64,
}

/// Whether a file is one, or says so.
pub fn is(file: &[u8]) -> bool {
    let at = |place: usize, bytes: &[u8]| file.get(place..place + bytes.len()) == Some(bytes);
    at(field::BOOT_FLAG, &[0x55, 0xaa]) && at(field::MAGIC, b"HdrS")
}

/// Little-endian bytes of the file.
fn number(file: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let bytes = file.get(at..at + bytes)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Reads a file that is one.
///
/// # Errors
/// [`BadImage`].
pub fn read(file: &[u8]) -> Result<Image, BadImage> {
    const DAMAGED: BadImage = BadImage::Header("setup header of Linux's boot protocol");
    let number = |at, bytes| number(file, at, bytes).ok_or(DAMAGED);
    let version = number(field::VERSION, 2)? as u16;
    if version < OLDEST {
        return Err(BadImage::Linux(version));
    }
    let setup = setup(file).ok_or(DAMAGED)?;
    // 0 means 4.
    let sectors = match number(field::SETUP_SECTORS, 1)? as usize {
        0 => 4,
        sectors => sectors,
    };
    let code = (1 + sectors) * SECTOR..file.len();
    let place = number(field::PREFERRED, 8)?;
    let needed = number(field::BYTES_NEEDED, 4)?.max(code.len() as u64);
    let end = place.checked_add(needed).filter(|end| *end <= 1 << 32).ok_or(DAMAGED)?;
    let high = number(field::LOAD_FLAGS, 1)? as u8 & HIGH != 0;
    if code.is_empty() || !high || !setup.alignment.is_power_of_two() {
        return Err(DAMAGED);
    }
    Ok(Image {
        format: Format::Linux(setup),
        entry: place as u32,
        segments: Vec::from_iter([Segment { file: code, memory: place..end }]),
    })
}

fn setup(file: &[u8]) -> Option<Setup> {
    let end = (field::LENGTH + 1 + number(file, field::LENGTH, 1)? as usize).min(HEADER_END);
    let mut header = [0; HEADER_END - HEADER];
    header[..end - HEADER].copy_from_slice(file.get(HEADER..end)?);
    Some(Setup {
        header,
        alignment: number(file, field::ALIGNMENT, 4)?,
        relocatable: number(file, field::RELOCATABLE, 1)? != 0,
        most_line: number(file, field::MOST_LINE, 4)? as u32,
        modules_end: number(file, field::MODULE_LAST, 4)? + 1,
    })
}

impl Setup {
    /// Where else the kernel can be put, below this address, if there is no memory where it wants to be.
    pub(super) fn place(
        &self,
        wanted: &Range<u64>,
        map: &[Region],
        below: u64,
    ) -> Option<Range<u64>> {
        let free = places::usable(map, wanted) && wanted.end <= below;
        if free || !self.relocatable {
            return None;
        }
        let bytes = wanted.end - wanted.start;
        // Room for the next multiple of the alignment.
        let room = places::highest_free(map, below, bytes + self.alignment, &[])?;
        let start = room.start.next_multiple_of(self.alignment);
        Some(start..start + bytes)
    }
}

#[cfg(test)]
mod tests;
