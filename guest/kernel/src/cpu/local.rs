//! What each CPU has of its own, found through GS while the kernel runs.

#![expect(unsafe_code, reason = "finds its own block at GS")]

use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::AtomicBool;

use x86_64::VirtAddr;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::structures::gdt::GlobalDescriptorTable;
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
    /// Where this block is.
    this: u64,
    /// The number of this CPU, from 0.
    pub number: usize,
    /// A slice ended while the kernel was at work.
    pub slice_over: AtomicBool,
    /// It waits for something to do, and its method holds nothing.
    pub parked: AtomicBool,
    /// The segments.
    pub segments: GlobalDescriptorTable,
}

/// Where the kernel's RSP is kept.
pub const KERNEL_STACK_OFFSET: usize = offset_of!(CpuLocal, kernel_stack);

/// Where the program's RSP is kept for a moment.
pub const USER_STACK_OFFSET: usize = offset_of!(CpuLocal, user_stack);

/// Where the CPU finds RSP when a program is interrupted: RSP0 of the task-state segment.
pub const PRIVILEGE_STACK_OFFSET: usize =
    offset_of!(CpuLocal, task) + offset_of!(TaskStateSegment, privilege_stack_table);

impl CpuLocal {
    /// Empty, of the CPU with this number.
    pub const fn new(number: usize) -> Self {
        Self {
            kernel_stack: 0,
            user_stack: 0,
            task: TaskStateSegment::new(),
            this: 0,
            number,
            slice_over: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            segments: GlobalDescriptorTable::new(),
        }
    }

    /// Makes GS lead here in the kernel, and nowhere in programs.
    pub(super) fn install(block: *mut Self) {
        let here = VirtAddr::from_ptr(block);
        // SAFETY: the block is there for ever; only its own CPU writes to it.
        unsafe { (&raw mut (*block).this).write(here.as_u64()) };
        GsBase::write(here);
        KernelGsBase::write(VirtAddr::zero());
    }

    /// The block of the CPU that runs this, which must be the kernel with its descriptors loaded.
    #[inline]
    pub fn here() -> &'static Self {
        let this: *const Self;
        // SAFETY: GS leads to the block since `install`, and the block is there for ever.
        unsafe {
            asm!("mov {}, gs:[{offset}]", out(reg) this, offset = const offset_of!(Self, this),
                 options(nostack, preserves_flags, readonly));
            &*this
        }
    }
}

const _: () = assert!(PRIVILEGE_STACK_OFFSET == offset_of!(CpuLocal, task) + 4);
