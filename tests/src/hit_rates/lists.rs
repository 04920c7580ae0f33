//! Victim choices with one list of pages, told of every touch: LRU, clock, SIEVE.

use std::collections::{HashMap, VecDeque};

use loadphys_apps::course::Touch;

use super::Cache;

/// Who was not touched for the longest time goes.
#[derive(Debug)]
pub struct Lru {
    frames: usize,
    time: u64,
    touched: HashMap<u64, u64>,
    by_time: std::collections::BTreeMap<u64, u64>,
}

impl Lru {
    /// With so many frames.
    pub fn new(frames: usize) -> Self {
        Self { frames, time: 0, touched: HashMap::new(), by_time: Default::default() }
    }
}

impl Cache for Lru {
    fn touch(&mut self, Touch { page, .. }: Touch) -> bool {
        self.time += 1;
        let before = self.touched.insert(page, self.time);
        self.by_time.insert(self.time, page);
        match before {
            Some(before) => drop(self.by_time.remove(&before)),
            None if self.touched.len() > self.frames => {
                let (_, victim) = self.by_time.pop_first().expect("frames are taken");
                self.touched.remove(&victim);
            }
            None => {}
        }
        before.is_some()
    }
}

/// A queue; who was touched goes to its end instead of going.
#[derive(Debug)]
pub struct ExactClock {
    frames: usize,
    queue: VecDeque<u64>,
    touched: HashMap<u64, bool>,
}

impl ExactClock {
    /// With so many frames.
    pub fn new(frames: usize) -> Self {
        Self { frames, queue: VecDeque::new(), touched: HashMap::new() }
    }

    fn make_room(&mut self) {
        while let Some(page) = self.queue.pop_front() {
            if !std::mem::take(self.touched.get_mut(&page).expect("it is here")) {
                self.touched.remove(&page);
                return;
            }
            self.queue.push_back(page);
        }
    }
}

impl Cache for ExactClock {
    fn touch(&mut self, Touch { page, .. }: Touch) -> bool {
        if let Some(touched) = self.touched.get_mut(&page) {
            *touched = true;
            return true;
        }
        if self.queue.len() == self.frames {
            self.make_room();
        }
        self.queue.push_back(page);
        self.touched.insert(page, false);
        false
    }
}

/// As the clock, but who was touched stays where it is, and the hand goes on towards the newest (Zhang and others, "SIEVE is
/// Simpler than LRU", NSDI 2024).
#[derive(Debug)]
pub struct Sieve {
    frames: usize,
    /// Oldest first; a page that went leaves a gap, until there are too many.
    queue: Vec<Option<u64>>,
    hand: usize,
    touched: HashMap<u64, bool>,
}

impl Sieve {
    /// With so many frames.
    pub fn new(frames: usize) -> Self {
        Self { frames, queue: Vec::new(), hand: 0, touched: HashMap::new() }
    }

    fn make_room(&mut self) {
        loop {
            if self.hand == self.queue.len() {
                self.queue.retain(Option::is_some);
                self.hand = 0;
            }
            let place = &mut self.queue[self.hand];
            self.hand += 1;
            let Some(page) = *place else { continue };
            if !std::mem::take(self.touched.get_mut(&page).expect("it is here")) {
                self.touched.remove(&page);
                *place = None;
                return;
            }
        }
    }
}

impl Cache for Sieve {
    fn touch(&mut self, Touch { page, .. }: Touch) -> bool {
        if let Some(touched) = self.touched.get_mut(&page) {
            *touched = true;
            return true;
        }
        if self.touched.len() == self.frames {
            self.make_room();
        }
        self.queue.push(Some(page));
        self.touched.insert(page, false);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, ExactClock, Lru, Sieve, Touch};

    fn misses(mut cache: impl Cache, pages: &[u64]) -> Vec<u64> {
        let missed = |page: &&u64| !cache.touch(Touch { page: **page, write: false });
        pages.iter().filter(missed).copied().collect()
    }

    #[test]
    fn each_has_its_own_victim() {
        let pages = [1, 2, 3, 1, 4, 5, 1, 2, 3, 4];
        assert_eq!(misses(Lru::new(3), &pages), [1, 2, 3, 4, 5, 2, 3, 4]);
        // The clock's hand passes 1 for 4, takes 2, then 3 for 5, 1 being young.
        assert_eq!(misses(ExactClock::new(3), &pages), [1, 2, 3, 4, 5, 2, 3, 4]);
        // After 2 and 3 SIEVE's hand takes 4 and 5, the newest ones; 1 it passes on the way round.
        assert_eq!(misses(Sieve::new(3), &[1, 2, 3, 1, 4, 5, 6, 4, 1]), [1, 2, 3, 4, 5, 6, 4]);
    }
}
