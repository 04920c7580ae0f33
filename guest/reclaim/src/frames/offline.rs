//! Ranges of frames that are closed: what is free there is taken off the free list, and what becomes free
//! goes offline.
//!
//! Invariant: no frame of a closed range is on the free list. So none is ever given away until the range
//! is opened.

use core::ops::Range;

use x86_64::structures::paging::frame::PhysFrameRange;

use super::{Frames, State};
use crate::number::FrameNumber;

/// Another range is closed, and this frame of it (by its number) is still in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEmptyYet(pub u64);

impl Frames<'_> {
    /// Closes a range; gives back how many of its frames were free. Walks the list of free frames once.
    ///
    /// One range at a time is being emptied. When all of its frames are offline another can be closed;
    /// those that are offline stay so.
    ///
    /// # Errors
    /// [`NotEmptyYet`], and nothing has changed.
    pub fn close(&mut self, range: PhysFrameRange) -> Result<u32, NotEmptyYet> {
        let range = self.numbers(range);
        if range != self.closed
            && let Some(used) = self.closed.clone().find(|number| self.is_ours_and_used(*number))
        {
            return Err(NotEmptyYet(used.into()));
        }
        self.closed = range;
        Ok(self.take_closed_off_list())
    }

    /// Opens a range again: what is offline there becomes free, and the lowest frame is given away first.
    /// Gives back how many frames that is. A range that is being emptied and overlaps it is closed no more.
    pub fn open(&mut self, range: PhysFrameRange) -> u32 {
        let range = self.numbers(range);
        if range.start < self.closed.end && self.closed.start < range.end {
            self.closed = 0..0;
        }
        let before = self.free_count;
        for number in range.rev().filter_map(FrameNumber::new) {
            if self.record(number) == Some(State::Offline) {
                self.push_free(number);
            }
        }
        self.free_count - before
    }

    /// The numbers of the frames of a range that have records.
    pub(crate) fn numbers(&self, range: PhysFrameRange) -> Range<u32> {
        let number = |at: u64| (at >> 12).min(self.len() as u64) as u32;
        number(range.start.start_address().as_u64())..number(range.end.start_address().as_u64())
    }

    fn is_ours_and_used(&self, number: u32) -> bool {
        !matches!(self.records[number as usize].0, State::Offline | State::Reserved)
    }

    /// Every free frame of the closed range goes offline.
    fn take_closed_off_list(&mut self) -> u32 {
        let (mut kept, mut next, mut taken) = (None, self.free, 0);
        while let Some(number) = next {
            next = self.next_free(number);
            if self.closed.contains(&number.number()) {
                self.set(number, State::Offline);
                taken += 1;
            } else {
                self.link_free(kept, Some(number));
                kept = Some(number);
            }
        }
        self.link_free(kept, None);
        self.free_count -= taken;
        taken
    }

    /// This free frame, or if there is none the beginning of the list, leads to that one.
    fn link_free(&mut self, from: Option<FrameNumber>, next: Option<FrameNumber>) {
        match from {
            Some(from) => self.set(from, State::Free { next }),
            None => self.free = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use x86_64::structures::paging::PhysFrame;
    use x86_64::structures::paging::frame::PhysFrameRange;

    use super::{Frames, NotEmptyYet};
    use crate::frames::{FrameRecord, Kind};
    use crate::number::frame_at;

    const FRAMES: u32 = 12;

    /// Frames 1 to 11 are free, and 1 is the next to be given away.
    fn frames(records: &mut [FrameRecord]) -> Frames<'_> {
        let mut frames = Frames::new(records);
        (1..FRAMES).rev().for_each(|number| frames.grant(frame_at(number)).unwrap());
        frames
    }

    fn range(start: u32, end: u32) -> PhysFrameRange {
        PhysFrame::range(frame_at(start), frame_at(end))
    }

    fn all(frames: &mut Frames<'_>) -> Vec<u64> {
        let mut next = || frames.take_for_kernel().map(|it| it.start_address().as_u64() >> 12);
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn no_frame_of_a_closed_range_is_given_away() {
        for (start, end) in [(1, 4), (3, 7), (9, 12), (1, 12), (5, 5)] {
            let mut records = [FrameRecord::default(); FRAMES as usize];
            let mut frames = frames(&mut records);
            assert_eq!(frames.close(range(start, end)), Ok(end - start));
            assert_eq!(frames.free_count(), FRAMES - 1 - (end - start));
            let wanted = (1..FRAMES).filter(|number| !(start..end).contains(number));
            assert_eq!(all(&mut frames), wanted.map(u64::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_becomes_free_in_a_closed_range_goes_offline() {
        let mut records = [FrameRecord::default(); FRAMES as usize];
        let mut frames = frames(&mut records);
        let [one, two] = [(); 2].map(|()| frames.take_for_kernel().unwrap());
        assert_eq!(frames.close(range(1, 3)), Ok(0));
        assert_eq!((frames.give_back(one), frames.give_back_last(two)), (Ok(()), Ok(())));
        assert_eq!((frames.kind(one), frames.kind(two)), (Kind::Offline, Kind::Offline));
        assert_eq!(
            (frames.free_count(), frames.open(range(0, 99)), frames.free_count()),
            (9, 2, 11)
        );
        assert_eq!(frames.take_for_kernel(), Some(one));
    }

    #[test]
    fn one_range_is_emptied_at_a_time_and_stays_offline() {
        let mut records = [FrameRecord::default(); FRAMES as usize];
        let mut frames = frames(&mut records);
        let used = frames.take_for_kernel().unwrap();
        assert_eq!(frames.close(range(1, 3)), Ok(1));
        assert_eq!(frames.close(range(5, 8)), Err(NotEmptyYet(1)));
        assert_eq!(frames.close(range(1, 3)), Ok(0), "the same again");
        frames.give_back(used).unwrap();
        assert_eq!(frames.close(range(5, 8)), Ok(3));
        assert_eq!(all(&mut frames), [3, 4, 8, 9, 10, 11]);
        assert_eq!((frames.open(range(5, 8)), frames.open(range(1, 3))), (3, 2));
    }
}
