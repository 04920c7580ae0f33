//! What happens to the records of a page that is mapped, unmapped, given up.

use foreign_access::Entry;

use crate::Memory;
use crate::frames::{Marks, Page};
use crate::number::{FrameNumber, Slot};
use crate::reverse::Mapping;

/// Entry bit that the walker sets when it uses an entry.
pub(crate) const ACCESSED: u64 = 1 << 5;

/// Entry bit that the walker sets when a page is written.
pub(crate) const DIRTY: u64 = 1 << 6;

impl Memory<'_> {
    /// Notes that an entry maps a page now. Whoever maps what others have mapped uses it; the first brings it in. There
    /// must be room in the reverse map.
    pub(crate) fn add_mapping(&mut self, frame: FrameNumber, mapping: Mapping) {
        let page = self.page(frame);
        let head = *page.mappings;
        page.marks.set(if head.is_some() { Marks::USED } else { Marks::RECENT });
        let head = self.reverse.add(head, mapping);
        assert!(head.is_some(), "room was looked for before the entry was made");
        *self.page(frame).mappings = head;
    }

    /// Notes that an entry that mapped a page is gone, and what was in it. Says whether anybody
    /// still needs the frame; `None` if the entry was not known.
    pub(crate) fn remove_mapping(
        &mut self,
        frame: FrameNumber,
        mapping: Mapping,
        found: Entry,
    ) -> Option<bool> {
        let page = self.frames.page(frame)?;
        if found.0 & DIRTY != 0 {
            page.marks.set(Marks::DIRTY);
        }
        let head = *page.mappings;
        let head = self.reverse.remove(head, mapping)?;
        *self.page(frame).mappings = head;
        Some(self.is_needed(frame))
    }

    /// Whether a space maps the page of a frame, or could find it there, or an eviction is at work on it.
    pub(crate) fn is_needed(&mut self, frame: FrameNumber) -> bool {
        let page = self.page(frame);
        let evicting = page.marks.has(Marks::EVICTING);
        let (slot, held) =
            (*page.slot, page.mappings.is_some() || page.share.is_some() || evicting);
        // One reference to the slot is the frame's own; the others are swap entries.
        held || slot.is_some_and(|slot| self.swap.references(slot) > 1)
    }

    /// Gives up what the page of a frame holds; the frame itself is the caller's to free.
    pub(crate) fn drop_page(&mut self, frame: FrameNumber) {
        let page = self.page(frame);
        let (slot, mappings) = (page.slot.take(), page.mappings.take());
        self.reverse.remove_all(mappings);
        if let Some(slot) = slot {
            self.swap.set_cached(slot, None);
            self.swap.release(slot, 1);
        }
    }

    /// A swap entry is gone. Gives back the frame that nobody needs any more because of this.
    pub(crate) fn drop_swap_entry(&mut self, slot: Slot) -> Option<FrameNumber> {
        let cached = self.swap.cached(slot);
        self.swap.release(slot, 1);
        cached.filter(|frame| !self.is_needed(*frame))
    }

    /// The record of a page that must be there.
    #[inline]
    pub(crate) fn page(&mut self, frame: FrameNumber) -> Page<'_> {
        self.frames.page_in(frame)
    }
}
