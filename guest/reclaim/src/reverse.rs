//! The reverse map: for each frame, where the entries that map it are.
//!
//! One word a mapping, singly linked into a ring; a frame's record names the last node of its ring,
//! so a whole ring can be freed without a walk:
//! ```text
//! 63                37 36        28 27         26       25           0
//! | frame of the table | index     | executable | writable | next node   |
//! ```
//! Table and index come first, so a shift gives the table, and another the address of the entry.
//!
//! The record of the table's frame says which space and which addresses it serves, so a word gives
//! both names of the entry. The rights are what a failed write needs to put the mapping back.

use crate::number::{FrameNumber, Node};
use crate::rights::Rights;

const NEXT_BITS: u32 = 26;
const INDEX_BITS: u32 = 9;
const WRITABLE: u64 = 1 << NEXT_BITS;
const EXECUTABLE: u64 = WRITABLE << 1;
const INDEX_SHIFT: u32 = NEXT_BITS + 2;
const TABLE_SHIFT: u32 = INDEX_SHIFT + INDEX_BITS;

/// Bytes of an entry, as a power of two.
const ENTRY_SHIFT: u32 = 3;

const _: () = assert!(TABLE_SHIFT + FrameNumber::BITS == u64::BITS);

/// Where one entry is that maps a frame, and with which rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping(u64);

impl Mapping {
    pub fn new(table: FrameNumber, index: u64, rights: Rights) -> Self {
        let place = u64::from(table.number()) << TABLE_SHIFT | index << INDEX_SHIFT;
        let writable = if rights.writable { WRITABLE } else { 0 };
        let executable = if rights.executable { EXECUTABLE } else { 0 };
        Self(place | writable | executable)
    }

    /// The number of the table's frame; never zero.
    #[inline]
    pub const fn table(self) -> u32 {
        (self.0 >> TABLE_SHIFT) as u32
    }

    #[inline]
    pub const fn index(self) -> u64 {
        self.0 >> INDEX_SHIFT & ((1 << INDEX_BITS) - 1)
    }

    /// Where the entry is, in bytes: table and index stand in the word as in an address, an entry having eight bytes.
    #[inline]
    pub const fn physical(self) -> u64 {
        self.0 >> INDEX_SHIFT << ENTRY_SHIFT
    }

    pub const fn rights(self) -> Rights {
        Rights { writable: self.0 & WRITABLE != 0, executable: self.0 & EXECUTABLE != 0 }
    }

    /// Whether both are about the same entry.
    pub const fn same_entry(self, other: Self) -> bool {
        (self.0 ^ other.0) >> INDEX_SHIFT == 0
    }

    /// The same entry of another table.
    const fn in_table(self, table: FrameNumber) -> Self {
        let others = self.0 & ((1 << TABLE_SHIFT) - 1);
        Self(others | (table.number() as u64) << TABLE_SHIFT)
    }

    #[inline]
    fn next(self) -> Option<Node> {
        Node::new((self.0 & ((1 << NEXT_BITS) - 1)) as u32)
    }

    fn linked(self, next: Option<Node>) -> Self {
        let next = next.map_or(0, Node::number);
        Self(self.0 >> NEXT_BITS << NEXT_BITS | u64::from(next))
    }
}

/// Where the entries that map frames are.
#[derive(Debug)]
pub struct Reverse<'a> {
    words: &'a mut [u64],
    free: Option<Node>,
}

impl<'a> Reverse<'a> {
    /// One word for each mapping there can be, and one that is not used.
    ///
    /// # Panics
    /// If there are more than 2^26, which is what a word can link to.
    pub fn new(words: &'a mut [u64]) -> Self {
        assert!(words.len() <= 1 << NEXT_BITS, "at most 2^26 mappings");
        let mut map = Self { words, free: None };
        for number in (1..map.words.len() as u32).rev() {
            map.push_free(number);
        }
        map
    }

    /// Whether there is room for another mapping.
    pub const fn has_room(&self) -> bool {
        self.free.is_some()
    }

    /// For how many more mappings there is room; counts them.
    pub fn free_count(&self) -> usize {
        core::iter::successors(self.free, |node| self.at(*node).1).count()
    }

    /// How many mappings there are; counts the room that is left.
    pub fn used(&self) -> usize {
        self.words.len().saturating_sub(1) - self.free_count()
    }

    /// The mapping at a node, and the node after it.
    #[inline]
    pub(crate) fn at(&self, node: Node) -> (Mapping, Option<Node>) {
        let mapping = Mapping(self.words[node.index()]);
        (mapping, mapping.next())
    }

    /// The mapping at the node with this number, and the number of the node after it.
    #[inline]
    pub(crate) fn at_number(&self, number: u32) -> (Mapping, u32) {
        let word = self.words[number as usize];
        (Mapping(word), (word & ((1 << NEXT_BITS) - 1)) as u32)
    }

    /// The number of the node after a node.
    #[inline]
    pub(crate) fn after(&self, node: Node) -> u32 {
        self.at_number(node.number()).1
    }

    /// Where a ring begins.
    #[inline]
    pub(crate) fn first(&self, last: Option<Node>) -> Option<Node> {
        self.at(last?).1
    }

    /// The mappings of a ring, of which the last node is given.
    pub(crate) fn ring(&self, last: Option<Node>) -> impl Iterator<Item = Mapping> {
        let mut node = self.first(last);
        core::iter::from_fn(move || {
            let (mapping, next) = self.at(node?);
            node = next.filter(|_| node != last);
            Some(mapping)
        })
    }

    /// Adds a mapping to a ring; gives back its last node, or nothing if there is no room.
    pub(crate) fn add(&mut self, last: Option<Node>, mapping: Mapping) -> Option<Node> {
        let node = self.free?;
        self.free = self.at(node).1;
        let next = self.first(last).unwrap_or(node);
        self.words[node.index()] = mapping.linked(Some(next)).0;
        let last = last.unwrap_or(node);
        self.link(last, Some(if last == node { next } else { node }));
        Some(last)
    }

    /// Takes a mapping out of a ring; gives back the last node of what is left, or nothing if the
    /// mapping is not there.
    pub(crate) fn remove(&mut self, last: Option<Node>, gone: Mapping) -> Option<Option<Node>> {
        let last = last?;
        let mut before = last;
        while let (_, Some(node)) = self.at(before) {
            let (mapping, next) = self.at(node);
            if mapping.same_entry(gone) {
                self.link(before, next);
                self.push_free(node.number());
                let left = if node == last { before } else { last };
                return Some((left != node).then_some(left));
            }
            if node == last {
                break;
            }
            before = node;
        }
        None
    }

    /// The table in which a mapping's entry stands is in another frame now; says whether the mapping is
    /// there.
    pub(crate) fn move_entry(
        &mut self,
        last: Option<Node>,
        moved: Mapping,
        to: FrameNumber,
    ) -> bool {
        let mut next = self.first(last);
        while let Some(node) = next {
            let (mapping, after) = self.at(node);
            if mapping.same_entry(moved) {
                self.words[node.index()] = mapping.in_table(to).0;
                return true;
            }
            next = after.filter(|_| Some(node) != last);
        }
        false
    }

    /// Takes away a whole ring.
    #[inline]
    pub(crate) fn remove_all(&mut self, last: Option<Node>) {
        if let Some(last) = last {
            let first = self.at(last).1;
            self.link(last, self.free);
            self.free = first;
        }
    }

    #[inline]
    fn link(&mut self, node: Node, next: Option<Node>) {
        let word = &mut self.words[node.index()];
        *word = Mapping(*word).linked(next).0;
    }

    fn push_free(&mut self, number: u32) {
        if let Some(node) = Node::new(number) {
            self.words[node.index()] = Mapping(0).linked(self.free).0;
            self.free = Some(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Reverse};
    use crate::number::FrameNumber;
    use crate::rights::Rights;

    fn mapping(table: u32, index: u64) -> Mapping {
        Mapping::new(FrameNumber::new(table).unwrap(), index, Rights::DATA)
    }

    #[test]
    fn a_word_keeps_what_is_put_in() {
        for (table, index) in [(1, 0), (77, 511), ((1 << 27) - 1, 300)] {
            for rights in [Rights::DATA, Rights::CODE] {
                let kept = Mapping::new(FrameNumber::new(table).unwrap(), index, rights);
                assert_eq!(kept.table(), table);
                assert_eq!((kept.index(), kept.rights()), (index, rights));
                assert!(kept.same_entry(mapping(table, index)));
                assert!(!kept.same_entry(mapping(table, index ^ 1)));
            }
        }
    }

    #[test]
    fn a_ring_is_what_was_added_and_not_removed() {
        let mut words = [0; 5];
        let mut map = Reverse::new(&mut words);
        for order in [[2, 3, 0], [3, 0, 2], [0, 2, 3]] {
            let mut last = None;
            for index in 0..4 {
                last = Some(map.add(last, mapping(9, index)).unwrap());
            }
            assert_eq!(map.add(last, mapping(9, 4)), None, "no room for a fifth");
            for gone in order {
                last = map.remove(last, mapping(9, gone)).unwrap();
            }
            assert!(map.remove(last, mapping(9, 2)).is_none(), "it is gone already");
            let left: Vec<u64> = map.ring(last).map(Mapping::index).collect();
            assert_eq!((left, map.used(), map.free_count()), (vec![1], 1, 3));
            assert_eq!(map.remove(last, mapping(9, 1)), Some(None));
            assert_eq!((map.used(), map.free_count()), (0, 4));
        }
    }

    #[test]
    fn a_table_that_moves_changes_its_own_entry_only() {
        let mut words = [0; 5];
        let mut map = Reverse::new(&mut words);
        let last = (0..4).fold(None, |last, index| map.add(last, mapping(9, index)));
        let to = FrameNumber::new((1 << 27) - 1).unwrap();
        assert!(map.move_entry(last, mapping(9, 2), to));
        assert!(!map.move_entry(last, mapping(9, 2), to), "it has moved");
        let found: Vec<_> =
            map.ring(last).map(|it| (it.table(), it.index(), it.rights())).collect();
        let [nine, far] = [9, to.number()];
        let data = Rights::DATA;
        let mut wanted = vec![(nine, 0, data), (nine, 1, data), (far, 2, data), (nine, 3, data)];
        wanted.sort_by_key(|(_, index, _)| found.iter().position(|(_, at, _)| at == index));
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_ring_that_is_taken_away_leaves_all_its_room() {
        let mut words = [0; 4];
        let mut map = Reverse::new(&mut words);
        for _ in 0..3 {
            let last = (0..3).fold(None, |last, index| map.add(last, mapping(1, index)));
            assert_eq!((map.used(), map.free_count()), (3, 0));
            map.remove_all(last);
            assert_eq!((map.used(), map.free_count()), (0, 3));
        }
    }
}
