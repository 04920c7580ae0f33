//! The swap map: who refers to which slot of the swap device.
//!
//! A slot is referred to by every swap entry that names it, and by whoever holds the page: the
//! frame that has the same page in memory, or the shared page that is in swap. It is free when
//! nobody refers to it any more.

use crate::number::{FrameNumber, Slot};

/// Who refers to one slot; 8 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotRecord {
    references: u32,
    /// While in use, the frame that holds the page too; while free, the next free slot.
    link: u32,
}

const _: () = assert!(size_of::<SlotRecord>() == 8);

/// Who refers to which slot, and which slots are free.
#[derive(Debug)]
pub struct SwapMap<'a> {
    records: &'a mut [SlotRecord],
    free: Option<Slot>,
    free_count: u32,
}

impl<'a> SwapMap<'a> {
    /// One record for each page of the device. Slot 0 is not used.
    pub fn new(records: &'a mut [SlotRecord]) -> Self {
        records.fill(SlotRecord::default());
        let mut map = Self { records, free: None, free_count: 0 };
        for slot in (1..map.records.len() as u32).rev().filter_map(Slot::new) {
            map.push_free(slot);
        }
        map
    }

    /// How many slots are free.
    pub const fn free_count(&self) -> u32 {
        self.free_count
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
        self.records.get(slot.index()).map_or(0, |record| record.references)
    }

    /// Takes a free slot for a page that is in a frame; the frame refers to it.
    pub(crate) fn allocate(&mut self, frame: FrameNumber) -> Option<Slot> {
        let slot = self.free?;
        let record = &mut self.records[slot.index()];
        self.free = Slot::new(record.link);
        self.free_count -= 1;
        *record = SlotRecord { references: 1, link: frame.number() };
        Some(slot)
    }

    /// The frame that holds the page of a slot too.
    #[inline]
    pub(crate) fn cached(&self, slot: Slot) -> Option<FrameNumber> {
        let record = self.records.get(slot.index()).filter(|record| record.references > 0)?;
        FrameNumber::new(record.link)
    }

    /// Notes which frame holds the page of a slot too, or that none does any more.
    #[inline]
    pub(crate) fn set_cached(&mut self, slot: Slot, frame: Option<FrameNumber>) {
        self.records[slot.index()].link = frame.map_or(0, FrameNumber::number);
    }

    /// So many more refer to a slot that is in use.
    #[inline]
    pub(crate) fn refer(&mut self, slot: Slot, more: u32) {
        self.records[slot.index()].references += more;
    }

    /// So many fewer refer to a slot; with the last one it becomes free.
    pub(crate) fn release(&mut self, slot: Slot, fewer: u32) {
        let record = &mut self.records[slot.index()];
        record.references -= fewer;
        if fewer > 0 && record.references == 0 {
            self.push_free(slot);
        }
    }

    fn push_free(&mut self, slot: Slot) {
        let link = self.free.map_or(0, Slot::number);
        self.records[slot.index()] = SlotRecord { references: 0, link };
        self.free = Some(slot);
        self.free_count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{SlotRecord, SwapMap};
    use crate::number::FrameNumber;

    #[test]
    fn a_slot_is_free_again_when_nobody_refers_to_it() {
        let frame = FrameNumber::new(9).unwrap();
        let mut records = [SlotRecord::default(); 3];
        let mut map = SwapMap::new(&mut records);
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
}
