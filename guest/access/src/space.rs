//! A space whose tables are edited through a method, with the traits of the `x86_64` crate.
//!
//! [`ForeignSpace`] has functions of its own that say everything that can go wrong ([`EditError`]), and implements
//! [`Translate`](x86_64::structures::paging::Translate), [`Mapper`](x86_64::structures::paging::Mapper) for pages of
//! 4 KiB, 2 MiB and 1 GiB, and [`CleanUp`](x86_64::structures::paging::mapper::CleanUp) on top of them. Where these
//! have no word for an error, they panic, and name it.
//!
//! # Flushing
//! The space may be loaded on other CPUs, or be cached under a PCID of its own, and no edit here flushes what they
//! know. The tokens [`MapperFlush`](x86_64::structures::paging::mapper::MapperFlush) and
//! [`MapperFlushAll`](x86_64::structures::paging::mapper::MapperFlushAll) flush on this CPU, under the current PCID.
//! So their `flush` and `flush_all` are right only if the space is loaded on this CPU and neither loaded elsewhere nor
//! cached under another PCID. In any other case do as after any edit by a method: hand what was changed to
//! the kernel's own shootdown, and `ignore()` the token. A page that was not mapped before needs neither.
//!
//! # How it differs from `x86_64::OffsetPageTable`
//! - Every edit of a live entry is a compare-exchange that is tried again when the walker has set Accessed or Dirty
//!   meanwhile; changes of flags keep both.
//! - An entry that is not present translates nothing, whatever else it holds: it may be a swap entry. So it is not given
//!   flags either, among which Present may be: whoever changes flags may have lost the race against an eviction. A page,
//!   or a table, that has lost Present is got back only by an edit of the kernel's own.
//! - A large page is never taken for a table, nor a table for a large page, and failing changes neither.
//!   Bit 7 of an entry of level one is PAT, not the page size.
//! - Entries that lead to tables are always writable, as `RecursivePageTable` makes them: methods that go through slots
//!   of the root write to tables by way of them.
//! - A table is released, and its frame given back, only after the kernel's shootdown; `clean_up` leaves the upper half
//!   alone, which belongs to the kernel and to methods.
#![expect(unsafe_code, reason = "applies methods; vouches for the names that it makes")]

mod clean_up;
mod deeds;
mod edit;
mod error;
mod flags;
mod map;
mod mapper;
mod pages;
mod translate;

use core::cell::RefCell;

use x86_64::structures::paging::PhysFrame;

pub use deeds::{TableDeeds, Unlinked};
pub use error::EditError;
pub use pages::PageLevel;

use crate::cpu::{Cpu, Unsupported};
use crate::operation::{Method, Operation, Stopped};

/// A space, foreign or loaded, on this CPU.
///
/// `D` is the kernel's part; to translate only, it may be `()`.
///
/// ```
/// use foreign_access::cpu::Hosted;
/// use foreign_access::methods::DirectMap;
/// use foreign_access::space::{ForeignSpace, TableDeeds, Unlinked};
/// use x86_64::structures::paging::page_table::{PageTable, PageTableFlags};
/// use x86_64::structures::paging::{FrameAllocator, Mapper, Page, PhysFrame, Size4KiB, Translate};
/// use x86_64::{PhysAddr, VirtAddr};
///
/// /// Eight frames that this program takes for the physical memory of a machine.
/// struct Memory(Vec<PageTable>);
///
/// // SAFETY: the frames are zero from the start and never reused; there are no other CPUs.
/// unsafe impl TableDeeds for Memory {
///     fn zero(&mut self, _: PhysFrame) {}
///     fn shoot_down(&mut self, _: &[Unlinked]) {}
/// }
///
/// /// Gives out frame after frame.
/// struct Frames(core::ops::Range<u64>);
///
/// // SAFETY: each frame is given out once.
/// unsafe impl FrameAllocator<Size4KiB> for Frames {
///     fn allocate_frame(&mut self) -> Option<PhysFrame> {
///         self.0.next().map(frame)
///     }
/// }
///
/// fn frame(number: u64) -> PhysFrame {
///     PhysFrame::containing_address(PhysAddr::new(number << 12))
/// }
///
/// let mut memory = Memory((0..8).map(|_| PageTable::new()).collect());
/// let (root, mut frames) = (frame(0), Frames(1..8));
/// // SAFETY: the vector does not move, so physical address 0 is where it begins.
/// let mut method = unsafe { DirectMap::new(VirtAddr::from_ptr(memory.0.as_mut_ptr())) };
/// let cpu = Hosted::new(root);
///
/// // SAFETY: the root is empty, and nobody else uses the memory.
/// let mut space = unsafe { ForeignSpace::new(&cpu, &mut method, &mut memory, root) }?;
/// let page = Page::<Size4KiB>::containing_address(VirtAddr::new(0x40_0000));
/// let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
/// // SAFETY: no program runs in this space.
/// let flush = unsafe { space.map_to(page, frame(0x1234), flags, &mut frames) }.unwrap();
/// flush.ignore();
/// assert_eq!(frames.0, 4..8, "three tables were needed");
/// let address = space.translate_addr(VirtAddr::new(0x40_0abc));
/// assert_eq!(address, Some(PhysAddr::new(0x123_4abc)));
/// # Ok::<(), foreign_access::cpu::Unsupported>(())
/// ```
#[derive(Debug)]
pub struct ForeignSpace<'a, C, M, D> {
    cpu: &'a C,
    /// Borrowed once for a whole translation, which must do with `&self`.
    method: RefCell<&'a mut M>,
    deeds: &'a mut D,
    root: PhysFrame,
}

impl<'a, C: Cpu, M: Method<C>, D> ForeignSpace<'a, C, M, D> {
    /// The space with this root, edited on this CPU through this method.
    ///
    /// # Safety
    /// As long as it exists,
    /// - the frame is the root of a space that the method can reach: it was adopted, and holds what the method needs;
    /// - the code stays on this CPU, or is back on it whenever it uses the space;
    /// - whoever uses the space is ready for any page of it to be taken away: [`unmap_page`](ForeignSpace::unmap_page) and
    ///   [`Mapper::unmap`](x86_64::structures::paging::Mapper::unmap) are safe. No more than that: whoever else could
    ///   still reach the frame is a matter of the shootdown that must come before it is used again;
    /// - nobody else links or unlinks tables of the space. Others may edit entries of pages, but not while
    ///   [`clean`](ForeignSpace::clean) runs, as is said there. Others may use the space.
    ///
    /// # Errors
    /// The method cannot be used where paging is set up as it is on this CPU.
    pub unsafe fn new(
        cpu: &'a C,
        method: &'a mut M,
        deeds: &'a mut D,
        root: PhysFrame,
    ) -> Result<Self, Unsupported> {
        method.supports(cpu.paging())?;
        Ok(Self { cpu, method: RefCell::new(method), deeds, root })
    }

    /// Its root.
    pub const fn root(&self) -> PhysFrame {
        self.root
    }

    /// Does operations whose names come from a walk of the space.
    #[inline(always)]
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: names made by `walk` from the root are true as long as its tables stay, and nobody else links or
        // unlinks them, says the caller of `new`; nor do we between a walk and the use of what it found. Whoever uses
        // the space is ready for the edits: for pages that are taken away, says the caller of `new`; for all
        // else, says the caller of the function that does it, which is unsafe.
        unsafe { self.method.get_mut().apply(self.cpu, operations) }
    }
}
