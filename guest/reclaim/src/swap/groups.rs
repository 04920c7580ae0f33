//! Which slots are free, so that those which are taken together are neighbours.
//!
//! Slots come in groups of 64, one bit each. Slots are taken from one group, the open one, until it has none
//! left; then another is opened, of those that have most. Groups with about equally many free slots (1; 2 or 3;
//! 4 to 7; ...; 64) are linked in a list, so the next one to be opened is at hand, however many there are. A group
//! moves to another list when the number of its free slots doubles.

use core::num::NonZero;

/// Slots of a group.
const SLOTS: u32 = u64::BITS;

/// Lists: list `n` has the groups with 2^n free slots or more.
const LISTS: usize = SLOTS.ilog2() as usize + 1;

/// One group; 16 bytes for 64 slots.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotGroup {
    /// A bit for each slot that is free.
    free: u64,
    /// The next in its list, and the one before: numbers of groups plus one.
    next: u32,
    before: u32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    groups: &'a mut [SlotGroup],
    /// The first group of each list: its number plus one.
    lists: [u32; LISTS],
    /// The one from which slots are taken; it is in no list.
    open: u32,
}

impl<'a> Groups<'a> {
    /// How many groups so many slots need, slot 0 included.
    pub const fn needed(slots: usize) -> usize {
        slots.div_ceil(SLOTS as usize)
    }

    /// Of so many slots, the first of which is not used, all are free.
    pub fn new(groups: &'a mut [SlotGroup], slots: u32) -> Self {
        groups.fill(SlotGroup::default());
        let mut all = Self { groups, lists: [0; LISTS], open: 0 };
        for number in (0..Self::needed(slots as usize) as u32).rev() {
            let free = first(slots - number * SLOTS) & !u64::from(number == 0);
            all.groups[number as usize].free = free;
            all.link(number, list_of(free).filter(|_| number != all.open));
        }
        all
    }

    /// Takes a free slot, if there is one: the next in the open group.
    #[inline]
    pub fn take(&mut self) -> Option<u32> {
        let group = self.groups.get_mut(self.open as usize)?;
        let Some(free) = NonZero::new(group.free) else { return self.take_from_another() };
        group.free &= group.free - 1;
        Some(self.open * SLOTS + free.trailing_zeros())
    }

    /// Makes a slot free.
    pub fn put(&mut self, slot: u32) {
        let number = slot / SLOTS;
        let group = &mut self.groups[number as usize];
        let before = group.free;
        group.free |= 1 << (slot % SLOTS);
        let (was, is) = (list_of(before), list_of(group.free));
        if number != self.open && was != is {
            self.unlink(number, was);
            self.link(number, is);
        }
    }

    /// Opens one of the groups that have most free slots, if any has one.
    #[cold]
    fn take_from_another(&mut self) -> Option<u32> {
        let most = self.lists.iter().rposition(|first| *first > 0)?;
        self.open = self.lists[most] - 1;
        self.unlink(self.open, Some(most));
        self.take()
    }

    fn link(&mut self, number: u32, list: Option<usize>) {
        let Some(list) = list else { return };
        let next = core::mem::replace(&mut self.lists[list], number + 1);
        if next > 0 {
            self.groups[next as usize - 1].before = number + 1;
        }
        let group = &mut self.groups[number as usize];
        (group.next, group.before) = (next, 0);
    }

    fn unlink(&mut self, number: u32, list: Option<usize>) {
        let Some(list) = list else { return };
        let SlotGroup { next, before, .. } = self.groups[number as usize];
        match before {
            0 => self.lists[list] = next,
            before => self.groups[before as usize - 1].next = next,
        }
        if next > 0 {
            self.groups[next as usize - 1].before = before;
        }
    }
}

/// The bits of the first so many slots of a group, or of all.
fn first(slots: u32) -> u64 {
    if slots < SLOTS { (1 << slots) - 1 } else { u64::MAX }
}

/// In which list a group with these free slots is; one without any is in none.
fn list_of(free: u64) -> Option<usize> {
    free.count_ones().checked_ilog2().map(|list| list as usize)
}

#[cfg(test)]
mod tests {
    use super::{Groups, SLOTS, SlotGroup};

    fn take(groups: &mut Groups<'_>, count: usize) -> Vec<u32> {
        (0..count).map_while(|_| groups.take()).collect()
    }

    #[test]
    fn every_slot_is_taken_once_and_neighbours_together() {
        let mut room = [SlotGroup::default(); 4];
        let mut groups = Groups::new(&mut room, 3 * SLOTS + 5);
        let mut taken = take(&mut groups, 1000);
        let apart = taken.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert!(apart < 4, "{taken:?}");
        taken.sort_unstable();
        assert_eq!(taken, (1..3 * SLOTS + 5).collect::<Vec<_>>());
    }

    #[test]
    fn the_group_with_most_free_slots_is_next() {
        let mut room = [SlotGroup::default(); 4];
        let mut groups = Groups::new(&mut room, 4 * SLOTS);
        take(&mut groups, 1000);
        let open = groups.open;
        let [few, many, _] = [1, 2, 3].map(|after| (open + after) % 4);
        // One by one, so that `many` goes from list to list; every other one of `few`.
        for slot in 0..40 {
            groups.put(many * SLOTS + slot);
            if slot % 2 == 1 {
                groups.put(few * SLOTS + slot);
            }
        }
        let expected = (0..40).map(|slot| many * SLOTS + slot);
        assert_eq!(take(&mut groups, 40), expected.collect::<Vec<_>>());
        assert_eq!(take(&mut groups, 1), [few * SLOTS + 1]);
    }

    #[test]
    fn lists_stay_whole_whatever_is_taken_and_put() {
        let mut room = [SlotGroup::default(); 5];
        let mut groups = Groups::new(&mut room, 5 * SLOTS);
        let (mut held, mut state) = (Vec::new(), 1_u32);
        for _ in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 && !held.is_empty() {
                groups.put(held.swap_remove(state as usize % held.len()));
            } else {
                held.extend(groups.take());
            }
        }
        let free = 5 * SLOTS as usize - 1 - held.len();
        held.extend(take(&mut groups, free));
        assert_eq!(groups.take(), None);
        held.sort_unstable();
        assert_eq!(held, (1..5 * SLOTS).collect::<Vec<_>>());
    }

    #[test]
    fn a_device_without_pages_has_no_slot() {
        assert_eq!(Groups::new(&mut [], 0).take(), None);
        assert_eq!(Groups::new(&mut [SlotGroup::default()], 1).take(), None);
    }
}
