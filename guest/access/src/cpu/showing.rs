//! Where entries appear in another view.

use x86_64::VirtAddr;

use crate::methods::self_slot;
use crate::operation::{EntryName, Operation};

/// Where entries appear in a view that [`Cpu::through_view`](super::Cpu::through_view) goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showing {
    /// Each at this distance from its physical address. What is mapped there never changes.
    At(VirtAddr),
    /// Below the self slot of the root that translates there. With S that slot, this is the page (S, S, S, S). What a
    /// CPU knows of it may be stale.
    Below(VirtAddr),
}

impl Showing {
    /// The address of an entry.
    #[inline]
    pub fn address(self, name: &EntryName) -> VirtAddr {
        match self {
            Self::At(base) => VirtAddr::new_truncate(base.as_u64().wrapping_add(name.physical())),
            Self::Below(pages) => self_slot::Below::new(pages.as_u64()).address(name),
        }
    }

    /// The page of an entry's address, if it is to be forgotten before it is used for the first of several operations in a row.
    pub fn forgotten(self, name: &EntryName) -> Option<VirtAddr> {
        match self {
            Self::At(_) => None,
            Self::Below(_) => Some(self.address(name).align_down(4096_u64)),
        }
    }

    /// How many pages are forgotten while these operations are done.
    pub(super) fn pages_forgotten(self, operations: &[Operation]) -> u64 {
        let pages = operations.iter().map(|it| self.forgotten(&it.name));
        let before = core::iter::once(None).chain(pages.clone());
        pages.zip(before).filter(|(page, before)| page.is_some() && page != before).count() as u64
    }
}
