//! The stub's alias in a view of its own: VMFUNC goes there from the one page that can be executed in it, and back. Outside of that page
//! no address leads to a table, so a stray store reaches none.
//!
//! Interrupts are off meanwhile, since their handlers cannot be executed there; the stub holds NMIs until the CPU is back.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use loadphys_abi::Kept;
use loadphys_abi::batch::MOST_ITEMS;
use loadphys_abi::discovery::GATE_VIEW;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::registration;
use crate::cpu::{Cpu, Showing};
use crate::operation::{Method, Operation, Refusal, Stopped};

/// Entries at a fixed distance from their physical addresses, in [`GATE_VIEW`].
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    base: VirtAddr,
}

impl Gate {
    /// Through an alias whose first byte is mapped at `base`.
    ///
    /// # Safety
    /// In every space, `base + p` is mapped (supervisor, writable, no-execute) to the stub's alias of physical address `p`, for all
    /// memory in which tables may lie. The stub has a gate view, and the kernel has told it which page is the gate
    /// ([`loadphys_abi::Call::SetGate`]): the one into which its linker script has put section `.gate`, and nothing else.
    pub const unsafe fn new(base: VirtAddr) -> Self {
        Self { base }
    }
}

// SAFETY: the CPU does the operations in order, whole and atomically, and stops at the first that differs; in the view the alias
// shows each adopted table at its physical address. View and interrupts are restored.
unsafe impl<C: Cpu> Method<C> for Gate {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let mut done = 0;
        // Interrupts do not wait for more than so many.
        for chunk in operations.chunks_mut(MOST_ITEMS) {
            let were_on = cpu.mask_interrupts();
            // SAFETY: the caller's duty is the same; the stub has the view (see `Gate::new`).
            let here = unsafe { cpu.through_view(GATE_VIEW, Showing::At(self.base), chunk) };
            cpu.restore_interrupts(were_on);
            done += here;
            if here < chunk.len() {
                return Err(Stopped { done, refusal: Refusal::Differs });
            }
        }
        Ok(())
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        registration::register(cpu, table, level, Kept::Gate)
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        registration::release(cpu, table)
    }
}
