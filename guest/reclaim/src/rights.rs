//! What a program may do with a page besides reading it.

use foreign_access::Entry;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};

/// What a program may do with a page besides reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// It may be written.
    pub writable: bool,
    /// Its bytes may be executed.
    pub executable: bool,
}

impl Rights {
    /// Read and write.
    pub const DATA: Self = Self { writable: true, executable: false };
    /// Read and execute.
    pub const CODE: Self = Self { writable: false, executable: true };

    /// The entry of level one that maps a frame with these rights. It is never global: what CPUs may know of a page
    /// must go when the root, or the PCID, of its space does.
    pub(crate) fn leaf(self, frame: PhysFrame) -> Entry {
        let mut flags = PageTableFlags::PRESENT | PageTableFlags::USER_ACCESSIBLE;
        flags.set(PageTableFlags::WRITABLE, self.writable);
        flags.set(PageTableFlags::NO_EXECUTE, !self.executable);
        Entry::new(frame, flags)
    }

    /// The rights that an entry of level one gives.
    pub(crate) fn of(leaf: Entry) -> Self {
        Self {
            writable: leaf.flags().contains(PageTableFlags::WRITABLE),
            executable: !leaf.flags().contains(PageTableFlags::NO_EXECUTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PageTableFlags, Rights};
    use crate::number::frame_at;

    #[test]
    fn no_page_is_mapped_global() {
        for (writable, executable) in [(false, false), (false, true), (true, false), (true, true)] {
            let rights = Rights { writable, executable };
            let leaf = rights.leaf(frame_at(5));
            assert_eq!(Rights::of(leaf), rights);
            assert!(!leaf.flags().contains(PageTableFlags::GLOBAL), "{leaf:?}");
        }
    }
}
