//! S3-FIFO, told of every touch (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023): a small
//! queue, a main queue, and the names of who went.

use std::collections::{HashMap, VecDeque};

use loadphys_apps::course::Touch;

use super::Cache;

/// Touches of a page are counted up to this.
const MOST_TOUCHES: u8 = 3;

/// The queues.
#[derive(Debug)]
pub struct S3Fifo {
    frames: usize,
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    /// Who went from the small queue, oldest first, each with its number.
    ghosts: VecDeque<(u64, u64)>,
    ghost_numbers: HashMap<u64, u64>,
    number: u64,
    touches: HashMap<u64, u8>,
}

impl S3Fifo {
    /// With so many frames, a tenth of them for the small queue.
    pub fn new(frames: usize) -> Self {
        Self {
            frames,
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost_numbers: HashMap::new(),
            number: 0,
            touches: HashMap::new(),
        }
    }

    fn make_room(&mut self) {
        while self.touches.len() == self.frames {
            if self.small.len() >= self.frames.div_ceil(10) || self.main.is_empty() {
                self.shorten_small();
            } else {
                self.shorten_main();
            }
        }
    }

    fn shorten_small(&mut self) {
        let page = self.small.pop_front().expect("it is not empty");
        if self.touches[&page] > 1 {
            self.touches.insert(page, 0);
            self.main.push_back(page);
        } else {
            self.touches.remove(&page);
            self.haunt(page);
        }
    }

    fn shorten_main(&mut self) {
        let page = self.main.pop_front().expect("it is not empty");
        let touches = self.touches.get_mut(&page).expect("it is here");
        if *touches > 0 {
            *touches -= 1;
            self.main.push_back(page);
        } else {
            self.touches.remove(&page);
        }
    }

    fn haunt(&mut self, page: u64) {
        self.number += 1;
        self.ghosts.push_back((page, self.number));
        self.ghost_numbers.insert(page, self.number);
        if self.ghosts.len() > self.frames * 9 / 10
            && let Some((page, number)) = self.ghosts.pop_front()
            && self.ghost_numbers.get(&page) == Some(&number)
        {
            self.ghost_numbers.remove(&page);
        }
    }
}

impl Cache for S3Fifo {
    fn touch(&mut self, Touch { page, .. }: Touch) -> bool {
        if let Some(touches) = self.touches.get_mut(&page) {
            *touches = MOST_TOUCHES.min(*touches + 1);
            return true;
        }
        self.make_room();
        match self.ghost_numbers.remove(&page) {
            Some(_) => self.main.push_back(page),
            None => self.small.push_back(page),
        }
        self.touches.insert(page, 0);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, S3Fifo, Touch};

    #[test]
    fn what_is_touched_thrice_outlives_a_scan_and_a_ghost_comes_back_to_main() {
        let mut cache = S3Fifo::new(10);
        let mut touch = |page| cache.touch(Touch { page, write: false });
        (0..3).for_each(|_| _ = touch(1));
        (100..200).for_each(|page| assert!(!touch(page)));
        assert!(touch(1));
        assert!(!touch(185), "a ghost");
        (300..309).for_each(|page| assert!(!touch(page)));
        assert!(touch(185), "it is in the main queue");
    }
}
