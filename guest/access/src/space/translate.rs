//! Where an address leads.
#![expect(unsafe_code, reason = "applies methods; vouches for the names that it makes")]

use x86_64::VirtAddr;
use x86_64::structures::paging::mapper::{MappedFrame, Translate, TranslateResult};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{Page, PhysFrame};

use super::pages::{self, PageLevel};
use super::{EditError, ForeignSpace};
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::{EntryName, Method};
use crate::walk::{self, NoEntry};

impl<C: Cpu, M: Method<C>, D> ForeignSpace<'_, C, M, D> {
    /// The entry that maps an address, in a page of whatever size, and its name.
    ///
    /// # Errors
    /// [`NoEntry`].
    #[inline]
    pub fn leaf(&self, address: VirtAddr) -> Result<(EntryName, Entry), NoEntry> {
        let mut method = self.method.borrow_mut();
        // SAFETY: as in `apply`; nothing is edited.
        walk::leaf(|batch| unsafe { method.apply(self.cpu, batch) }, self.root, address)
    }

    /// The frame that a page of this size is mapped to.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn frame_of<S: PageLevel>(&self, page: Page<S>) -> Result<PhysFrame<S>, EditError> {
        let mut method = self.method.borrow_mut();
        // SAFETY: as in `apply`; nothing is edited.
        let apply = |batch: &mut [_]| unsafe { method.apply(self.cpu, batch) };
        let (name, entry) = walk::find(apply, self.root, page.start_address(), S::LEVEL)?;
        pages::frame(name, entry)
    }
}

/// # Panics
/// If the method refuses; [`ForeignSpace::leaf`] says why.
impl<C: Cpu, M: Method<C>, D> Translate for ForeignSpace<'_, C, M, D> {
    #[inline]
    fn translate(&self, address: VirtAddr) -> TranslateResult {
        match self.leaf(address) {
            Ok((name, entry)) => mapped(name.level(), entry, address),
            Err(NoEntry::Absent(..) | NoEntry::Large(..)) => TranslateResult::NotMapped,
            Err(NoEntry::Stopped(stopped)) => panic!("the method refused: {:?}", stopped.refusal),
        }
    }
}

/// What an entry of this level maps an address to.
#[inline]
fn mapped(level: PageTableLevel, entry: Entry, page: VirtAddr) -> TranslateResult {
    let (start, bytes) = (pages::address(entry, level), walk::bytes_per_entry(level));
    if !pages::is_aligned(start, bytes) {
        return TranslateResult::InvalidFrameAddress(start);
    }
    let frame = match level {
        PageTableLevel::One => MappedFrame::Size4KiB(PhysFrame::containing_address(start)),
        PageTableLevel::Two => MappedFrame::Size2MiB(PhysFrame::containing_address(start)),
        _ => MappedFrame::Size1GiB(PhysFrame::containing_address(start)),
    };
    TranslateResult::Mapped { frame, offset: page.as_u64() & (bytes - 1), flags: entry.flags() }
}
