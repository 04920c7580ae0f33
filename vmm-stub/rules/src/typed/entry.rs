//! What an entry asks of the frame that it leads to, and which bits it may have.

use loadphys_abi::{FRAME_BYTES, Status};

use crate::level::Level;
use crate::twin::{Twin, is_broken};
use crate::words::{
    ACCESSED, DIRTY, FRAME, GLOBAL, LARGE, NO_EXECUTE, PRESENT, SOFTWARE, USER, WRITABLE,
};

/// What an entry that leads to a table may have.
const OF_LINKS: u64 = FRAME | PRESENT | WRITABLE | USER | ACCESSED | SOFTWARE | NO_EXECUTE;

/// What an entry that maps a page may have. Nobody may choose a memory type.
const OF_PAGES: u64 = OF_LINKS | DIRTY | GLOBAL;

/// What an entry asks of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It leads nowhere.
    Nothing,
    /// To be the guest's, no more.
    Seen(u64),
    /// To be plain memory.
    Written(u64),
    /// To be a table of this level.
    Linked {
        frame: u64,
        level: Level,
        /// It is for the supervisor only, so the table may be an open one.
        supervisor: bool,
    },
}

/// The claim of an entry that stands in a table of this level, and was allowed to.
#[inline]
pub(super) const fn claim(entry: u64, level: Level) -> Claim {
    let frame = (entry & FRAME) / FRAME_BYTES;
    match level.below() {
        _ if entry & PRESENT == 0 => Claim::Nothing,
        None if entry & WRITABLE == 0 => Claim::Seen(frame),
        None => Claim::Written(frame),
        Some(level) => Claim::Linked { frame, level, supervisor: entry & USER == 0 },
    }
}

/// What entries are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits {
    /// Bits of an address that the processor has.
    named: u64,
    /// How many frames of memory there are.
    frames: u64,
    /// Whether the walker is to have nothing to set.
    preset: bool,
}

impl Bits {
    /// For a processor whose physical addresses have `width` bits, and so many frames of memory.
    pub const fn new(width: u32, frames: u64, preset: bool) -> Self {
        Self { named: FRAME & ((1 << width) - 1), frames, preset }
    }

    /// Whether an entry may have these bits in a table of this level; the frame that it leads to is another question.
    ///
    /// # Errors
    /// [`Status::NamesMemory`], [`Status::LargePage`], [`Status::BadFlags`], [`Status::NotPreset`].
    #[inline]
    pub fn check(self, entry: u64, level: Level) -> Result<(), Status> {
        if entry & PRESENT == 0 {
            return self.check_absent(entry);
        }
        let above = level.number() > 1;
        let allowed = if above { OF_LINKS } else { OF_PAGES };
        if above && entry & LARGE != 0 {
            // A twin takes it for an entry that leads to no table.
            if is_broken(Twin::LargePagesAreMapped) { Ok(()) } else { Err(Status::LargePage) }
        } else if entry & !allowed != 0 {
            Err(Status::BadFlags)
        } else if self.preset && !is_preset(entry, above) {
            Err(Status::NotPreset)
        } else {
            Ok(())
        }
    }

    /// An entry that is not present may hold anything that no processor takes for memory: one that looks ahead of the check
    /// uses as many bits as its addresses have. What is empty but for Accessed and Dirty names nothing.
    #[inline]
    fn check_absent(self, entry: u64) -> Result<(), Status> {
        let names = (entry & self.named) / FRAME_BYTES < self.frames;
        let empty = entry & !(ACCESSED | DIRTY) == 0;
        if names && !empty && !is_broken(Twin::MemoryIsNamed) {
            Err(Status::NamesMemory)
        } else {
            Ok(())
        }
    }
}

/// Whether the walker has nothing to set in a present entry.
const fn is_preset(entry: u64, above: bool) -> bool {
    let written = !above && entry & WRITABLE != 0;
    let needed = if written { ACCESSED | DIRTY } else { ACCESSED };
    entry & needed == needed
}
