//! Eviction of pages that many spaces share, as pure logic.
//!
//! A kernel provides the memory for the records ([`Memory`]) and the deeds ([`Machine`]): applying
//! operations to entries through whatever method it has, flushing TLBs, moving pages to a swap
//! device and back. This crate knows what must be done in which order. It allocates nothing and
//! contains no unsafe code.
//!
//! | records | bytes | what they say |
//! |---|---|---|
//! | [`Frames`] | 16 a frame | free, kernel's, a table (of which root, where), a page (mapped from where) |
//! | [`Reverse`] | 8 a mapping | where the entries that map a frame are |
//! | [`SwapMap`] | 16 a slot | how many refer to a slot, which frame holds the same page, its checksum |
//! | [`SharedPages`] | 8 a page | where a page is that belongs to more than one space |
//!
//! [`tables`] finds and builds the tables of a space, [`bring_in()`] answers a page fault, [`evict()`]
//! takes pages out, [`tear_down()`] ends a space, [`evacuate()`] moves everything out of a range of frames,
//! [`audit()`] compares everything with everything else.
#![cfg_attr(not(any(test, feature = "twins")), no_std)]
#![forbid(unsafe_code)]

pub mod evacuate;
pub mod shootdown;
pub mod tables;
pub mod victims;

mod audit;
mod bring_in;
mod checksum;
mod evict;
mod flushed;
mod frames;
mod machine;
mod number;
mod page;
mod records;
mod reverse;
mod rights;
mod shared;
mod swap;
mod swap_entry;
mod tear_down;

pub use audit::{Audited, Reference, Unreferenced, Wrong, audit, unreferenced};
pub use bring_in::{Backing, BroughtIn, FaultError, bring_in};
pub use checksum::Checksum;
pub use evacuate::evacuate;
pub use evict::{Evicted, Room, Write, evict};
pub use frames::{FrameRecord, Frames, Kind, NotEmptyYet};
pub use machine::{DeviceError, Machine, Stage};
pub use number::{Share, Slot};
pub use records::Records;
pub use reverse::Reverse;
pub use rights::Rights;
pub use shared::{SharedPage, SharedPages, StillMapped, end_share};
pub use swap::{SlotGroup, SlotRecord, SwapMap};
pub use swap_entry::{slot_of, swap_entry};
pub use tear_down::{TearDownError, TornDown, tear_down};

/// All records. Whoever holds it exclusively may change them and the entries they are about.
#[derive(Debug)]
pub struct Memory<'a> {
    /// What each frame is.
    pub frames: Frames<'a>,
    /// Where the entries that map a frame are.
    pub reverse: Reverse<'a>,
    /// Who refers to which slot.
    pub swap: SwapMap<'a>,
    /// Where shared pages are.
    pub shared: SharedPages<'a>,
}
