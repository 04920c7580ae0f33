//! The memory for the kernel's records.

use std::sync::atomic::AtomicU8;

use page_reclaim::{
    FrameRecord, Frames, Memory, Reverse, SharedPage, SharedPages, SlotGroup, SlotRecord, SwapMap,
};

use super::SHARED;

/// Memory for records of so many frames, mappings and slots.
#[derive(Debug)]
pub struct Records {
    frames: Vec<FrameRecord>,
    mappings: Vec<u64>,
    slots: Vec<SlotRecord>,
    groups: Vec<SlotGroup>,
    shared: Vec<SharedPage>,
}

impl Records {
    /// For so many frames, mappings and slots.
    pub fn new(frames: usize, mappings: usize, slots: usize) -> Self {
        Self {
            frames: vec![FrameRecord::default(); frames],
            mappings: vec![0; mappings + 1],
            slots: vec![SlotRecord::default(); slots + 1],
            groups: vec![SlotGroup::default(); SwapMap::groups_for(slots + 1)],
            shared: vec![SharedPage::default(); SHARED],
        }
    }

    /// The records of a kernel that boots.
    pub fn memory(&mut self) -> Memory<'_> {
        Memory {
            frames: Frames::new(&mut self.frames),
            reverse: Reverse::new(&mut self.mappings),
            swap: SwapMap::new(&mut self.slots, &mut self.groups),
            shared: SharedPages::new(&mut self.shared),
        }
    }

    /// Memory for the rules of the stub below it.
    pub fn for_rules(frames: usize) -> Vec<AtomicU8> {
        (0..frames).map(|_| AtomicU8::new(0)).collect()
    }
}
