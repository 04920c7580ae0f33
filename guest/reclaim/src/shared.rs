//! Pages that belong to more than one space: where each of them is.

use crate::Memory;
use crate::flushed::Flushed;
use crate::frames::Marks;
use crate::machine::Machine;
use crate::number::{FrameNumber, Share, Slot};

/// Where one shared page is; 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedPage(pub(crate) Place);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nobody has touched it yet: it is zeros.
    #[default]
    Nowhere,
    /// In this frame (and perhaps in the frame's slot too).
    InFrame(FrameNumber),
    /// In this slot, and in no frame.
    InSwap(Slot),
}

const _: () = assert!(size_of::<SharedPage>() == 8);

/// Where shared pages are.
#[derive(Debug)]
pub struct SharedPages<'a> {
    pages: &'a mut [SharedPage],
}

/// A shared page cannot end while a space maps it, or while it is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillMapped(pub Share);

impl<'a> SharedPages<'a> {
    /// One record for each page; all are zeros at first.
    pub fn new(pages: &'a mut [SharedPage]) -> Self {
        pages.fill(SharedPage::default());
        Self { pages }
    }

    /// For how many pages there are records.
    pub const fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are no records at all.
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page's place; that of a page without a record is nowhere.
    pub(crate) fn place(&self, share: Share) -> Place {
        self.pages.get(share.index() as usize).map_or(Place::Nowhere, |page| page.0)
    }

    pub(crate) fn set(&mut self, share: Share, place: Place) {
        self.pages[share.index() as usize].0 = place;
    }
}

/// Forgets what is in a shared page: its frame or slot becomes free, and it is zeros again.
///
/// # Errors
/// [`StillMapped`], and nothing has changed.
pub fn end_share<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    share: Share,
) -> Result<(), StillMapped> {
    match memory.shared.place(share) {
        Place::Nowhere => {}
        Place::InSwap(slot) => memory.swap.release(slot, 1),
        Place::InFrame(frame) => {
            let page = memory.page(frame);
            if page.mappings.is_some() || page.marks.has(Marks::EVICTING) {
                return Err(StillMapped(share));
            }
            memory.drop_page(frame);
            memory.frames.free(frame, &Flushed::before());
            machine.freed(frame.frame());
        }
    }
    memory.shared.set(share, Place::Nowhere);
    Ok(())
}
