//! The PCIDs of one CPU: under which a space is loaded, and whether with a flush.

use core::num::NonZeroU64;

use super::atomics::{AtomicU64, Ordering};

/// The PCID of the kernel's own root, which is flushed whenever it is loaded; and the only one where there are none.
pub const KERNELS: u16 = 0;

/// A space, apart from all that were before it and all that come after it. A root is no such name: its frame becomes
/// another space's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(NonZeroU64);

/// Gives each space its identity; one for all CPUs.
#[derive(Debug, Default)]
pub struct Identities(AtomicU64);

impl Identities {
    /// For the first space there is.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One that nothing had before: at a thousand million spaces a second they last for centuries.
    ///
    /// Relaxed: that all are different needs no order.
    pub fn next(&self) -> Identity {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        Identity(NonZeroU64::MIN.saturating_add(before))
    }
}

/// The owner of a PCID.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    space: Option<Identity>,
    /// All edits of the space before this generation have been flushed.
    generation: u64,
}

/// How a space is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// Under which PCID.
    pub pcid: u16,
    /// Whether what is known under it must be forgotten.
    pub flush: bool,
}

/// Whose each PCID is; in memory of the kernel's choice. Spaces whose identities differ by a multiple of its length take
/// turns with one PCID.
#[derive(Debug)]
pub struct Pcids<T> {
    owners: T,
}

impl<T: AsMut<[Owner]>> Pcids<T> {
    /// For the PCIDs from 1, one an owner; none, if the CPU has no PCIDs.
    ///
    /// # Panics
    /// If there are more owners than PCIDs (12 bits of CR3, SDM volume 3, 4.10.1).
    pub fn new(mut owners: T) -> Self {
        assert!(owners.as_mut().len() < 1 << 12, "at most 4095 PCIDs beside the kernel's");
        owners.as_mut().fill(Owner::default());
        Self { owners }
    }

    /// A space of this generation is about to be loaded, and will be flushed if it has to be.
    #[inline]
    pub fn load(&mut self, space: Identity, generation: u64) -> Loading {
        let Some((pcid, owner)) = self.owner(space) else {
            return Loading { pcid: KERNELS, flush: true };
        };
        let known = owner.space == Some(space) && owner.generation == generation;
        *owner = Owner { space: Some(space), generation };
        Loading { pcid, flush: !known }
    }

    /// A space ceases to be loaded; its edits before this generation have been flushed.
    #[inline]
    pub fn leave(&mut self, space: Identity, generation: u64) {
        if let Some((_, owner)) = self.owner(space) {
            *owner = Owner { space: Some(space), generation };
        }
    }

    #[inline]
    fn owner(&mut self, Identity(number): Identity) -> Option<(u16, &mut Owner)> {
        let owners = self.owners.as_mut();
        let at = number.get().checked_rem(owners.len() as u64)? as usize;
        Some((at as u16 + 1, &mut owners[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Identities, KERNELS, Loading, Owner, Pcids};

    #[test]
    fn the_first_load_flushes_and_so_does_one_after_an_edit() {
        let (space, mut pcids) = (Identities::default().next(), Pcids::new([Owner::default(); 8]));
        let flushed = [0, 0, 1, 1].map(|generation| pcids.load(space, generation).flush);
        assert_eq!(flushed, [true, false, true, false]);
    }

    #[test]
    fn what_was_flushed_while_a_space_was_loaded_is_not_flushed_again() {
        let (space, mut pcids) = (Identities::default().next(), Pcids::new([Owner::default(); 8]));
        pcids.load(space, 3);
        pcids.leave(space, 5);
        assert!(!pcids.load(space, 5).flush);
    }

    #[test]
    fn any_number_of_spaces_take_turns() {
        let (identities, mut pcids) = (Identities::default(), Pcids::new([Owner::default(); 4094]));
        let spaces: Vec<_> = (0..3 * 4094).map(|_| identities.next()).collect();
        for space in &spaces {
            let Loading { pcid, flush } = pcids.load(*space, 0);
            assert!(flush && (1..4095).contains(&pcid));
        }
        let (first, last) = (spaces[0], spaces[2 * 4094]);
        assert_eq!(pcids.load(last, 0).pcid, pcids.load(first, 0).pcid);
        assert!(pcids.load(last, 0).flush && !pcids.load(last, 0).flush);
    }

    /// Race 8 of the table in `tests/tests/races.rs`.
    #[test]
    fn a_new_space_inherits_nothing_under_a_root_and_a_pcid_that_were_used_before() {
        let (identities, mut pcids) = (Identities::default(), Pcids::new([Owner::default(); 1]));
        let (old, new) = (identities.next(), identities.next());
        pcids.load(old, 7);
        // Same frame, so same generation; same PCID.
        assert!(pcids.load(new, 7).flush);
        // The twin that knows spaces by their roots.
        let twin = old;
        pcids.load(old, 7);
        assert!(!pcids.load(twin, 7).flush);
    }

    #[test]
    fn without_pcids_every_load_flushes() {
        let (space, mut pcids) = (Identities::default().next(), Pcids::new([]));
        let expected = Loading { pcid: KERNELS, flush: true };
        assert_eq!([(); 2].map(|()| pcids.load(space, 0)), [expected; 2]);
    }
}
