//! Evacuation: everything in a range of frames moves elsewhere, pages and tables of running spaces alike, and
//! the range stays unused.
//!
//! First the range is closed: its free frames go offline, and so does whatever becomes free in it. Then, a batch
//! at a time:
//!
//! | what | how it moves |
//! |---|---|
//! | a page | the entries of all sharers taken out, one flush, copied, its records changed, the entries put in again |
//! | a table | the entry that leads to it taken out, flushed everywhere and let go of, copied, adopted where it is now, the entry put in again |
//! | a root | no CPU has it loaded any more; copied, adopted where it is now; the kernel changes what names it |
//!
//! Pages come first, then tables from level one up, then roots. The tables of a batch are of one level, so no
//! table is cut off while another below it is on its way.
//!
//! Invariants:
//! - While an entry is taken out it holds [`MOVING`], which is not present, names no memory and is not empty. Whoever holds
//!   the records holds them from taking out to putting in; a fault that comes meanwhile waits for them and then
//!   finds the entry as it was. One that did not wait would find neither a page nor a place for a table, and build
//!   nothing.
//! - A frame is copied only when no CPU can reach it any more. What the walker set in its entries, or a program wrote
//!   to it, until then is in what is copied: no Accessed, no Dirty and no write is lost.
//! - Between two batches everything is as if nothing was on its way: programs may run, and pages may be
//!   evicted.

mod entries;
mod pages;
mod roots;
mod tables;

use core::ops::Range;

use foreign_access::{EntryName, Operation, Refusal};
use heapless::Vec;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::frame::PhysFrameRange;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::Memory;
use crate::frames::{Marks, NotEmptyYet, State};
use crate::machine::Machine;
use crate::number::FrameNumber;

pub use entries::MOVING;

/// The most frames that move together, with one flush.
pub const BATCH: usize = 32;

/// What has become of the frames of a range so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evacuated {
    /// Frames that were free when the range was closed.
    pub free: u32,
    /// Pages that moved.
    pub pages: u32,
    /// Tables that moved, roots aside.
    pub tables: u32,
    /// Roots that moved.
    pub roots: u32,
    /// Entries that were taken out and put in again.
    pub entries: u32,
    /// Frames that stay in use.
    pub left: u32,
    /// The first of them, and why it does.
    pub first_left: Option<(PhysFrame, Why)>,
}

impl Evacuated {
    /// Frames that moved.
    pub const fn moved(&self) -> u32 {
        self.pages + self.tables + self.roots
    }

    fn leave(&mut self, frame: PhysFrame, why: Why) {
        self.left += 1;
        self.first_left = self.first_left.or(Some((frame, why)));
    }
}

/// Why a frame stays in use. Nothing about it has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is the kernel's own.
    Kernels,
    /// It was never granted: it is the kernel's image or areas, or no memory.
    NotGranted,
    /// The page in it is being evicted, or waits for a flush: it goes by itself.
    Busy,
    /// An entry that leads to it may not be edited, or the frame may not become a table where it was to
    /// go, or cease to be one where it is.
    Refused(Refusal),
    /// An entry that should lead to it does not.
    NotLinked,
}

/// Why an evacuation could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvacuateError {
    /// Another range is closed and this frame of it in use. Nothing has changed.
    NotEmptyYet(NotEmptyYet),
    /// This entry was taken out and may not be put in again, which is against the contract of a method: tables
    /// and records do not agree any more.
    Stuck(EntryName, Refusal),
}

impl From<NotEmptyYet> for EvacuateError {
    fn from(used: NotEmptyYet) -> Self {
        Self::NotEmptyYet(used)
    }
}

/// How far an evacuation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A batch has moved; there may be more.
    More,
    /// No frame outside the range is free. Where some become free it can go on.
    NoFrame,
    /// All that can move has.
    Done,
}

/// An evacuation on its way.
#[derive(Clone, Debug)]
pub struct Evacuation {
    range: Range<u32>,
    /// The next frame to be looked at.
    at: u32,
    moves: What,
    so_far: Evacuated,
}

/// What moves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Pages,
    Tables(PageTableLevel),
    Nothing,
}

/// A frame, and the one that it moves to, which is the kernel's until then.
#[derive(Clone, Copy, Debug)]
struct Move {
    from: FrameNumber,
    to: FrameNumber,
}

/// Moves everything out of a range, as far as there are free frames outside it: with [`Evacuated::left`] 0 the
/// range is empty. It stays closed until [`crate::Frames::open`]. `room` is for operations.
///
/// # Errors
/// [`EvacuateError`].
///
/// # Panics
/// If there is no room for a single operation.
pub fn evacuate<M: Machine>(
    memory: &mut Memory<'_>,
    machine: &mut M,
    range: PhysFrameRange,
    room: &mut [Operation],
) -> Result<Evacuated, EvacuateError> {
    let mut evacuation = Evacuation::begin(memory, range)?;
    while evacuation.step(memory, machine, room)? == Step::More {}
    Ok(evacuation.so_far(memory))
}

impl Evacuation {
    /// Closes a range.
    ///
    /// # Errors
    /// [`NotEmptyYet`], and nothing has changed.
    pub fn begin(memory: &mut Memory<'_>, range: PhysFrameRange) -> Result<Self, NotEmptyYet> {
        let free = memory.frames.close(range)?;
        let range = memory.frames.numbers(range);
        let so_far = Evacuated { free, ..Evacuated::default() };
        Ok(Self { at: range.start, range, moves: What::Pages, so_far })
    }

    /// Moves a batch: up to [`BATCH`] pages, or tables of one level, or one root.
    ///
    /// # Errors
    /// [`EvacuateError::Stuck`].
    ///
    /// # Panics
    /// If there is no room for a single operation.
    pub fn step<M: Machine>(
        &mut self,
        memory: &mut Memory<'_>,
        machine: &mut M,
        room: &mut [Operation],
    ) -> Result<Step, EvacuateError> {
        assert!(!room.is_empty(), "room for at least one operation");
        let batch = match self.gather(memory, room.len()) {
            Ok(batch) => batch,
            Err(step) => return Ok(step),
        };
        let so_far = &mut self.so_far;
        match self.moves {
            What::Pages => pages::move_pages(memory, machine, &batch, room, so_far),
            What::Tables(PageTableLevel::Four) => {
                roots::move_roots(memory, machine, &batch, so_far)
            }
            What::Tables(level) => {
                tables::move_tables(memory, machine, &batch, level, room, so_far)
            }
            What::Nothing => Ok(()),
        }?;
        Ok(Step::More)
    }

    /// How many frames have moved so far.
    pub const fn moved(&self) -> u32 {
        self.so_far.moved()
    }

    /// What has become of the range so far; before the evacuation is done, frames that are still to move count
    /// as left.
    pub fn so_far(&self, memory: &Memory<'_>) -> Evacuated {
        let waiting = self.waiting(memory);
        Evacuated { left: self.so_far.left + waiting, ..self.so_far }
    }

    /// The next frames to move, and where to.
    fn gather(&mut self, memory: &mut Memory<'_>, most: usize) -> Result<Vec<Move, BATCH>, Step> {
        let mut batch = Vec::new();
        while batch.len() < self.most(most) {
            let Some(from) = self.next(memory) else { break };
            let Some(to) = memory.frames.allocate(State::Kernel) else {
                return if batch.is_empty() { Err(Step::NoFrame) } else { Ok(batch) };
            };
            self.at = from.number() + 1;
            batch.push(Move { from, to }).unwrap_or_else(|_| unreachable!("there is room"));
        }
        match (batch.is_empty(), self.moves) {
            (true, What::Nothing) => Err(Step::Done),
            (true, _) => self.turn().gather(memory, most),
            (false, _) => Ok(batch),
        }
    }

    /// How many may move together.
    fn most(&self, room: usize) -> usize {
        match self.moves {
            What::Tables(PageTableLevel::Four) => 1,
            What::Tables(_) => room.min(BATCH),
            What::Pages | What::Nothing => BATCH,
        }
    }

    /// From the beginning of the range, with what moves after this.
    fn turn(&mut self) -> &mut Self {
        self.at = self.range.start;
        self.moves = match self.moves {
            What::Pages => What::Tables(PageTableLevel::One),
            What::Tables(level) => level.next_higher_level().map_or(What::Nothing, What::Tables),
            What::Nothing => What::Nothing,
        };
        self
    }

    /// The next frame that moves now. On the first pass those that cannot move at all are told.
    fn next(&mut self, memory: &Memory<'_>) -> Option<FrameNumber> {
        while self.at < self.range.end {
            if let Some(number) = FrameNumber::new(self.at) {
                let record = memory.frames.record(number);
                match record.map_or(Verdict::Stays(Why::NotGranted), verdict) {
                    Verdict::Moves(what) if what == self.moves => return Some(number),
                    Verdict::Stays(why) if self.moves == What::Pages => {
                        self.so_far.leave(number.frame(), why);
                    }
                    _ => {}
                }
            }
            self.at += 1;
        }
        None
    }

    /// How many frames are still to move.
    fn waiting(&self, memory: &Memory<'_>) -> u32 {
        let is_waiting = |number: u32| {
            let record = FrameNumber::new(number).and_then(|number| memory.frames.record(number));
            let Some(Verdict::Moves(what)) = record.map(verdict) else { return false };
            order(what) > order(self.moves) || what == self.moves && number >= self.at
        };
        self.range.clone().filter(|number| is_waiting(*number)).count() as u32
    }
}

/// What is to be done about a frame.
enum Verdict {
    /// It moves, in its turn.
    Moves(What),
    Stays(Why),
    /// It is offline.
    IsEmpty,
}

fn verdict(record: State) -> Verdict {
    match record {
        State::Data { marks, .. } if marks.has(Marks::EVICTING) => Verdict::Stays(Why::Busy),
        State::Data { .. } => Verdict::Moves(What::Pages),
        State::Table { level, .. } => Verdict::Moves(What::Tables(level)),
        State::Kernel => Verdict::Stays(Why::Kernels),
        State::Reserved => Verdict::Stays(Why::NotGranted),
        State::Retired { .. } => Verdict::Stays(Why::Busy),
        State::Free { .. } | State::Offline => Verdict::IsEmpty,
    }
}

/// When it is the turn of what.
const fn order(what: What) -> u32 {
    match what {
        What::Pages => 0,
        What::Tables(level) => level as u32,
        What::Nothing => u32::MAX,
    }
}
