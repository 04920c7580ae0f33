//! Stage four: pages are written to their slots, if they must be.

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use super::{Evicted, put_back};
use crate::Memory;
use crate::frames::{Marks, Page};
use crate::machine::{DeviceError, Machine};
use crate::number::FrameNumber;

/// Writes the victims. Those that failed, now or before, are put back.
pub fn write<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    victims: &[PhysFrame],
    room: &mut [Operation],
    tally: &mut Evicted,
) {
    for frame in victims.iter().filter_map(|victim| FrameNumber::of(*victim)) {
        let Some(page) = memory.frames.page(frame) else {
            continue;
        };
        if !page.marks.has(Marks::EVICTING) {
            continue;
        }
        if page.marks.has(Marks::FAILED) {
            tally.edit_failed += 1;
            put_back::put_back(memory, machine, frame, room);
            continue;
        }
        match save(machine, frame, page) {
            Ok(Saved::Written) => tally.written += 1,
            Ok(Saved::Clean) => tally.clean += 1,
            Err(DeviceError) => {
                tally.write_failed += 1;
                put_back::put_back(memory, machine, frame, room);
            }
        }
    }
}

enum Saved {
    Written,
    Clean,
}

/// Makes sure that the slot of a page holds the page.
fn save<M: Machine>(
    machine: &mut M,
    frame: FrameNumber,
    page: Page<'_>,
) -> Result<Saved, DeviceError> {
    if page.marks.has(Marks::COPY) && !page.marks.has(Marks::DIRTY) {
        return Ok(Saved::Clean);
    }
    let Some(slot) = *page.slot else {
        return Err(DeviceError);
    };
    machine.write_out(frame.frame(), slot)?;
    page.marks.set(Marks::COPY);
    page.marks.clear(Marks::DIRTY);
    Ok(Saved::Written)
}
