//! How CPUs forget what was edited: who is asked, who flushes by itself, and why nothing stale is left.
//!
//! ```text
//! edit:    exchange the entries; raise the generation of each root     [`Tlb::edited`]
//!          fence; look who has announced an edited root
//! flush:   write down the pages; set a bit in each such CPU's word     [`Tlb::flush`]
//!          and interrupt it; wait for all, answering others meanwhile
//! answer:  INVLPG each page of the loaded root, or all; acknowledge    [`Shared::answer`]
//! load:    announce the root; fence; read its generation;              [`Tlb::load`]
//!          write CR3, with a flush unless its PCID is that new;
//!          announce that it is loaded
//! ```
//!
//! A CPU that may be using an edited space is asked. One that is not has its generation tell it, when it loads the space:
//! with PCIDs, translations of a space survive while others are loaded, and cannot be flushed one by one. A CPU that
//! runs no program loads the kernel's root, which nobody edits, so it is left in peace.
//!
//! There is one round for all edits since the last: a CPU is interrupted once, however many pages it must forget, and
//! not at all if somebody else's interrupt is already on its way.
//!
//! Every line above has a broken twin ([`twin`]) in which a test finds what goes wrong without it.
//!
//! Each atomic says beside it why its order is enough; [`Announced`] has the heart of it. Without PCIDs every load
//! flushes, and the same protocol holds.

mod announced;
mod atomics;
mod cpus;
mod generations;
mod pcids;
mod requests;
mod round;
mod threshold;
mod tlb;
pub mod twin;

pub use announced::Announced;
pub use cpus::{Shared, Shown};
pub use generations::{Generation, Generations};
pub use pcids::{Identities, Identity, Loading, Owner, Pcids};
pub use threshold::{Costs, UNMEASURED, worth_one_by_one};
pub use tlb::Tlb;

use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

/// CPUs at most: one bit each.
pub const MOST_CPUS: usize = if cfg!(loom) { 3 } else { 64 };

/// Pages of one round at most that are forgotten one by one.
pub const MOST_PAGES: usize = if cfg!(loom) { 2 } else { 64 };

/// What the protocol asks of the CPU that it runs on.
pub trait Local {
    /// Writes CR3.
    #[track_caller]
    fn load(&mut self, root: PhysFrame, how: Loading);

    /// Forgets a page under the loaded PCID, and what leads to any page (INVLPG).
    #[track_caller]
    fn invlpg(&mut self, page: VirtAddr);

    /// Forgets everything under the loaded PCID.
    #[track_caller]
    fn flush_loaded(&mut self);

    /// The method lets go of foreign roots.
    #[track_caller]
    fn let_go(&mut self);

    /// Interrupts another CPU, which then [answers](Shared::answer).
    fn interrupt(&mut self, cpu: usize);

    /// Another CPU has yet to acknowledge. Called again and again; it is the place to give up if that takes too long.
    fn pause(&mut self);
}

#[inline]
fn frame_number(frame: PhysFrame) -> u64 {
    frame.start_address().as_u64() >> 12
}

#[inline]
fn numbered(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new_truncate(number << 12))
}
