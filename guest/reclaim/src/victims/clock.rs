//! The choice of victims: a clock whose hand passes over the frame table and gives each page a
//! second chance.

use x86_64::structures::paging::PhysFrame;

use crate::frames::{Frames, Marks};
use crate::number::FrameNumber;

/// The hand of the clock. It looks at no entry, so it learns only who was brought in or mapped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    hand: u32,
}

impl Clock {
    /// Chooses pages that were not brought in since the hand was there last; gives back how many
    /// were found. The hand goes round twice at most, so that it finds something if there is
    /// anything at all.
    pub fn choose(&mut self, frames: &mut Frames<'_>, victims: &mut [PhysFrame]) -> usize {
        let mut chosen = 0;
        for _ in 0..2 * frames.len() {
            if chosen == victims.len() {
                break;
            }
            if let Some(frame) =
                self.step(frames).filter(|frame| !victims[..chosen].contains(frame))
            {
                victims[chosen] = frame;
                chosen += 1;
            }
        }
        chosen
    }

    /// Moves the hand by one frame; gives back what was there if its time has come.
    fn step(&mut self, frames: &mut Frames<'_>) -> Option<PhysFrame> {
        self.hand = (self.hand + 1) % frames.len() as u32;
        let number = FrameNumber::new(self.hand)?;
        let page = frames.page(number)?;
        let spared = page.marks.has(Marks::RECENT) || page.marks.has(Marks::USED);
        page.marks.clear(Marks::RECENT);
        page.marks.clear(Marks::USED);
        (!spared).then(|| number.frame())
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, FrameNumber, Frames, Marks, PhysFrame};
    use crate::frames::{FrameRecord, State};

    /// Frames 1 to 4 hold pages, of which those are recent.
    fn with_pages<'a>(records: &'a mut [FrameRecord], recent: &[u32]) -> Frames<'a> {
        let mut frames = Frames::new(records);
        for number in 1..5 {
            let mut marks = Marks::default();
            if recent.contains(&number) {
                marks.set(Marks::RECENT);
            }
            let page = State::page(marks, None, None);
            frames.set(FrameNumber::new(number).unwrap(), page);
        }
        frames
    }

    fn choose(clock: &mut Clock, frames: &mut Frames<'_>, most: usize) -> Vec<u64> {
        let mut victims = vec![FrameNumber::new(1).unwrap().frame(); most];
        let chosen = clock.choose(frames, &mut victims);
        victims[..chosen]
            .iter()
            .map(|frame: &PhysFrame| frame.start_address().as_u64() >> 12)
            .collect()
    }

    #[test]
    fn recent_pages_get_a_second_chance() {
        let mut records = [FrameRecord::default(); 6];
        let mut frames = with_pages(&mut records, &[1, 3]);
        let mut clock = Clock::default();
        assert_eq!(choose(&mut clock, &mut frames, 2), [2, 4]);
        assert_eq!(choose(&mut clock, &mut frames, 2), [1, 2]);
    }

    #[test]
    fn no_page_is_chosen_twice() {
        let mut records = [FrameRecord::default(); 6];
        let mut frames = with_pages(&mut records, &[1, 2, 3, 4]);
        assert_eq!(choose(&mut Clock::default(), &mut frames, 9), [1, 2, 3, 4]);
    }
}
