//! From a virtual address to a physical one.

use foreign_access::Entry;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use super::access::Fault;
use super::caches::{Allowed, Structure, Tag, Translation, prefix};
use super::nested::Arrival;
use super::{Access, Kind, Model, Violation};

const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// What a leaf is global by (SDM volume 3, "Global Pages"). In an entry that leads to a table it is
/// ignored, as long as that entry is not read as a leaf.
const GLOBAL: u64 = 1 << 8;

impl Model<'_> {
    /// The host address that the tables in memory and the CPU's view give now.
    pub(super) fn by_memory(&self, cpu: usize, address: VirtAddr) -> Option<u64> {
        let mut table = self.root(cpu);
        for level in (1..=4).rev() {
            let at = self.arrives_now(cpu, entry_address(table, address, level))?;
            let entry = self.entry(at).filter(|entry| entry.is_present())?;
            if is_leaf(level, entry) {
                let bytes = bytes(level);
                let physical = leaf_base(entry, bytes) + (address.as_u64() & (bytes - 1));
                return self.arrives_now(cpu, physical);
            }
            table = entry.frame()?;
        }
        None
    }

    /// Under what a CPU remembers now.
    pub(super) fn tag(&self, cpu: usize) -> Tag {
        Tag { pcid: self.pcid(cpu), view: self.view(cpu) }
    }

    pub(super) fn translate(
        &self,
        cpu: usize,
        address: VirtAddr,
        access: Access,
    ) -> Result<Translation, Fault> {
        let caches = &self.cpus[cpu].caches;
        let known = caches.borrow().translation(self.tag(cpu), address, &self.random);
        match known.filter(|known| allows(known, access)) {
            Some(known) => Ok(known),
            // Not known, or not enough for this access: the tables are walked (again).
            None => self.walk(cpu, address, access),
        }
    }

    /// Walks the tables, from the root or from a table that the CPU remembers; sets Accessed on the
    /// way, and Dirty in the leaf for a write; remembers all.
    fn walk(&self, cpu: usize, address: VirtAddr, access: Access) -> Result<Translation, Fault> {
        let mut at = self.start(cpu, address);
        loop {
            let place = self.table_at(cpu, address, &at)?;
            let entry = self.entry(place.host).filter(|entry| entry.is_present());
            let entry = entry.ok_or(Fault::Page)?;
            let table = entry.frame().ok_or(Fault::Page)?;
            let flags = entry.flags();
            at.allowed.write &= flags.contains(PageTableFlags::WRITABLE);
            at.allowed.user &= flags.contains(PageTableFlags::USER_ACCESSIBLE);
            at.allowed.fetch &= !flags.contains(PageTableFlags::NO_EXECUTE);
            if is_leaf(at.level, entry) {
                return self.leaf(cpu, address, access, at, (place, entry));
            }
            self.mark((cpu, address), place, ACCESSED, entry_address(at.table, address, at.level))?;
            let level = at.level - 1;
            at = Structure { level, prefix: prefix(address, level), table, ..at };
            self.cpus[cpu].caches.borrow_mut().keep_structure(at, &self.random);
        }
    }

    /// Where a walk starts.
    fn start(&self, cpu: usize, address: VirtAddr) -> Structure {
        let tag = self.tag(cpu);
        let known = self.cpus[cpu].caches.borrow().structure(tag, address, &self.random);
        known.unwrap_or(Structure {
            tag,
            level: 4,
            prefix: 0,
            table: self.root(cpu),
            allowed: Allowed { write: true, user: true, fetch: true },
        })
    }

    /// Where the next entry of a walk is; it should be in a table.
    fn table_at(&self, cpu: usize, address: VirtAddr, at: &Structure) -> Result<Arrival, Fault> {
        let place = self.arrive(cpu, entry_address(at.table, address, at.level), Kind::Load)?;
        let frame = frame_at(place.host);
        if !self.memory.is_table(frame) {
            self.report(Violation::NotATable(address, frame));
        }
        Ok(place)
    }

    /// The end of a walk.
    fn leaf(
        &self,
        cpu: usize,
        address: VirtAddr,
        access: Access,
        at: Structure,
        (place, entry): (Arrival, Entry),
    ) -> Result<Translation, Fault> {
        // Ring 0 does not touch what ring 3 may touch (SMAP, SMEP), nor the other way round.
        let allowed = match access.kind {
            Kind::Load => true,
            Kind::Store => at.allowed.write,
            Kind::Fetch => at.allowed.fetch,
        };
        if !allowed || access.user != at.allowed.user {
            return Err(Fault::Page);
        }
        let dirty = access.kind == Kind::Store || entry.0 & DIRTY != 0;
        let marks = ACCESSED | if dirty { DIRTY } else { 0 };
        self.mark((cpu, address), place, marks, entry_address(at.table, address, at.level))?;
        let bytes = bytes(at.level);
        let found = Translation {
            tag: at.tag,
            global: self.has_global_pages() && entry.0 & GLOBAL != 0,
            page: address.as_u64() & !(bytes - 1),
            bytes,
            physical: leaf_base(entry, bytes),
            allowed: at.allowed,
            dirty,
            made: self.memory.time(),
        };
        self.cpus[cpu].caches.borrow_mut().keep_translation(found, &self.random);
        Ok(found)
    }

    /// Now and then a CPU translates, on its own account, an address that was used before.
    pub(super) fn speculate(&self, cpu: usize, address: VirtAddr) {
        self.cpus[cpu].caches.borrow_mut().used(address, &self.random);
        self.speculate_again(cpu);
    }

    /// A CPU has nothing to do for a while.
    pub fn idle(&self, cpu: usize) {
        (0..64).for_each(|_| self.speculate_again(cpu));
    }

    /// It may do so whatever it is doing.
    pub(super) fn speculate_again(&self, cpu: usize) {
        if self.random.chance(1, 4) {
            let again = self.cpus[cpu].caches.borrow().recent(&self.random);
            if let Some(again) = again {
                let user = again.as_u64() >> 63 == 0;
                // Nobody hears of a fault.
                let _ = self.walk(cpu, again, Access { kind: Kind::Load, user });
            }
        }
    }

    /// Sets bits of an entry, which is a write to its table; where the view does not allow that, the stub may see to it.
    fn mark(
        &self,
        (cpu, page): (usize, VirtAddr),
        place: Arrival,
        bits: u64,
        address: u64,
    ) -> Result<(), Fault> {
        let Some(word) = self.memory.word(place.host) else { return Ok(()) };
        if word.get() & bits == bits {
            return Ok(());
        }
        if !place.rights.write {
            if self.sets_for_walker(cpu, page, word, bits) {
                return Ok(());
            }
            return Err(Fault::View(address));
        }
        word.set(word.get() | bits);
        Ok(())
    }
}

/// Whether a remembered translation is enough. A write whose page was not dirty then sets Dirty
/// in the tables first.
fn allows(known: &Translation, access: Access) -> bool {
    let kind = match access.kind {
        Kind::Load => true,
        Kind::Store => known.allowed.write && known.dirty,
        Kind::Fetch => known.allowed.fetch,
    };
    kind && access.user == known.allowed.user
}

pub(super) fn frame_at(physical: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new_truncate(physical))
}

/// Where the entry of a table is that takes part in translating an address.
pub(super) fn entry_address(table: PhysFrame, address: VirtAddr, level: u32) -> u64 {
    table.start_address().as_u64() + 8 * (address.as_u64() >> (3 + 9 * level) & 511)
}

/// Whether an entry of this level maps a page. At level four there is no such thing: bit 7 must be
/// zero there.
fn is_leaf(level: u32, entry: Entry) -> bool {
    level == 1 || (level < 4 && entry.is_large())
}

fn bytes(level: u32) -> u64 {
    1 << (3 + 9 * level)
}

fn leaf_base(entry: Entry, bytes: u64) -> u64 {
    entry.0 & Entry::FRAME_BITS & !(bytes - 1)
}
