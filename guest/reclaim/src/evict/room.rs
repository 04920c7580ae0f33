//! Memory in which an eviction lays out what it does.

use foreign_access::Operation;
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use crate::checksum::Checksum;
use crate::machine::DeviceError;
use crate::number::{FrameNumber, Node, Slot};

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
    /// The last one of the ring of its mappings.
    pub(super) last: Option<Node>,
    /// Operations of this round that are about it.
    pub(super) laid: u32,
    /// The number of its frame.
    pub(super) number: FrameNumber,
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
    pub const NOTHING: Self = match (FrameNumber::new(1), Slot::new(1)) {
        (Some(number), Some(slot)) => {
            let frame = PhysFrame::containing_address(PhysAddr::zero());
            let outcome = Err(DeviceError);
            Self { frame, slot, outcome, last: None, laid: 0, number, fate: Fate::Write }
        }
        _ => unreachable!(),
    };
}

/// Puts those that are to be written first, by slots that ascend.
#[cold]
pub(super) fn sort(pages: &mut [Write]) {
    pages.sort_unstable_by_key(|page| (page.fate, page.slot));
}
