//! How often each space was edited, for the CPUs that had not loaded it then.

use x86_64::structures::paging::PhysFrame;

use super::atomics::{AtomicU64, Ordering};
use super::frame_number;
use super::twin::{Twin, is_broken};

/// How often spaces were edited whose roots have this place in the table.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// Of spaces that were never edited.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

/// One table for all CPUs, in memory of the kernel's choice (an array, a box, a borrowed slice).
#[derive(Debug)]
pub struct Generations<T> {
    all: T,
}

impl<T: AsRef<[Generation]>> Generations<T> {
    /// In this memory. The more places, the fewer roots share one; to share one costs a flush too many, never one too
    /// few. Where the compiler knows the length, as of an array, an edit is cheapest.
    ///
    /// # Panics
    /// If the number of places is no power of two.
    pub fn new(all: T) -> Self {
        assert!(all.as_ref().len().is_power_of_two(), "a power of two of generations");
        Self { all }
    }

    /// An entry of this space was exchanged. To be called after that, and before anybody looks who has announced the
    /// space.
    ///
    /// Release: who reads this number finds the exchanged entry when it walks the tables after that.
    #[inline]
    pub fn raise(&self, root: PhysFrame) {
        let one = u64::from(!is_broken(Twin::NothingIsRaised));
        self.of(root).fetch_add(one, Ordering::Release);
    }

    /// The generation of a space.
    ///
    /// Acquire: the other half of [`Generations::raise`].
    #[inline]
    pub fn now(&self, root: PhysFrame) -> u64 {
        self.of(root).load(Ordering::Acquire)
    }

    #[inline]
    fn of(&self, root: PhysFrame) -> &AtomicU64 {
        let all = self.all.as_ref();
        &all[frame_number(root) as usize & (all.len() - 1)].0
    }
}
