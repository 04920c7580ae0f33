//! A window: one page per CPU that is pointed at a table, used, and taken away.
//!
//! Invariant: between batches the window's entry is empty and nothing of it is cached under this PCID, so a
//! stray pointer into it faults. While a batch lasts the window shows one table at a time. Under another PCID
//! something may be cached, from a batch that was interrupted while that one was loaded for a moment; so whenever
//! the window is pointed at a table its page is invalidated.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::lend::{self, Lend};
use crate::methods::self_slot::SLOT_FLAGS;
use crate::operation::{EntryName, Method, Operation, Stopped};

/// Bytes from a CPU's window, and from its entry, to the next CPU's.
const PAGE_BYTES: u64 = 4096;
const ENTRY_BYTES: u64 = 8;

/// A window per CPU.
#[derive(Clone, Copy, Debug)]
pub struct TempMap {
    pages: VirtAddr,
    entries: VirtAddr,
}

impl TempMap {
    /// With the window of CPU `n` at `pages + 4096 n`, and the entry that maps it at `entries + 8 n`.
    ///
    /// # Safety
    /// In every space the entries are those of level one that map the pages; they are empty, and
    /// nothing else uses them. Each is used on its CPU only, and not from interrupts.
    pub const unsafe fn new(pages: VirtAddr, entries: VirtAddr) -> Self {
        Self { pages, entries }
    }
}

struct Window<'a, C> {
    cpu: &'a C,
    page: VirtAddr,
    entry: VirtAddr,
    shown: Option<PhysFrame>,
}

impl<C: Cpu> Window<'_, C> {
    fn set(&self, entry: Entry) {
        // SAFETY: the entry is mapped in every space, and it is this CPU's own.
        unsafe { self.cpu.exchange(self.entry, entry) };
    }

    /// Points the window elsewhere; what was cached of it goes.
    fn show(&mut self, table: PhysFrame) {
        self.set(Entry::new(table, SLOT_FLAGS));
        self.cpu.invlpg(self.page);
        self.shown = Some(table);
    }
}

// SAFETY: the window shows the table of the name, and nothing older is cached of it.
unsafe impl<C: Cpu> Lend for Window<'_, C> {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        if self.shown != Some(name.table()) {
            self.show(name.table());
        }
        self.page + ENTRY_BYTES * u64::from(name.index())
    }

    #[inline]
    fn end(&mut self) {
        if self.shown.take().is_some() {
            self.set(Entry::EMPTY);
            self.cpu.invlpg(self.page);
        }
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically; the only other entry
// touched is the window's own.
unsafe impl<C: Cpu> Method<C> for TempMap {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let number = cpu.number() as u64;
        let (page, entry) = (self.pages + number * PAGE_BYTES, self.entries + number * ENTRY_BYTES);
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(&mut Window { cpu, page, entry, shown: None }, cpu, operations) }
    }
}
