//! Addresses that are used only after an INVLPG of their own.

use x86_64::VirtAddr;

use crate::cpu::Cpu;

/// The page that was invalidated last, and is what it was then.
///
/// Invariant: an address below a slot is used only after an INVLPG of its page that came after the last
/// change of what leads to it, and after the batch began. Before the batch anyone may have changed the tables on
/// the way; while it lasts they stay. INVLPG also drops what the paging-structure caches know, so the other levels
/// of the walk are read anew.
#[derive(Clone, Copy, Debug)]
pub struct Fresh(u64);

impl Fresh {
    /// No page is.
    pub const NONE: Self = Self(0);

    /// Makes the page of an address fresh, if it is not.
    #[inline(always)]
    #[track_caller]
    pub fn make(&mut self, cpu: &impl Cpu, address: VirtAddr) {
        let page = address.as_u64() & !0xfff;
        if page != self.0 {
            cpu.invlpg(address);
            self.0 = page;
        }
    }
}
