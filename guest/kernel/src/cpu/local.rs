//! What each CPU has of its own, found through GS while the kernel runs.

use core::mem::offset_of;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::tss::TaskStateSegment;

/// The block at GS. Only [`crate::user`]'s assembly and the CPU itself write to it after boot.
#[repr(C)]
pub struct CpuLocal {
    /// RSP of the kernel while a program runs.
    kernel_stack: u64,
    /// RSP of the program while SYSCALL finds its way in.
    user_stack: u64,
    /// The task-state segment; its RSP0 points to the end of the running program's context.
    pub task: TaskStateSegment,
}

/// Where the kernel's RSP is kept.
pub const KERNEL_STACK_OFFSET: usize = offset_of!(CpuLocal, kernel_stack);

/// Where the program's RSP is kept for a moment.
pub const USER_STACK_OFFSET: usize = offset_of!(CpuLocal, user_stack);

/// Where the CPU finds RSP when a program is interrupted: RSP0 of the task-state segment.
pub const PRIVILEGE_STACK_OFFSET: usize =
    offset_of!(CpuLocal, task) + offset_of!(TaskStateSegment, privilege_stack_table);

impl CpuLocal {
    /// Empty.
    pub const fn new() -> Self {
        Self { kernel_stack: 0, user_stack: 0, task: TaskStateSegment::new() }
    }

    /// Makes GS lead here in the kernel, and nowhere in programs.
    pub fn install(&'static self) {
        GsBase::write(VirtAddr::from_ptr(self));
        KernelGsBase::write(VirtAddr::zero());
    }
}

const _: () = assert!(PRIVILEGE_STACK_OFFSET == offset_of!(CpuLocal, task) + 4);
