//! The PCIDs of the spaces: under which one a space is loaded, and whether with a flush.

use page_reclaim::stale::{Notes, Tag};
use x86_64::structures::paging::PhysFrame;

use crate::flushes::{Flushes, Kind};
use crate::kernel::{CPUS, SPACES};
use crate::model::NO_FLUSH;

/// Notes of each CPU; so few that some roots share one.
const NOTES: usize = 61;

/// What every CPU remembers of every space.
#[derive(Debug)]
pub struct Pcids {
    notes: [Notes<[u64; NOTES]>; CPUS],
    tags: [[Tag; SPACES]; CPUS],
}

impl Pcids {
    /// Nothing was loaded yet.
    pub fn new() -> Self {
        let notes = core::array::from_fn(|_| Notes::new([0; NOTES]));
        Self { notes, tags: [core::array::from_fn(tag); CPUS] }
    }

    /// A new space has this number, and the PCID of the one before it.
    pub fn renew(&mut self, space: usize) {
        self.tags.iter_mut().for_each(|tags| tags[space] = tag(space));
    }

    /// A space was edited that is not loaded on this CPU.
    pub fn edited(&mut self, cpu: usize, root: PhysFrame, flushes: &Flushes) {
        if flushes.asks(Kind::Note) {
            self.notes[cpu].edited(root);
        }
    }

    /// What CR3 is set to, to load a space on a CPU.
    pub fn register(
        &mut self,
        cpu: usize,
        space: usize,
        root: PhysFrame,
        flushes: &Flushes,
    ) -> u64 {
        let (notes, known) = (&self.notes[cpu], &mut self.tags[cpu][space]);
        let flush = match (notes.must_flush(root, known), *known == tag(space)) {
            (false, _) => false,
            // The PCID may have been another space's before.
            (true, true) => flushes.asks(Kind::FirstLoad),
            (true, false) => flushes.asks(Kind::RootWrite),
        };
        notes.loaded(known);
        let register = root.start_address().as_u64() | u64::from(known.pcid());
        register | if flush { 0 } else { NO_FLUSH }
    }
}

impl Default for Pcids {
    fn default() -> Self {
        Self::new()
    }
}

/// The tag of a new space; PCID 0 is that of the boot root.
fn tag(space: usize) -> Tag {
    Tag::new(space as u16 + 1)
}
