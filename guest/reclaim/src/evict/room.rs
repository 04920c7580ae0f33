//! Memory in which an eviction lays out what it does.

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use crate::checksum::Checksum;
use crate::machine::DeviceError;
use crate::number::{FrameNumber, Slot};

/// Memory for one eviction at a time.
#[derive(Debug)]
pub struct Room<'r> {
    /// For the operations of a round.
    pub operations: &'r mut [Operation],
    /// For the pages that are evicted together; [`Write::NOTHING`] at first.
    pub pages: &'r mut [Write],
}

/// A page on its way to its slot.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// The frame that holds it.
    pub frame: PhysFrame,
    /// Where it goes.
    pub slot: Slot,
    /// How it went: the checksum of what is in the slot now. Until somebody says otherwise, it failed.
    pub outcome: Result<Checksum, DeviceError>,
    /// Operations of this round that are about it.
    pub(super) laid: u32,
    pub(super) fate: Fate,
}

/// What becomes of a page; those to be written come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It is written.
    Write,
    /// Its slot holds the same.
    Clean,
    /// It is put back, since an entry could not be exchanged.
    Failed,
}

impl Write {
    /// To fill memory with.
    pub const NOTHING: Self = Self::new(FIRST_FRAME, FIRST_SLOT);

    /// A page that is to be written.
    #[inline]
    pub(super) const fn new(frame: PhysFrame, slot: Slot) -> Self {
        Self { frame, slot, outcome: Err(DeviceError), laid: 0, fate: Fate::Write }
    }

    /// The number of its frame.
    #[inline]
    pub(super) fn number(&self) -> FrameNumber {
        FrameNumber::of(self.frame).unwrap_or_else(|| unreachable!("{self:?} has a record"))
    }
}

const FIRST_FRAME: PhysFrame = PhysFrame::containing_address(x86_64::PhysAddr::zero());

const FIRST_SLOT: Slot = match Slot::new(1) {
    Some(slot) => slot,
    None => unreachable!(),
};

/// Puts those that are to be written first, by slots that ascend; gives back how many these are. Slots of a batch are
/// taken in that order, so mostly there is nothing to do.
#[inline]
pub(super) fn order(pages: &mut [Write]) -> usize {
    let key = |page: &Write| (page.fate, page.slot);
    if !pages.is_sorted_by_key(key) {
        pages.sort_unstable_by_key(key);
    }
    pages.iter().take_while(|page| page.fate == Fate::Write).count()
}
