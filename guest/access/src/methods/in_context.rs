//! The work is queued on the space and done the next time it runs, in its own context.
//!
//! The kernel redirects the saved instruction pointer of a program of the space to the work, and lets it run next
//! ([`Cpu::in_context`]). There the space is loaded, so its self slot shows its tables. The caller waits
//! until the target has run: what it costs is what scheduling costs.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::entry::Entry;
use crate::lend;
use crate::methods::loaded::Loaded;
use crate::methods::self_slot::SelfSlot;
use crate::operation::{Method, Operation, Stopped};

/// Work done where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct InContext {
    own: SelfSlot,
}

impl InContext {
    /// With the self slot at this index of every root.
    ///
    /// # Safety
    /// - Every root holds its [`InContext::self_entry`].
    /// - Entries that lead to tables are writable and their bits 7 and 8 are clear.
    /// - CR4.LA57 and EFER.TCE are clear ([`Paging::check`]).
    pub unsafe fn new(self_slot: PageTableIndex) -> Self {
        Self { own: SelfSlot::new(self_slot) }
    }

    /// What a root must hold, and at which index, before it is used with this method.
    pub fn self_entry(&self, root: PhysFrame) -> (PageTableIndex, Entry) {
        self.own.entry(root)
    }
}

// SAFETY: runs of operations on one root are done in order, each in the context of its space; the adapter does them whole and
// atomically.
unsafe impl<C: Cpu> Method<C> for InContext {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let mut before = 0;
        for run in operations.chunk_by_mut(|a, b| a.name.root() == b.name.root()) {
            let root = run[0].name.root();
            let mut answer = Ok(());
            let mut work = || {
                let mut own = Loaded::new(cpu, self.own);
                // SAFETY: the caller's duty is the same, and the space of these names is loaded.
                answer = unsafe { lend::apply(&mut own, cpu, run) };
            };
            if root == cpu.root() {
                work();
            } else {
                // SAFETY: the names are true, so this is the root of a space.
                unsafe { cpu.in_context(root, &mut work) };
            }
            answer.map_err(|stopped| Stopped { done: before + stopped.done, ..stopped })?;
            before += run.len();
        }
        Ok(())
    }

    fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
        paging.check()
    }
}
