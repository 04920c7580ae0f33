//! The batch of operations on entries, and the one trait that every method has.

use core::fmt;

use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::entry::Entry;

/// Which entry: named both ways, since physical methods use the frame of its table and virtual
/// ones the space and page that it translates.
///
/// A batch has many names, and each is made and used once; so both are kept as methods use them: the physical
/// address of the entry, and the page with the level in its low bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntryName {
    physical: u64,
    root: PhysFrame,
    page_and_level: u64,
}

/// Bits of an address below the page's.
const OFFSET: u64 = 0xfff;

impl EntryName {
    /// The entry of a table of this level that takes part in translating a page, in the space that the root belongs to. Level four
    /// is that of the root's entries, level one of those of 4 KiB pages.
    #[inline]
    pub const fn new(
        table: PhysFrame,
        root: PhysFrame,
        page: VirtAddr,
        level: PageTableLevel,
    ) -> Self {
        // 8 times the index of the level: the index stands 12 bits up at level one, 9 more a level.
        let offset = page.as_u64() >> (9 * level as u32) & 0xff8;
        let page_and_level = page.as_u64() & !OFFSET | level as u64;
        Self { physical: table.start_address().as_u64() + offset, root, page_and_level }
    }

    /// The same for whoever has both as numbers: the physical address of the entry, and that of the page, of which bits 47:12
    /// count.
    #[inline]
    pub const fn at(physical: u64, root: PhysFrame, page: u64, level: PageTableLevel) -> Self {
        Self { physical, root, page_and_level: page & !OFFSET | level as u64 }
    }

    /// The entry for the same page in another table on the way to it.
    #[inline]
    pub const fn in_table(&self, table: PhysFrame, level: PageTableLevel) -> Self {
        Self::new(table, self.root, self.page(), level)
    }

    /// The entry for another page in the same table.
    #[inline]
    pub const fn of_page(&self, page: VirtAddr) -> Self {
        Self::new(self.table(), self.root, page, self.level())
    }

    /// The frame of the table that holds the entry.
    #[inline]
    pub const fn table(&self) -> PhysFrame {
        PhysFrame::containing_address(PhysAddr::new_truncate(self.physical))
    }

    /// The root of the space that the table belongs to.
    #[inline]
    pub const fn root(&self) -> PhysFrame {
        self.root
    }

    /// A page that the entry takes part in translating.
    #[inline]
    pub const fn page(&self) -> VirtAddr {
        VirtAddr::new_truncate(self.page_and_level & !OFFSET)
    }

    /// The level of the table: four holds the root's entries, one those of 4 KiB pages.
    #[inline]
    pub const fn level(&self) -> PageTableLevel {
        match self.page_and_level & OFFSET {
            1 => PageTableLevel::One,
            2 => PageTableLevel::Two,
            3 => PageTableLevel::Three,
            _ => PageTableLevel::Four,
        }
    }

    /// The number of the level, from 1 to 4; for those who compute with it, this is less work than [`EntryName::level`].
    #[inline]
    pub const fn level_number(&self) -> u32 {
        (self.page_and_level & OFFSET) as u32
    }

    /// Where in its table the entry is.
    #[inline]
    pub const fn index(&self) -> PageTableIndex {
        PageTableIndex::new_truncate((self.physical >> 3) as u16)
    }

    /// The physical address of the entry, in bytes.
    #[inline]
    pub const fn physical(&self) -> u64 {
        self.physical
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryName")
            .field("table", &self.table())
            .field("index", &self.index())
            .field("root", &self.root)
            .field("page", &self.page())
            .field("level", &self.level())
            .finish()
    }
}

/// What to do with an entry. Every store is atomic, because the walker sets Accessed and Dirty
/// in live entries at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Action {
    /// Load it.
    Load = Self::LOAD,
    /// Put a new entry in its place.
    Exchange(Entry) = Self::EXCHANGE,
    /// Put a new entry in its place if it holds exactly what is expected.
    CompareExchange {
        /// What must be there.
        expected: Entry,
        /// What to store then.
        new: Entry,
    } = Self::COMPARE_EXCHANGE,
}

impl Action {
    const LOAD: u64 = 0;
    const EXCHANGE: u64 = 1;
    const COMPARE_EXCHANGE: u64 = 2;
}

/// One operation on one entry; it has a cache line for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Operation {
    /// Which entry.
    pub name: EntryName,
    /// What to do.
    pub action: Action,
    /// What was there; written when the operation is done, and also when a compare-exchange
    /// finds something unexpected.
    pub found: Entry,
}

const _: () = assert!(size_of::<Operation>() == 64);

impl Operation {
    /// An operation that is still to be done.
    pub const fn new(name: EntryName, action: Action) -> Self {
        Self { name, action, found: Entry::EMPTY }
    }
}

/// For assembly that works on operations: where it finds what, in bytes from the first of an operation.
#[cfg(any(test, target_os = "none"))]
pub(crate) mod layout {
    use core::mem::offset_of;

    use super::{Action, EntryName, Operation};

    /// [`EntryName::physical`].
    pub const PHYSICAL: usize = offset_of!(Operation, name) + offset_of!(EntryName, physical);
    /// [`EntryName::page`], with the level in the low bits.
    pub const PAGE_AND_LEVEL: usize =
        offset_of!(Operation, name) + offset_of!(EntryName, page_and_level);
    /// Which action: [`EXCHANGE`], what is below is a load, what is above compares.
    pub const ACTION: usize = offset_of!(Operation, action);
    /// What an exchange stores. (An enum with `repr(u64)` is laid out as that number and then, for each variant, as a C
    /// structure.)
    pub const EXCHANGED: usize = ACTION + 8;
    /// What a compare-exchange expects.
    pub const EXPECTED: usize = ACTION + 8;
    /// What it stores then.
    pub const NEW: usize = ACTION + 16;
    /// [`Operation::found`].
    pub const FOUND: usize = offset_of!(Operation, found);
    /// Bytes from one to the next.
    pub const BYTES: usize = size_of::<Operation>();
    /// The number of [`Action::Exchange`].
    pub const EXCHANGE: u64 = Action::EXCHANGE;

    const _: () = assert!(Action::LOAD < EXCHANGE && EXCHANGE < Action::COMPARE_EXCHANGE);
}

/// A batch came to a halt: the operations before `done` were done, the one at `done` was not, and
/// no later one was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many operations were done.
    pub done: usize,
    /// Why the next was not.
    pub refusal: Refusal,
}

/// Why an operation was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A compare-exchange found something else (see [`Operation::found`]).
    Differs,
    /// The entry, or the table, lies above 4 GiB, where the method does not reach.
    Above4GiB,
    /// The stub refused, with this status number of `loadphys_abi::Status`.
    Stub(u64),
}

/// A way to reach entries of spaces that are not loaded (and of the one that is).
///
/// # Safety
/// Kernels rely on entries being what the method says and on nothing else being touched. An
/// implementation
/// - does the operations in order and stops at the first that it cannot do;
/// - loads and stores the named entry only, whole, and stores atomically;
/// - writes what was there to [`Operation::found`];
/// - leaves the loaded root, interrupts and views as they were.
///
/// # Several CPUs, and interrupts
/// Each CPU has an instance of its own, made for the same slots, windows and arrays; room for items
/// is one CPU's. A table is adopted and released on one CPU, for all of them; what [`Method::detach`]
/// says is for each.
///
/// In the middle of a batch an interrupt may load another root, if before the batch goes on the
/// old one is loaded again under the same PCID, and if meanwhile the method is not called on this
/// CPU and no table is released on any. Methods that cannot bear that much turn interrupts off.
#[expect(unsafe_code, reason = "what a method does is trusted and has duties")]
pub unsafe trait Method<C: Cpu> {
    /// Does the operations in order.
    ///
    /// # Safety
    /// Each name must be true: `table` is the table of that level on the way from `root` to
    /// `page`, every upper entry on that way is present and no large page, and it stays so
    /// until the call returns. There are four levels ([`Paging::four_levels`]). Whoever uses the
    /// space must be ready for the edits, and the caller flushes what they make stale.
    ///
    /// # Errors
    /// [`Stopped`] at the first operation that was refused.
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped>;

    /// A frame becomes a table of this level: it is zeroed or filled, and no entry leads to
    /// it yet. A root is adopted as level four.
    ///
    /// # Errors
    /// The refusal of whoever must agree.
    fn adopt(
        &mut self,
        _cpu: &C,
        _table: PhysFrame,
        _level: PageTableLevel,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// A table ceases to be one: no entry leads to it any more and the flush is acknowledged.
    ///
    /// # Errors
    /// The refusal of whoever must agree.
    fn release(&mut self, _cpu: &C, _table: PhysFrame) -> Result<(), Refusal> {
        Ok(())
    }

    /// Lets go of what the method keeps in the loaded root on this CPU. A kernel calls it
    /// - before it loads another root: an idle root that leads to a foreign one would let the
    ///   walker of whoever loads it later set Accessed bits in frames that are tables no more;
    /// - on every other CPU in the shootdown before a table is released.
    ///
    /// Never in the middle of a batch of the same CPU: a CPU answers such a shootdown between two.
    fn detach(&mut self, _cpu: &C) {}

    /// Whether the method can be used where paging is set up like this.
    ///
    /// # Errors
    /// [`Unsupported`] says what is in the way.
    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.four_levels()
    }
}
