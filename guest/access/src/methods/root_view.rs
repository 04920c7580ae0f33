//! Views of the stub's in which another root stands in the place of ours: one VMFUNC, and the CPU translates by the tables of the
//! other space, although CR3 is what it was. They are reached through that root's own self slot.
//!
//! What a CPU remembers of translations belongs to the view in which it learned it, to the PCID, and (SDM volume 3, "Operations that
//! Invalidate Cached Mappings") INVLPG makes it forget an address, and all ways to tables, in every view. So each page is forgotten
//! before it is used, and all ways to foreign tables when the CPU is back: nothing of them outlasts a visit.
//!
//! Interrupts are off while the CPU is in such a view; the stub holds NMIs until it is back.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use loadphys_abi::Kept;
use loadphys_abi::batch::MOST_ITEMS;
use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use super::bindings::Bindings;
use super::registration;
use crate::cpu::{Cpu, Paging, Showing, Unsupported};
use crate::entry::Entry;
use crate::lend;
use crate::methods::loaded::Loaded;
use crate::methods::self_slot::SelfSlot;
use crate::operation::{Method, Operation, Refusal, Stopped};

/// The self slot for the own space; for others the same, in a view of theirs.
#[derive(Clone, Copy, Debug)]
pub struct RootView<'a> {
    own: SelfSlot,
    bindings: &'a Bindings,
}

impl<'a> RootView<'a> {
    /// With the self slot at this index of every root, and what all CPUs know of the stub's views.
    ///
    /// # Safety
    /// - Every root holds its [`RootView::self_entry`], and the same kernel half; every root that is loaded was adopted, the
    ///   kernel's own too.
    /// - Entries that lead to tables are writable and their bits 7 and 8 are clear.
    /// - CR4.LA57 and EFER.TCE are clear ([`Paging::check`]).
    /// - The stub has views of roots, and knows the gate as for [`Gate`](super::Gate). It is asked for them by nothing but
    ///   instances with these bindings.
    pub unsafe fn new(self_slot: PageTableIndex, bindings: &'a Bindings) -> Self {
        Self { own: SelfSlot::new(self_slot), bindings }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        self.own.entry(root)
    }

    /// Does operations on one foreign space; says how many were done.
    ///
    /// # Safety
    /// As for [`Method::apply`].
    unsafe fn visit<C: Cpu>(
        &self,
        cpu: &C,
        own: PhysFrame,
        operations: &mut [Operation],
    ) -> Result<usize, Refusal> {
        let were_on = cpu.mask_interrupts();
        let view = self.bindings.enter(cpu, own, operations[0].name.root());
        let done = view.map(|view| {
            let pages = VirtAddr::new_truncate(self.own.pages());
            let below = Showing::Below(pages);
            // SAFETY: the caller's duty is the same; nobody is given the view until `leave`.
            let done = unsafe { cpu.through_view(view, below, operations) };
            // Any address would do. Pages stay known, but are forgotten before they are used.
            cpu.invlpg(pages);
            self.bindings.leave();
            done
        });
        cpu.restore_interrupts(were_on);
        done
    }
}

// SAFETY: the adapter, or the CPU, does the operations in order, whole and atomically, and stops at the first that differs; in the
// view a root's self slot shows its tables. View and interrupts are restored.
unsafe impl<C: Cpu> Method<C> for RootView<'_> {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let (own, mut done) = (cpu.root(), 0);
        let same = |one: &Operation, next: &Operation| one.name.root() == next.name.root();
        for space in operations.chunk_by_mut(same) {
            if space[0].name.root() == own {
                let mut lender = Loaded::new(cpu, self.own);
                // SAFETY: the caller's duty is the same.
                unsafe { lend::apply(&mut lender, cpu, space) }
                    .map_err(|stopped| Stopped { done: done + stopped.done, ..stopped })?;
                done += space.len();
                continue;
            }
            // Interrupts do not wait for more than so many.
            for chunk in space.chunks_mut(MOST_ITEMS) {
                // SAFETY: the caller's duty is the same.
                let here = unsafe { self.visit(cpu, own, chunk) };
                done += here.map_err(|refusal| Stopped { done, refusal })?;
                if here != Ok(chunk.len()) {
                    return Err(Stopped { done, refusal: Refusal::Differs });
                }
            }
        }
        Ok(())
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        registration::register(cpu, table, level, Kept::Calls)
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        self.bindings.forget(cpu, table);
        registration::release(cpu, table)
    }

    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.check()
    }
}
