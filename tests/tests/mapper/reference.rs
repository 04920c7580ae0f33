//! The `x86_64` crate's own mapper, over plain memory of this program.
//!
//! Where it does what no kernel can want, it is not asked, and the answer that ours must give is named instead. These are
//! all such cases; everywhere else both must agree.

use x86_64::VirtAddr;
use x86_64::structures::paging::OffsetPageTable;
use x86_64::structures::paging::page_table::{PageTable, PageTableFlags};

use crate::world::{Pool, ROOT, TABLES};

const PRESENT: u64 = PageTableFlags::PRESENT.bits();
const HUGE: u64 = PageTableFlags::HUGE_PAGE.bits();
const TOUCHED: u64 = 0x60;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// The answer for an entry that has another size than was asked for.
pub const OTHER_SIZE: &str = "ParentEntryHugePage";
/// The answer for a page that is not there.
pub const NOT_MAPPED: &str = "PageNotMapped";

/// Tables in frames from 0.
pub struct Reference {
    memory: Vec<PageTable>,
    /// Frames for tables.
    pub pool: Pool<'static>,
}

impl Reference {
    /// An empty space.
    pub fn new() -> Self {
        let memory = (0..TABLES.end).map(|_| PageTable::new()).collect();
        Self { memory, pool: Pool::new(None) }
    }

    /// The mapper, and frames for it.
    pub fn parts(&mut self) -> (OffsetPageTable<'_>, &mut Pool<'static>) {
        let base = self.memory.as_mut_ptr();
        let offset = VirtAddr::from_ptr(base);
        // SAFETY: frame n is the table n of the vector, and all tables are reached by this pointer.
        let mapper = unsafe { OffsetPageTable::new(&mut *base.add(ROOT as usize), offset) };
        (mapper, &mut self.pool)
    }

    /// What lies on the way to a page: the entries from level four down, as far as tables lead.
    pub fn path(&self, page: VirtAddr) -> Vec<u64> {
        let (mut table, mut path) = (ROOT, Vec::new());
        for level in (1..=4).rev() {
            let entry = self.entry(table, page.as_u64() >> (3 + 9 * level) & 511);
            path.push(entry);
            if level == 1 || entry & PRESENT == 0 || entry & HUGE != 0 {
                break;
            }
            table = (entry & ADDRESS) >> 12;
        }
        path
    }

    /// The entry of this level for a page, if tables lead to it.
    pub fn at(&self, page: VirtAddr, level: u64) -> Option<u64> {
        self.path(page).get(4 - level as usize).copied()
    }

    /// Whether mapping would meet an upper entry that holds something which is not present. The reference panics
    /// there, and so does ours.
    pub fn is_blocked(&self, page: VirtAddr, level: u64) -> bool {
        let above = 4 - level as usize;
        self.path(page).iter().take(above).any(|entry| *entry != 0 && entry & PRESENT == 0)
    }

    /// The reference adds table flags even to the large page that it then refuses to go through. They are taken away.
    pub fn keeping_large_pages<T>(
        &mut self,
        page: VirtAddr,
        level: u64,
        map: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let path = self.path(page);
        let large = path.iter().position(|entry| entry & PRESENT != 0 && entry & HUGE != 0);
        let mapped = map(self);
        if let Some(depth) = large.filter(|depth| *depth < 4 - level as usize) {
            self.set_flags(page, depth, path[depth]);
        }
        mapped
    }

    /// An edit of the kernel's own: what keeps a page from being found is present again, if it is not empty.
    pub fn restore(&mut self, page: VirtAddr) {
        let path = self.path(page);
        let depth = path.len() - 1;
        if path[depth] != 0 {
            self.set_flags(page, depth, path[depth] | PRESENT);
        }
    }

    /// Gives an entry on the way to a page the flags of another.
    fn set_flags(&mut self, page: VirtAddr, depth: usize, other: u64) {
        let path = self.path(page);
        let table = if depth == 0 { ROOT } else { (path[depth - 1] & ADDRESS) >> 12 };
        let index = page.as_u64() >> (39 - 9 * depth) & 511;
        let flags = PageTableFlags::from_bits_retain(other & !ADDRESS);
        self.memory[table as usize][index as usize].set_flags(flags);
    }

    /// What ours must answer to new flags for an entry that leads to a table: what is not present is none, nor is a large
    /// page.
    pub fn sets(&self, page: VirtAddr, level: u64) -> Option<&'static str> {
        match self.at(page, level)? {
            entry if entry & PRESENT == 0 => Some(NOT_MAPPED),
            entry if entry & HUGE != 0 => Some(OTHER_SIZE),
            _ => None,
        }
    }

    /// What ours must answer when asked for the frame of a page, or to new flags for it: what is not present maps
    /// nothing, and a table is no large page.
    pub fn finds(&self, page: VirtAddr, level: u64) -> Option<&'static str> {
        match self.at(page, level)? {
            entry if entry & PRESENT == 0 => Some(NOT_MAPPED),
            entry if level > 1 && entry & HUGE == 0 => Some(OTHER_SIZE),
            _ => None,
        }
    }

    /// Whether the reference would translate by an entry that is not present.
    pub fn is_mistaken(&self, address: VirtAddr) -> bool {
        self.at(address, 1).is_some_and(|entry| entry & PRESENT == 0)
    }

    /// Every entry that is not empty, Accessed and Dirty left out, in order of address.
    pub fn entries(&self) -> Vec<(u32, u64, u64)> {
        let mut all = Vec::new();
        self.collect(ROOT, 4, 0, &mut all);
        all
    }

    fn collect(&self, table: u64, level: u32, page: u64, all: &mut Vec<(u32, u64, u64)>) {
        for index in 0..512 {
            let entry = self.entry(table, index);
            if entry == 0 {
                continue;
            }
            let page = page | index << (3 + 9 * level);
            all.push((level, page, entry & !TOUCHED));
            if level > 1 && entry & PRESENT != 0 && entry & HUGE == 0 {
                self.collect((entry & ADDRESS) >> 12, level - 1, page, all);
            }
        }
    }

    fn entry(&self, table: u64, index: u64) -> u64 {
        let entry = &self.memory[table as usize][index as usize];
        entry.addr().as_u64() | entry.flags().bits()
    }
}
