//! Accessed and Dirty, where tables are read-only and the walker cannot set them.
//!
//! The walker's attempt ends in an exit. The rules walk as it did, and set Accessed in the entries of checked tables on the
//! way; if nothing was missing there, it must have been Dirty in the last. Neither bit changes what an entry leads to, so no
//! count changes.

use loadphys_abi::Status;

use super::Typed;
use super::frame::Kind;
use crate::allowed::EntryAt;
use crate::entries::Entries;
use crate::level::Level;
use crate::words::{ACCESSED, DIRTY, FRAME, LARGE, PRESENT, WRITABLE, offset};

/// A walk that came to a halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Physical address of the root.
    pub root: u64,
    /// Its level: 4 or 5.
    pub level: Level,
    /// The address that was translated.
    pub address: u64,
    /// Whether the supervisor may write to pages that are not writable (CR0.WP is clear): then these become dirty too.
    pub writes_anywhere: bool,
}

/// An entry of a checked table on the way.
struct Passed {
    at: EntryAt,
    entry: u64,
}

impl Typed<'_> {
    /// Sets what the walker wanted to set; says in how many entries. None: what was missing came from elsewhere meanwhile, or
    /// the walk would end otherwise now; the walker is to try again.
    ///
    /// # Errors
    /// The walk was not one that checked tables are for: [`Status::OutsideMemory`] or [`Status::WrongLevel`].
    pub fn touch(&self, walk: Walk, memory: &impl Entries) -> Result<u64, Status> {
        let (mut table, mut level) = (walk.root & FRAME, walk.level);
        let mut set = 0;
        loop {
            let address = table + offset(walk.address, level);
            let entry = memory.load(self.word(address)?);
            let passed = match self.kind(address) {
                Kind::Table(is) if is != level => return Err(Status::WrongLevel),
                Kind::Table(_) => Some(Passed { at: EntryAt(address), entry }),
                // Who makes it a table is about to be done.
                Kind::Becoming(_) => return Ok(set),
                Kind::Plain | Kind::Open(_) | Kind::Outside => None,
            };
            if entry & PRESENT == 0 {
                return Ok(set);
            }
            set += passed.as_ref().map_or(0, |passed| passed.set(ACCESSED, memory));
            match level.below() {
                Some(below) if entry & LARGE == 0 => (table, level) = (entry & FRAME, below),
                Some(_) => return Ok(set),
                None if set == 0 => return Ok(passed.map_or(0, |last| last.dirty(walk, memory))),
                None => return Ok(set),
            }
        }
    }
}

impl Passed {
    /// Sets a bit, unless it is set or the entry has changed; says how often.
    fn set(&self, bit: u64, memory: &impl Entries) -> u64 {
        let missing = self.entry & bit == 0;
        let set = || memory.compare_exchange(self.at, self.entry, self.entry | bit).is_ok();
        u64::from(missing && set())
    }

    fn dirty(&self, walk: Walk, memory: &impl Entries) -> u64 {
        let written = self.entry & WRITABLE != 0 || walk.writes_anywhere;
        if written { self.set(DIRTY, memory) } else { 0 }
    }
}
