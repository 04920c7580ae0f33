//! What a CPU remembers of tables: translations of pages, and the way to tables of every level.
//!
//! SDM volume 3, section 5.10 "Caching Translation Information": entries may be kept until they are
//! invalidated, several for the same page, and any of them may be used; they may also go at any
//! time. What is not present is never cached.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::random::Random;

/// How many entries of each kind are kept.
const ROOM: usize = 48;

/// A page as it once was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Under which PCID it is known.
    pub pcid: u16,
    /// Virtual address of the page's first byte.
    pub page: u64,
    /// Bytes that it translates: 4 KiB, 2 MiB or 1 GiB.
    pub bytes: u64,
    /// Guest-physical address of its first byte.
    pub physical: u64,
    /// Every entry on the way allowed writing.
    pub writable: bool,
    /// Every entry on the way allowed ring 3.
    pub user: bool,
    /// Dirty was set in the leaf.
    pub dirty: bool,
    /// How often the frame had been freed.
    pub generation: u32,
}

/// The way to a table as it once was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Under which PCID it is known.
    pub pcid: u16,
    /// The level of the table it leads to, 1 to 3.
    pub level: u32,
    /// The part of the address that was translated: what is above the table's index.
    pub prefix: u64,
    /// The table.
    pub table: PhysFrame,
    /// Every entry on the way allowed writing.
    pub writable: bool,
    /// Every entry on the way allowed ring 3.
    pub user: bool,
}

/// The part of an address that the entries above a table of this level translate.
pub fn prefix(address: VirtAddr, level: u32) -> u64 {
    address.as_u64() >> (12 + 9 * level)
}

impl Translation {
    fn covers(&self, address: VirtAddr) -> bool {
        address.as_u64() & !(self.bytes - 1) == self.page
    }
}

/// The caches of one CPU; nothing is global.
#[derive(Debug, Default)]
pub struct Caches {
    translations: Vec<Translation>,
    structures: Vec<Structure>,
    /// Addresses used of late: what a CPU may translate on its own account.
    recent: Vec<VirtAddr>,
}

impl Caches {
    /// A translation of an address, perhaps stale; perhaps nothing, though one is known.
    pub fn translation(
        &self,
        pcid: u16,
        address: VirtAddr,
        random: &Random,
    ) -> Option<Translation> {
        let all =
            self.translations.iter().filter(|known| known.pcid == pcid && known.covers(address));
        random.any_of(all).filter(|_| random.chance(7, 8)).copied()
    }

    /// Whether a translation of an address is known.
    pub fn knows(&self, pcid: u16, address: VirtAddr) -> bool {
        self.translations.iter().any(|known| known.pcid == pcid && known.covers(address))
    }

    /// A table from which a walk can go on, perhaps stale; perhaps nothing, though one is known.
    pub fn structure(&self, pcid: u16, address: VirtAddr, random: &Random) -> Option<Structure> {
        let all = self
            .structures
            .iter()
            .filter(|s| s.pcid == pcid && s.prefix == prefix(address, s.level));
        random.any_of(all).filter(|_| random.chance(3, 4)).copied()
    }

    /// An address used of late.
    pub fn recent(&self, random: &Random) -> Option<VirtAddr> {
        random.one_of(&self.recent).copied()
    }

    /// Remembers that an address was used.
    pub fn used(&mut self, address: VirtAddr, random: &Random) {
        keep(&mut self.recent, address, random);
    }

    /// Remembers a translation.
    pub fn keep_translation(&mut self, translation: Translation, random: &Random) {
        keep(&mut self.translations, translation, random);
    }

    /// Remembers the way to a table.
    pub fn keep_structure(&mut self, structure: Structure, random: &Random) {
        keep(&mut self.structures, structure, random);
    }

    /// INVLPG, and what a page fault does: under this PCID the page's translations go, and every way to
    /// a table.
    pub fn invlpg(&mut self, pcid: u16, address: VirtAddr) {
        self.translations.retain(|known| known.pcid != pcid || !known.covers(address));
        self.structures.retain(|known| known.pcid != pcid);
    }

    /// Everything goes that is known under a PCID.
    pub fn forget(&mut self, pcid: u16) {
        self.translations.retain(|known| known.pcid != pcid);
        self.structures.retain(|known| known.pcid != pcid);
    }
}

/// Adds to a full cache by replacing something at random.
fn keep<T: PartialEq>(cache: &mut Vec<T>, new: T, random: &Random) {
    if cache.contains(&new) {
        return;
    }
    if cache.len() < ROOM {
        cache.push(new);
    } else {
        cache[random.below(ROOM)] = new;
    }
}
