//! What a frame is, in one word, for kernels.

use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{Frames, State};
use crate::number::FrameNumber;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not memory, or memory that was never granted.
    Reserved,
    /// On the free list.
    Free,
    /// The kernel's own.
    Kernel,
    /// A root.
    Root,
    /// A table of a lower level.
    Table,
    /// A page of one or more spaces.
    Page,
    /// Ours, but never given away.
    Offline,
}

impl Frames<'_> {
    /// What a frame is; one that has no record is reserved.
    pub fn kind(&self, frame: PhysFrame) -> Kind {
        let record = FrameNumber::of(frame).and_then(|number| self.record(number));
        match record.unwrap_or(State::Reserved) {
            State::Reserved => Kind::Reserved,
            State::Free { .. } => Kind::Free,
            State::Kernel => Kind::Kernel,
            State::Table { level: PageTableLevel::Four, .. } => Kind::Root,
            State::Table { .. } => Kind::Table,
            State::Data { .. } | State::Retired { .. } => Kind::Page,
            State::Offline => Kind::Offline,
        }
    }
}
