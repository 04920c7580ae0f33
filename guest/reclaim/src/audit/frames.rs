//! The records among themselves.

use super::{Audited, Wrong};
use crate::Memory;
use crate::frames::{Marks, State};
use crate::number::{FrameNumber, Share, Slot};
use crate::shared::Place;

/// Compares the records of frames, slots and shared pages, after the spaces were walked.
/// `scratch` says for each slot how many entries name it.
pub fn audit(memory: &Memory<'_>, scratch: &mut [u32], audited: &mut Audited) -> Result<(), Wrong> {
    let mut listed = 0;
    for number in (1..memory.frames.len() as u32).filter_map(FrameNumber::new) {
        listed += frame(memory, number, scratch, audited)?;
    }
    if listed != memory.reverse.used() || listed != audited.leaves as usize {
        return Err(Wrong::MappingCount(audited.leaves, memory.reverse.used() as u32));
    }
    if memory.frames.free_list().count() != audited.free as usize
        || memory.frames.free_count() != audited.free
    {
        return Err(Wrong::FreeCount(audited.free));
    }
    for share in (0..memory.shared.len() as u32).map(Share::new) {
        shared_page(memory, share, scratch)?;
    }
    slots(memory, scratch)
}

/// Looks at one frame; gives back how many mappings it lists.
fn frame(
    memory: &Memory<'_>,
    number: FrameNumber,
    scratch: &mut [u32],
    audited: &mut Audited,
) -> Result<usize, Wrong> {
    match memory.frames.record(number) {
        Some(State::Free { .. }) => audited.free += 1,
        Some(State::Offline) => audited.offline += 1,
        Some(State::Retired { .. }) => return Err(Wrong::Unfinished(number.frame())),
        Some(State::Data { marks, mappings, slot, share, .. }) => {
            audited.pages += 1;
            if marks.has_any(Marks::PASSING) {
                return Err(Wrong::Unfinished(number.frame()));
            }
            cache(memory, number, slot, scratch)?;
            if let Some(share) = share.filter(|s| memory.shared.place(*s) != Place::InFrame(number))
            {
                return Err(Wrong::SharedPlace(share));
            }
            return Ok(memory.reverse.ring(mappings).count());
        }
        _ => {}
    }
    Ok(0)
}

/// A frame and its slot must name each other; the frame refers to the slot.
fn cache(
    memory: &Memory<'_>,
    number: FrameNumber,
    slot: Option<Slot>,
    scratch: &mut [u32],
) -> Result<(), Wrong> {
    let Some(slot) = slot else { return Ok(()) };
    if memory.swap.cached(slot) != Some(number) {
        return Err(Wrong::Cache(number.frame()));
    }
    scratch[slot.index()] += 1;
    Ok(())
}

/// A shared page must be where its record says; if that is a slot, it refers to it.
fn shared_page(memory: &Memory<'_>, share: Share, scratch: &mut [u32]) -> Result<(), Wrong> {
    match memory.shared.place(share) {
        Place::Nowhere => Ok(()),
        Place::InSwap(slot) if memory.swap.cached(slot).is_some() => Err(Wrong::SharedPlace(share)),
        Place::InSwap(slot) => {
            scratch[slot.index()] += 1;
            Ok(())
        }
        Place::InFrame(frame) => match memory.frames.record(frame) {
            Some(State::Data { share: Some(owner), .. }) if owner == share => Ok(()),
            _ => Err(Wrong::SharedPlace(share)),
        },
    }
}

fn slots(memory: &Memory<'_>, scratch: &[u32]) -> Result<(), Wrong> {
    for slot in (1..memory.swap.len() as u32).filter_map(Slot::new) {
        let counted = scratch[slot.index()];
        if memory.swap.references(slot) != counted {
            return Err(Wrong::SlotCount(slot, counted));
        }
        if let Some(frame) = memory.swap.cached(slot) {
            match memory.frames.record(frame) {
                Some(State::Data { slot: Some(back), .. }) if back == slot => {}
                _ => return Err(Wrong::Cache(frame.frame())),
            }
        }
    }
    Ok(())
}
