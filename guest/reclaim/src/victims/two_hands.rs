//! Two hands over the frame table: one sees pages on trial, the other those that are kept.

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use super::gather::gather;
use crate::frames::{Frames, Marks, Page};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::records::Records;

/// Pages that are looked at together.
const BATCH: usize = 32;

/// Of so many pages, one is on trial where others are wanted.
const TRIAL_SHARE: u32 = 10;

/// Rounds after which a victim is found, whoever uses it: in one round what counts for nothing is cleared, in one pages on
/// trial become kept, in one they are looked at again.
const ROUNDS: usize = 4;

/// The hands, and what was chosen last; part of the frame table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hands {
    trial: u32,
    kept: u32,
    /// Where the last victims were: what was brought in since is probably there.
    newest: Few,
}

/// A few pages, each once.
#[derive(Clone, Copy, Debug)]
struct Few {
    pages: [FrameNumber; BATCH],
    count: usize,
}

/// Chooses pages to evict; gives back how many were found. `room` is for operations. As long as it lasts no table may
/// go, as during [`crate::evict()`].
///
/// CPUs may choose at once. The hands are moved under the records' lock, so two look at the same page only if a hand comes
/// round to it meanwhile, or if both start from the newest; nothing marks a page as chosen. If both take it, one evicts it: the
/// other finds it being evicted and leaves it alone, so its batch is shorter. Who needs frames asks again.
///
/// # Panics
/// If there is no room for a single operation.
pub fn choose<R: Records, M: Machine>(
    records: &mut R,
    machine: &mut M,
    victims: &mut [PhysFrame],
    room: &mut [Operation],
) -> usize {
    let (newest, frames) = records.with(|memory| (memory.frames.hands.newest, memory.frames.len()));
    gather(records, machine, newest.all(), room);
    records.with(|memory| settle(&mut memory.frames, &newest));
    let (mut chosen, mut moves) = (0, 0);
    while chosen < victims.len() && moves < ROUNDS * frames {
        let wanted = victims.len() - chosen;
        let looked = records.with(|memory| look(&mut memory.frames, wanted, &mut moves));
        gather(records, machine, looked.all(), room);
        let in_need = moves > (ROUNDS - 1) * frames;
        for page in looked.all() {
            let goes = records.with(|memory| judge(&mut memory.frames, *page)) || in_need;
            if goes && !victims[..chosen].contains(&page.frame()) {
                victims[chosen] = page.frame();
                chosen += 1;
            }
        }
    }
    let newest = Few::of(&victims[..chosen]);
    records.with(|memory| memory.frames.hands.newest = newest);
    chosen
}

/// Moves one of the hands until it has seen as many pages as are wanted, or every frame once.
fn look(frames: &mut Frames<'_>, wanted: usize, moves: &mut usize) -> Few {
    let on_trial = frames.trial_count() > frames.page_count() / TRIAL_SHARE;
    let mut hand = if on_trial { frames.hands.trial } else { frames.hands.kept };
    let mut seen = Few::default();
    for _ in 0..frames.len() {
        if seen.count == wanted.min(BATCH) {
            break;
        }
        *moves += 1;
        hand = (hand + 1) % frames.len() as u32;
        let is_its = |page: Page<'_>| {
            page.marks.has(Marks::KEPT) != on_trial && !page.marks.has(Marks::EVICTING)
        };
        if let Some(page) =
            FrameNumber::new(hand).filter(|page| frames.page(*page).is_some_and(is_its))
        {
            seen.push(page);
        }
    }
    *(if on_trial { &mut frames.hands.trial } else { &mut frames.hands.kept }) = hand;
    seen
}

/// What is known of the newest pages by now does not count: it is how they came in.
fn settle(frames: &mut Frames<'_>, newest: &Few) {
    for number in newest.all() {
        if let Some(page) = frames.page(*number).filter(|page| page.marks.has(Marks::RECENT)) {
            page.marks.clear(Marks::RECENT);
            page.marks.clear(Marks::USED);
        }
    }
}

/// Whether a page that was looked at has to go; if not, it is at least as well off as before.
fn judge(frames: &mut Frames<'_>, number: FrameNumber) -> bool {
    let Some(page) = frames.page(number) else { return false };
    let (recent, used) = (page.marks.has(Marks::RECENT), page.marks.has(Marks::USED));
    page.marks.clear(Marks::RECENT);
    page.marks.clear(Marks::USED);
    if used && !recent {
        frames.keep(number);
    }
    !used && !recent
}

impl Default for Few {
    fn default() -> Self {
        Self { pages: [FrameNumber::FIRST; BATCH], count: 0 }
    }
}

impl Few {
    /// As many of these as there is room for.
    fn of(frames: &[PhysFrame]) -> Self {
        let mut few = Self::default();
        let numbers = frames.iter().filter_map(|frame| FrameNumber::of(*frame));
        numbers.take(BATCH).for_each(|number| few.push(number));
        few
    }

    fn push(&mut self, page: FrameNumber) {
        self.pages[self.count] = page;
        self.count += 1;
    }

    fn all(&self) -> &[FrameNumber] {
        &self.pages[..self.count]
    }
}
