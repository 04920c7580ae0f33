//! Every table is also mapped as an ordinary page, by a second set of tables that is kept in step: when a frame becomes
//! a table it is shown, when it ceases to be one it is hidden. Tables need not be usable at two levels, so this
//! works where the hardware's formats differ from level to level.
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::cpu::Cpu;
use crate::lend::{self, Lend};
use crate::methods::frame_array::FrameArray;
use crate::operation::{EntryName, Method, Operation, Refusal, Stopped};

/// An array that shows all tables.
#[derive(Clone, Copy, Debug)]
pub struct Mirror {
    tables: FrameArray,
}

impl Mirror {
    /// In this array.
    pub const fn new(tables: FrameArray) -> Self {
        Self { tables }
    }
}

// SAFETY: each adopted table is shown in its place, and nothing else ever is (see `frame_array`).
unsafe impl Lend for Mirror {
    #[inline]
    fn lend(&mut self, name: &EntryName) -> VirtAddr {
        self.tables.address(name.physical())
    }
}

// SAFETY: the adapter does the operations in order, whole and atomically; the only other entries
// touched are the array's.
unsafe impl<C: Cpu> Method<C> for Mirror {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        // SAFETY: the caller's duty is the same.
        unsafe { lend::apply(self, cpu, operations) }
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, _: PageTableLevel) -> Result<(), Refusal> {
        self.tables.show(cpu, table);
        Ok(())
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        self.tables.hide(cpu, table);
        Ok(())
    }
}
