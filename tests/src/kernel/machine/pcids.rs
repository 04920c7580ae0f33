//! The PCIDs of the spaces: under which one a space is loaded, and whether with a flush.

use page_reclaim::stale::{Notes, Tag};
use x86_64::structures::paging::PhysFrame;

use crate::kernel::{CPUS, SPACES};

/// CR3 bit 63: keep what is cached for the PCID.
const NO_FLUSH: u64 = 1 << 63;

/// Notes of each CPU; so few that some roots share one.
const NOTES: usize = 61;

/// How spaces are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loads {
    /// All under PCID 0, each time with a flush.
    Flush,
    /// Each under its own PCID, with a flush when something may be stale.
    Keep,
    /// Each under its own PCID, never with a flush: a broken twin.
    KeepStale,
}

/// What every CPU remembers of every space.
#[derive(Debug)]
pub struct Pcids {
    /// How spaces are loaded.
    pub loads: Loads,
    notes: [Notes<[u64; NOTES]>; CPUS],
    tags: [[Tag; SPACES]; CPUS],
}

impl Pcids {
    /// Nothing was loaded yet.
    pub fn new(loads: Loads) -> Self {
        let notes = core::array::from_fn(|_| Notes::new([0; NOTES]));
        Self { loads, notes, tags: [core::array::from_fn(tag); CPUS] }
    }

    /// A new space has this number, and the PCID of the one before it.
    pub fn renew(&mut self, space: usize) {
        self.tags.iter_mut().for_each(|tags| tags[space] = tag(space));
    }

    /// A space was edited that is not loaded on this CPU.
    pub fn edited(&mut self, cpu: usize, root: PhysFrame) {
        self.notes[cpu].edited(root);
    }

    /// What CR3 is set to, to load a space on a CPU.
    pub fn register(&mut self, cpu: usize, space: usize, root: PhysFrame) -> u64 {
        let (notes, tag) = (&self.notes[cpu], &mut self.tags[cpu][space]);
        let flushes = notes.must_flush(root, tag) && self.loads == Loads::Keep;
        notes.loaded(tag);
        let register = root.start_address().as_u64() | u64::from(tag.pcid());
        register | if flushes { 0 } else { NO_FLUSH }
    }
}

/// The tag of a new space; PCID 0 is that of the boot root.
fn tag(space: usize) -> Tag {
    Tag::new(space as u16 + 1)
}
