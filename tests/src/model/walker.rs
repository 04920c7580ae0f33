//! From a virtual address to a physical one.

use foreign_access::Entry;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use super::caches::{Structure, Translation, prefix};
use super::{Access, Model, Violation};

const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;

impl Model<'_> {
    /// The guest-physical address that a CPU reaches; `None` is a page fault.
    pub(super) fn reach(&self, cpu: usize, address: VirtAddr, access: Access) -> Option<u64> {
        let found = self.translate(cpu, address, access);
        self.speculate(cpu, address);
        let Some(found) = found else {
            self.invlpg(cpu, address);
            return None;
        };
        let physical = found.physical + (address.as_u64() - found.page);
        let frame = frame_at(physical);
        // A large page of the kernel's shows memory as such, whatever a frame is at the time. Its other pages may be
        // known from before if that is the same as now, which `ModelCpu` sees to; Dirty means nothing there.
        let shows_memory = found.bytes > bytes(1) && !found.user;
        let is_old = found.user && self.memory.generation(frame) != found.generation;
        if !shows_memory && (self.memory.is_free(frame) || is_old) {
            self.report(Violation::FreedFrame(address, frame));
        }
        Some(physical)
    }

    /// The guest-physical address that the tables in memory give now.
    pub(super) fn by_memory(&self, cpu: usize, address: VirtAddr) -> Option<u64> {
        let mut table = self.root(cpu);
        for level in (1..=4).rev() {
            let entry = self.entry(table, index(address, level)).filter(|e| e.is_present())?;
            if level == 1 || (level < 4 && entry.is_large()) {
                let bytes = bytes(level);
                return Some(leaf_base(entry, bytes) + (address.as_u64() & (bytes - 1)));
            }
            table = entry.frame()?;
        }
        None
    }

    fn translate(&self, cpu: usize, address: VirtAddr, access: Access) -> Option<Translation> {
        let known =
            self.cpus[cpu].caches.borrow().translation(self.pcid(cpu), address, &self.random);
        if let Some(known) = known.filter(|known| allows(known, access)) {
            return Some(known);
        }
        // Not known, or not enough for this access: the tables are walked (again).
        self.walk(cpu, address, access)
    }

    /// Walks the tables, from the root or from a table that the CPU remembers; sets Accessed on the
    /// way, and Dirty in the leaf for a write; remembers all.
    fn walk(&self, cpu: usize, address: VirtAddr, access: Access) -> Option<Translation> {
        let known = self.cpus[cpu].caches.borrow().structure(self.pcid(cpu), address, &self.random);
        let mut at = known.unwrap_or(Structure {
            pcid: self.pcid(cpu),
            level: 4,
            prefix: 0,
            table: self.root(cpu),
            writable: true,
            user: true,
        });
        loop {
            if !self.memory.is_table(at.table) {
                self.report(Violation::NotATable(address, at.table));
            }
            let entry = self.entry(at.table, index(address, at.level))?;
            let table = entry.frame()?;
            let flags = entry.flags();
            at.writable &= flags.contains(PageTableFlags::WRITABLE);
            at.user &= flags.contains(PageTableFlags::USER_ACCESSIBLE);
            if at.level == 1 || (at.level < 4 && entry.is_large()) {
                return self.leaf(cpu, address, access, at, entry);
            }
            self.mark(at.table, index(address, at.level), ACCESSED);
            at = Structure {
                level: at.level - 1,
                prefix: prefix(address, at.level - 1),
                table,
                ..at
            };
            self.cpus[cpu].caches.borrow_mut().keep_structure(at, &self.random);
        }
    }

    /// The end of a walk.
    fn leaf(
        &self,
        cpu: usize,
        address: VirtAddr,
        access: Access,
        at: Structure,
        entry: Entry,
    ) -> Option<Translation> {
        // Ring 0 does not touch what ring 3 may touch (SMAP), nor the other way round.
        if access.write && !at.writable || access.user != at.user {
            return None;
        }
        let dirty = access.write || entry.0 & DIRTY != 0;
        self.mark(at.table, index(address, at.level), ACCESSED | if dirty { DIRTY } else { 0 });
        let bytes = bytes(at.level);
        let physical = leaf_base(entry, bytes);
        let page = address.as_u64() & !(bytes - 1);
        let here = frame_at(physical + (address.as_u64() - page));
        let generation = self.memory.generation(here);
        let Structure { pcid, writable, user, .. } = at;
        let found = Translation { pcid, page, bytes, physical, writable, user, dirty, generation };
        self.cpus[cpu].caches.borrow_mut().keep_translation(found, &self.random);
        Some(found)
    }

    /// Now and then a CPU translates, on its own account, an address that was used before.
    fn speculate(&self, cpu: usize, address: VirtAddr) {
        let caches = &self.cpus[cpu].caches;
        caches.borrow_mut().used(address, &self.random);
        if self.random.chance(1, 4) {
            let again = caches.borrow().recent(&self.random);
            if let Some(again) = again {
                let user = again.as_u64() >> 63 == 0;
                self.walk(cpu, again, Access { write: false, user });
            }
        }
    }

    fn mark(&self, table: PhysFrame, index: u64, bits: u64) {
        if let Some(word) = self.memory.word(table.start_address().as_u64() + 8 * index) {
            word.set(word.get() | bits);
        }
    }
}

/// Whether a remembered translation is enough. A write whose page was not dirty then sets Dirty
/// in the tables first.
fn allows(known: &Translation, access: Access) -> bool {
    (!access.write || known.writable && known.dirty) && access.user == known.user
}

fn frame_at(physical: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new_truncate(physical))
}

fn index(address: VirtAddr, level: u32) -> u64 {
    address.as_u64() >> (3 + 9 * level) & 511
}

fn bytes(level: u32) -> u64 {
    1 << (3 + 9 * level)
}

fn leaf_base(entry: Entry, bytes: u64) -> u64 {
    entry.0 & Entry::FRAME_BITS & !(bytes - 1)
}
