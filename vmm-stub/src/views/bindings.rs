//! Which view stands for which pair of roots: bookkeeping, no more.
//!
//! A place that is taken from its pair is held by the CPU that took it until no CPU remembers the old view.

/// What a place is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Free,
    /// In the view, the frame of the first leads to the second.
    Bound(u64, u64),
    /// It is being changed by the CPU with this number.
    Held(usize),
}

/// A place that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub place: usize,
    /// It stood for another pair until now.
    pub recycled: bool,
}

/// The places for views of roots.
#[derive(Debug)]
pub struct Bindings<const MOST: usize> {
    places: heapless::Vec<Place, MOST>,
    next: usize,
}

impl<const MOST: usize> Bindings<MOST> {
    /// So many free places, `MOST` of them at most.
    pub fn new(count: usize) -> Self {
        Self { places: (0..count.min(MOST)).map(|_| Place::Free).collect(), next: 0 }
    }

    /// The place that stands for a pair.
    pub fn find(&self, own: u64, target: u64) -> Option<usize> {
        self.places.iter().position(|place| *place == Place::Bound(own, target))
    }

    /// Takes a free place, or else one in turn, for the CPU with this number; `None` while all are held.
    pub fn take(&mut self, by: usize) -> Option<Taken> {
        let count = self.places.len();
        let in_turn = || (0..count).map(|i| (self.next + i) % count);
        let free = in_turn().find(|place| self.places[*place] == Place::Free);
        let bound = || in_turn().find(|place| matches!(self.places[*place], Place::Bound(..)));
        let taken = free.or_else(bound)?;
        let recycled = free.is_none();
        self.next = taken + 1;
        self.places[taken] = Place::Held(by);
        Some(Taken { place: taken, recycled })
    }

    /// From now on a place that was taken stands for a pair.
    pub fn bind(&mut self, place: usize, own: u64, target: u64) {
        self.places[place] = Place::Bound(own, target);
    }

    /// Takes each place that a root has a part in, for the CPU with this number, and names it.
    pub fn unbind(&mut self, root: u64, by: usize, mut each: impl FnMut(usize)) {
        for (number, place) in self.places.iter_mut().enumerate() {
            if matches!(*place, Place::Bound(own, target) if own == root || target == root) {
                *place = Place::Held(by);
                each(number);
            }
        }
    }

    /// Frees what a CPU holds.
    pub fn settle(&mut self, by: usize) {
        for place in self.places.iter_mut().filter(|place| **place == Place::Held(by)) {
            *place = Place::Free;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bindings, Taken};

    const ROOTS: [u64; 5] = [0x1000, 0x2000, 0x3000, 0x4000, 0x5000];

    fn bound(count: usize) -> Bindings<8> {
        let mut bindings = Bindings::new(count);
        for (i, target) in ROOTS.iter().take(count).enumerate() {
            assert_eq!(bindings.take(0), Some(Taken { place: i, recycled: false }));
            bindings.bind(i, ROOTS[0], *target);
        }
        bindings
    }

    #[test]
    fn a_pair_is_found_as_it_was_bound_and_not_the_other_way_round() {
        let bindings = bound(3);
        assert_eq!(bindings.find(ROOTS[0], ROOTS[2]), Some(2));
        assert_eq!(bindings.find(ROOTS[2], ROOTS[0]), None);
        assert_eq!(bindings.find(ROOTS[0], ROOTS[3]), None);
    }

    #[test]
    fn places_are_recycled_in_turn_and_a_held_one_is_left_alone() {
        let mut bindings = bound(3);
        for turn in [0, 1, 2, 0, 1] {
            assert_eq!(bindings.take(7), Some(Taken { place: turn, recycled: true }));
            bindings.bind(turn, ROOTS[1], ROOTS[3] + turn as u64);
        }
        // The next in turn would be 2, then 0, then 1; all are held in the end.
        for place in [2, 0, 1] {
            assert_eq!(bindings.take(place), Some(Taken { place, recycled: true }));
            assert_eq!(bindings.find(ROOTS[1], ROOTS[3] + place as u64), None);
        }
        assert_eq!(bindings.take(0), None);
        bindings.settle(0);
        assert_eq!(bindings.take(5), Some(Taken { place: 0, recycled: false }));
    }

    #[test]
    fn a_released_root_takes_its_views_along_on_both_sides() {
        let mut bindings = bound(4);
        let mut gone = Vec::new();
        bindings.unbind(ROOTS[2], 1, |place| gone.push(place));
        assert_eq!(gone, [2]);
        bindings.unbind(ROOTS[0], 2, |place| gone.push(place));
        assert_eq!(gone, [2, 0, 1, 3]);
        bindings.settle(1);
        assert_eq!(bindings.take(0), Some(Taken { place: 2, recycled: false }));
        assert_eq!(bindings.take(0), None, "what another CPU holds is not free yet");
        bindings.settle(2);
        assert!(bindings.take(0).is_some());
    }

    #[test]
    fn without_places_nothing_is_taken() {
        assert_eq!(Bindings::<8>::new(0).take(0), None);
    }
}
