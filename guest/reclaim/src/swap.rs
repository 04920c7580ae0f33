//! The swap map: who refers to which slot of the swap device, and what was written there.
//!
//! A slot is referred to by every swap entry that names it, and by whoever holds the page: the
//! frame that has the same page in memory, or the shared page that is in swap. It is free when
//! nobody refers to it any more, unless it is bad: then it is never used again.

mod groups;

use groups::Groups;
pub use groups::SlotGroup;

use crate::checksum::Checksum;
use crate::number::{FrameNumber, Slot};

/// Mark in [`SlotRecord::references`]: the device failed to write the slot.
const BAD: u32 = 1 << 31;

/// Who refers to one slot, and what is in it; 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotRecord {
    /// How many do; the highest bit is [`BAD`].
    references: u32,
    /// The frame that holds the page too, or when it went ([`WENT`]).
    cached: u32,
    /// Of the page that was written last.
    checksum: Checksum,
}

const _: () = assert!(size_of::<SlotRecord>() == 16);

/// Bit of [`SlotRecord::cached`] that says: no frame does, and the rest is when it went, counted in pages that went. Frames
/// have smaller numbers.
const WENT: u32 = 1 << 31;

/// Who refers to which slot, and which slots are free.
#[derive(Debug)]
pub struct SwapMap<'a> {
    records: &'a mut [SlotRecord],
    free: Groups<'a>,
    free_count: u32,
    bad_count: u32,
    /// Pages that went so far, modulo [`WENT`].
    time: u32,
}

impl<'a> SwapMap<'a> {
    /// One record for each page of the device, and as many groups as [`Self::groups_for`] says. Slot 0 is not used.
    ///
    /// # Panics
    /// If there are too few groups.
    pub fn new(records: &'a mut [SlotRecord], groups: &'a mut [SlotGroup]) -> Self {
        assert!(groups.len() >= Self::groups_for(records.len()), "a group for every 64 slots");
        records.fill(SlotRecord::default());
        let slots = records.len() as u32;
        let free = Groups::new(groups, slots);
        Self { records, free, free_count: slots.saturating_sub(1), bad_count: 0, time: 0 }
    }

    /// How many groups so many records need.
    pub const fn groups_for(records: usize) -> usize {
        Groups::needed(records)
    }

    /// How many slots are free.
    pub const fn free_count(&self) -> u32 {
        self.free_count
    }

    /// How many slots could not be written and are not used any more.
    pub const fn bad_count(&self) -> u32 {
        self.bad_count
    }

    /// How many records there are; slots have smaller numbers.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records at all.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many refer to a slot.
    pub fn references(&self, slot: Slot) -> u32 {
        self.records.get(slot.index()).map_or(0, |record| record.references & !BAD)
    }

    /// Takes a free slot for a page that is in a frame; the frame refers to it.
    #[inline]
    pub(crate) fn allocate(&mut self, frame: FrameNumber) -> Option<Slot> {
        let slot = Slot::new(self.free.take()?)?;
        self.free_count -= 1;
        let record = &mut self.records[slot.index()];
        (record.references, record.cached) = (1, frame.number());
        Some(slot)
    }

    /// The frame that holds the page of a slot too.
    #[inline]
    pub(crate) fn cached(&self, slot: Slot) -> Option<FrameNumber> {
        let record =
            self.records.get(slot.index()).filter(|record| record.references & !BAD > 0)?;
        FrameNumber::new(record.cached).filter(|_| record.cached & WENT == 0)
    }

    /// How many pages went since the page of a slot did, modulo 2^31. Nothing is known if it is in a frame.
    pub(crate) fn gone_for(&self, slot: Slot) -> Option<u32> {
        let cached = self.records.get(slot.index())?.cached;
        (cached & WENT != 0).then(|| self.time.wrapping_sub(cached) & !WENT)
    }

    /// What a slot notes whose page goes now.
    #[inline(always)]
    fn went(&mut self) -> u32 {
        self.time = self.time.wrapping_add(1) & !WENT;
        WENT | self.time
    }

    /// Notes which frame holds the page of a slot too, or that none does any more.
    #[inline]
    pub(crate) fn set_cached(&mut self, slot: Slot, frame: Option<FrameNumber>) {
        let cached = frame.map_or_else(|| self.went(), FrameNumber::number);
        self.records[slot.index()].cached = cached;
    }

    /// What was written to a slot.
    pub(crate) fn checksum(&self, slot: Slot) -> Checksum {
        self.records[slot.index()].checksum
    }

    /// The frame of a slot goes, and the slot keeps the page. Its reference goes too, unless another holder takes it
    /// over.
    #[inline(always)]
    pub(crate) fn keep(&mut self, slot: Slot, checksum: Checksum, is_taken_over: bool) {
        let went = self.went();
        let record = &mut self.records[slot.index()];
        (record.cached, record.checksum) = (went, checksum);
        if !is_taken_over {
            self.release(slot, 1);
        }
    }

    /// Whether a slot is not to be written any more.
    #[inline]
    pub(crate) fn is_bad(&self, slot: Slot) -> bool {
        self.records[slot.index()].references & BAD != 0
    }

    /// A slot could not be written. It stays as long as it is referred to, and is not free afterwards.
    pub(crate) fn set_bad(&mut self, slot: Slot) {
        let record = &mut self.records[slot.index()];
        self.bad_count += u32::from(record.references & BAD == 0);
        record.references |= BAD;
    }

    /// So many more refer to a slot that is in use.
    #[inline]
    pub(crate) fn refer(&mut self, slot: Slot, more: u32) {
        self.records[slot.index()].references += more;
    }

    /// So many fewer refer to a slot; with the last one it becomes free.
    #[inline]
    pub(crate) fn release(&mut self, slot: Slot, fewer: u32) {
        let record = &mut self.records[slot.index()];
        record.references -= fewer;
        if fewer > 0 && record.references == 0 {
            self.free.put(slot.number());
            self.free_count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SlotGroup, SlotRecord, SwapMap};
    use crate::number::FrameNumber;

    #[test]
    fn a_slot_knows_how_many_pages_went_since_its_own() {
        let frame = FrameNumber::new(9).unwrap();
        let (mut records, mut groups) = ([SlotRecord::default(); 4], [SlotGroup::default(); 1]);
        let mut map = SwapMap::new(&mut records, &mut groups);
        let slots = [(); 3].map(|()| map.allocate(frame).unwrap());
        assert_eq!(map.gone_for(slots[0]), None, "it is still in a frame");
        map.time = super::WENT - 2;
        slots.iter().for_each(|slot| map.set_cached(*slot, None));
        assert_eq!(slots.map(|slot| map.gone_for(slot)), [Some(2), Some(1), Some(0)]);
        assert_eq!(slots.map(|slot| map.cached(slot)), [None; 3]);
        map.set_cached(slots[0], Some(frame));
        assert_eq!((map.gone_for(slots[0]), map.cached(slots[0])), (None, Some(frame)));
    }

    #[test]
    fn a_slot_is_free_again_when_nobody_refers_to_it() {
        let frame = FrameNumber::new(9).unwrap();
        let (mut records, mut groups) = ([SlotRecord::default(); 3], [SlotGroup::default(); 1]);
        let mut map = SwapMap::new(&mut records, &mut groups);
        let slot = map.allocate(frame).unwrap();
        assert!(map.allocate(frame).is_some());
        assert!(map.allocate(frame).is_none(), "two slots, both taken");
        map.refer(slot, 2);
        map.release(slot, 2);
        assert_eq!((map.references(slot), map.cached(slot)), (1, Some(frame)));
        map.release(slot, 1);
        assert_eq!((map.free_count(), map.cached(slot)), (1, None));
        assert_eq!(map.allocate(frame), Some(slot));
    }

    #[test]
    fn a_bad_slot_is_counted_once_and_never_free_again() {
        let frame = FrameNumber::new(9).unwrap();
        let (mut records, mut groups) = ([SlotRecord::default(); 3], [SlotGroup::default(); 1]);
        let mut map = SwapMap::new(&mut records, &mut groups);
        let slot = map.allocate(frame).unwrap();
        map.set_bad(slot);
        map.set_bad(slot);
        assert_eq!((map.references(slot), map.cached(slot)), (1, Some(frame)));
        map.release(slot, 1);
        assert_eq!((map.free_count(), map.bad_count(), map.cached(slot)), (1, 1, None));
        assert_ne!(map.allocate(frame).unwrap(), slot);
        assert_eq!(map.allocate(frame), None);
    }
}
