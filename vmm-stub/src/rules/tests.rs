//! The view shows frames as the rules have them.

use std::cell::Cell;
use std::ops::Range;

use loadphys_abi::{FRAME_BYTES, Status};
use loadphys_rules::typed::{Frame, Kind, Walk};
use loadphys_rules::{Entries, EntryAt, Level, Typed, WordAt};

use super::Guarded;
use crate::mtrr::MemoryType;
use crate::nested::ept::{EXECUTE, READ, WRITE, page, table};
use crate::nested::layout::ALL_RIGHTS;
use crate::tree::{Shape, Slot, Table, Tree, tables_needed};

const FRAMES: usize = 8;

/// Eight frames of memory, each mapped for itself.
struct Few;

impl Shape for Few {
    fn slot(&self, range: &Range<u64>, level: u8) -> Slot {
        match level {
            _ if range.start >= FRAMES as u64 * FRAME_BYTES => Slot::Nothing,
            1 => Slot::Entry(page(range.start, 1, MemoryType::WriteBack, ALL_RIGHTS)),
            _ => Slot::Table,
        }
    }

    fn upper(&self, at: u64) -> u64 {
        table(at, ALL_RIGHTS)
    }
}

/// Words of the first entries of each frame.
#[derive(Default)]
struct Words([Cell<u64>; FRAMES]);

impl Entries for Words {
    fn load(&self, at: WordAt) -> u64 {
        let first = at.address().is_multiple_of(FRAME_BYTES);
        if first { self.0[(at.address() / FRAME_BYTES) as usize].get() } else { 0 }
    }

    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        self.0[(at.address() / FRAME_BYTES) as usize].replace(new)
    }

    fn compare_exchange(&self, at: EntryAt, _: u64, new: u64) -> Result<u64, u64> {
        Ok(self.exchange(at, new))
    }
}

/// Runs a check on rules over eight frames, of which the first is not the guest's.
fn with(check: impl FnOnce(&mut Guarded<'_>, &Words)) {
    let tables: Vec<_> = (0..tables_needed(&Few)).map(|_| Table::empty()).collect();
    let view = Tree::build(&tables, 0x10_0000, &Few).unwrap();
    let mut frames = [Frame::default(); FRAMES];
    let mut typed = Typed::new(&mut frames, 40, false);
    typed.grant(FRAME_BYTES..FRAMES as u64 * FRAME_BYTES);
    check(&mut Guarded::new(typed, view), &Words::default());
}

/// What the guest may do with a frame, which is mapped to itself.
fn rights(guarded: &Guarded<'_>, frame: u64) -> u64 {
    let entry = guarded.view.entry(frame, 1).unwrap();
    let entry = entry.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(entry & !ALL_RIGHTS, frame | 6 << 3);
    entry & ALL_RIGHTS
}

#[test]
fn a_frame_is_read_only_from_the_first_half_on_until_it_is_released() {
    with(|guarded, memory| {
        let (table, _) = guarded.begin(0x1000, 1).unwrap();
        assert_eq!(rights(guarded, 0x1000), READ);
        guarded.finish(table, memory).unwrap();
        assert_eq!(rights(guarded, 0x1000), READ);
        assert_eq!(rights(guarded, 0x2000), ALL_RIGHTS);
        guarded.release(0x1000, memory).unwrap();
        assert_eq!(rights(guarded, 0x1000), ALL_RIGHTS);
    });
}

#[test]
fn a_frame_that_is_refused_is_writable_again() {
    with(|guarded, memory| {
        memory.0[1].set(0x1000 | 3);
        let (table, _) = guarded.begin(0x1000, 1).unwrap();
        assert_eq!(guarded.finish(table, memory), Err(Status::MapsTable));
        assert_eq!(rights(guarded, 0x1000), ALL_RIGHTS);
        assert_eq!(guarded.begin(0, 1).map(drop), Err(Status::OutsideMemory));
        assert_eq!(rights(guarded, 0), ALL_RIGHTS);
    });
}

#[test]
fn what_was_lifted_meanwhile_is_tried_again() {
    with(|guarded, memory| {
        assert_eq!(guarded.try_again(0x1ff8, WRITE, None, memory), Some(0));
        assert_eq!(guarded.try_again(0x1000, EXECUTE, None, memory), Some(0));
        assert_eq!(guarded.try_again(FRAMES as u64 * FRAME_BYTES, WRITE, None, memory), None);
    });
}

#[test]
fn of_tables_only_the_walker_sets_flags() {
    with(|guarded, memory| {
        guarded.typed_mut().grant(0x1000..0x6000);
        for level in 1..=4 {
            let frame = 0x1000 * level;
            memory.0[level as usize].set(if level > 1 { (frame - 0x1000) | 3 } else { 0x5003 });
            let (table, _) = guarded.begin(frame, level).unwrap();
            guarded.finish(table, memory).unwrap();
        }
        let level = Level::new(4).unwrap();
        let walk = Walk { root: 0x4000, level, address: 0, writes_anywhere: false };
        assert_eq!(guarded.try_again(0x4000, WRITE, None, memory), None);
        assert_eq!(guarded.try_again(0x4000, EXECUTE, None, memory), None);
        assert_eq!(guarded.try_again(0x4000, READ, None, memory), Some(0));
        assert_eq!(guarded.try_again(0x4000, WRITE, Some(walk), memory), Some(4));
        let elsewhere = Walk { root: 0x3000, ..walk };
        assert_eq!(guarded.try_again(0x3000, WRITE, Some(elsewhere), memory), None);
        assert_eq!(guarded.typed_mut().kind(0x5000), Kind::Plain);
    });
}
