//! Frames from far up in memory, for whoever must know what can be reached there.

use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Frames, State};
use crate::number::FrameNumber;

impl Frames<'_> {
    /// Takes for the kernel itself a free frame at or above an address. This walks the list of free
    /// frames.
    pub fn take_above(&mut self, address: PhysAddr) -> Option<PhysFrame> {
        let least = address.as_u64().div_ceil(4096);
        if self.len() as u64 <= least {
            return None;
        }
        let is_above = |number: FrameNumber| u64::from(number.number()) >= least;
        if self.free.is_some_and(is_above) {
            return self.take_for_kernel();
        }
        let leads_there = |number: &FrameNumber| self.next_free(*number).is_some_and(is_above);
        let before = self.free_list().find(leads_there)?;
        let taken = self.next_free(before)?;
        self.set(before, State::Free { next: self.next_free(taken) });
        self.set(taken, State::Kernel);
        self.free_count -= 1;
        Some(taken.frame())
    }

    /// As [`Frames::give_back`], but the frame is given away again only when no other is free. This walks
    /// the list of free frames.
    ///
    /// # Errors
    /// The frame, if it is not the kernel's.
    pub fn give_back_last(&mut self, frame: PhysFrame) -> Result<(), PhysFrame> {
        let Some(last) = self.free_list().last() else {
            return self.give_back(frame);
        };
        let number = FrameNumber::of(frame).ok_or(frame)?;
        if self.record(number) != Some(State::Kernel) {
            return Err(frame);
        }
        if self.closed.contains(&number.number()) {
            return self.give_back(frame);
        }
        self.set(last, State::Free { next: Some(number) });
        self.set(number, State::Free { next: None });
        self.free_count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use x86_64::PhysAddr;

    use super::Frames;
    use crate::frames::FrameRecord;
    use crate::number::frame_at;

    const FRAMES: u32 = 16;

    /// Frames 1 to 15 are free, and 1 is the next to be given away.
    fn frames(records: &mut [FrameRecord]) -> Frames<'_> {
        let mut frames = Frames::new(records);
        (1..FRAMES).rev().for_each(|number| frames.grant(frame_at(number)).unwrap());
        frames
    }

    fn all(frames: &mut Frames<'_>) -> Vec<u64> {
        let mut next = || frames.take_for_kernel().map(|it| it.start_address().as_u64() >> 12);
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn the_first_free_frame_far_enough_up_is_taken() {
        let mut records = [FrameRecord::default(); FRAMES as usize];
        let mut frames = frames(&mut records);
        assert_eq!(frames.take_above(PhysAddr::new(9 << 12)), Some(frame_at(9)));
        assert_eq!(frames.take_above(PhysAddr::new((9 << 12) - 1)), Some(frame_at(10)));
        assert_eq!(frames.take_above(PhysAddr::new(1 << 12)), Some(frame_at(1)));
        assert_eq!(frames.free_count(), 12);
        assert_eq!(all(&mut frames), [2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15]);
        assert_eq!((frames.free_count(), frames.take_above(PhysAddr::zero())), (0, None));
    }

    #[test]
    fn there_is_none_beyond_the_last() {
        let mut records = [FrameRecord::default(); FRAMES as usize];
        let mut frames = frames(&mut records);
        assert_eq!(frames.take_above(PhysAddr::new(15 << 12)), Some(frame_at(15)));
        assert_eq!(frames.take_above(PhysAddr::new(15 << 12)), None);
        assert_eq!(frames.take_above(PhysAddr::new(1 << 50)), None);
        assert_eq!(frames.free_count(), 14);
    }

    #[test]
    fn what_is_given_back_last_is_given_away_last() {
        let mut records = [FrameRecord::default(); FRAMES as usize];
        let mut frames = frames(&mut records);
        let far = frames.take_above(PhysAddr::new(12 << 12)).unwrap();
        let near = frames.take_for_kernel().unwrap();
        assert_eq!(frames.give_back_last(near), Ok(()));
        assert_eq!(frames.give_back_last(far), Ok(()));
        assert_eq!(frames.give_back_last(far), Err(far));
        let wanted = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 1, 12];
        assert_eq!(frames.free_count(), 15);
        assert_eq!(all(&mut frames), wanted);
        assert_eq!(frames.give_back_last(far), Ok(()));
        assert_eq!(all(&mut frames), [12]);
    }
}
