//! A test mode: freed frames are poisoned, and at the moment a frame is freed the pages that led to
//! it are probed, because none may show the poison, by the TLB least of all. (A page may be mapped again already:
//! another CPU may have needed it. Then it shows something else.)

use foreign_access::{Action, Operation};
use heapless::Vec;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::interrupts::probe;

/// What freed frames are filled with.
pub const POISON: u64 = 0xdead_f4ee_dead_f4ee;

/// Pages of the loaded space that are probed; of a larger batch, the first so many.
const MOST_PAGES: usize = 64;

/// The state of the test mode.
#[derive(Debug)]
pub struct Checks {
    on: bool,
    smap: bool,
    /// Pages, and the frame that each has lost.
    pages: Vec<(VirtAddr, PhysFrame), MOST_PAGES>,
    /// Stale translations found.
    pub stale: u64,
}

impl Checks {
    /// Off; `smap` says whether the kernel must ask before it reads a program's page.
    pub fn new(smap: bool) -> Self {
        Self { on: false, smap, pages: Vec::new(), stale: 0 }
    }

    /// Whether frames are checked.
    pub fn on(&self) -> bool {
        self.on
    }

    /// Turns the mode on or off.
    pub fn set(&mut self, on: bool) {
        self.on = on;
        self.pages.clear();
    }

    /// Looks at pages of the loaded space while they are still mapped, so that there is something to be stale
    /// (QEMU's TCG keeps what programs have looked up apart from what the kernel has).
    pub fn look(&self, pages: impl Iterator<Item = VirtAddr>) {
        if self.on {
            pages.for_each(|page| _ = probe(page, self.smap));
        }
    }

    /// Pages of the loaded space lose their frames.
    #[inline]
    pub fn edited(&mut self, operations: &[Operation], loaded: PhysFrame) {
        if self.on {
            let lost =
                operations.iter().filter(|o| o.name.root() == loaded && o.action != Action::Load);
            let lost = lost.filter_map(|o| Some((o.name.page(), o.found.frame()?)));
            lost.for_each(|page| self.pages.push(page).unwrap_or(()));
        }
    }

    /// The batch is over.
    #[inline]
    pub fn forget(&mut self) {
        if self.on {
            self.pages.clear();
        }
    }

    /// A frame that has just been poisoned is being freed: probes the pages that lost it.
    pub fn probe(&mut self, frame: PhysFrame) {
        let lost = self.pages.iter().filter(|(_, lost)| *lost == frame);
        let stale = lost.filter(|(page, _)| probe(*page, self.smap) == Some(POISON));
        self.stale += stale.count() as u64;
    }
}
