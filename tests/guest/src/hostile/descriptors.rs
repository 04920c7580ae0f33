//! Segments of every mode, and a TSS whose stacks are there whatever the registers hold.
#![expect(unsafe_code, reason = "loads descriptor tables")]

use x86_64::instructions::tables::{lgdt, load_tss};
use x86_64::registers::segmentation::{CS, SS, Segment};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

/// A mode in which code of this guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Ring 0, 64-bit.
    Kernel,
    /// Ring 0, compatibility mode.
    Kernel32,
    /// Ring 3, 64-bit.
    User,
    /// Ring 3, compatibility mode.
    User32,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::Kernel32, Self::User, Self::User32];

    /// Whether it is a 64-bit one.
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Kernel | Self::User)
    }

    /// Selectors of code and stack.
    pub const fn selectors(self) -> (u64, u64) {
        match self {
            Self::Kernel => (0x08, 0x10),
            Self::Kernel32 => (0x18, 0x10),
            Self::User => (0x28 | 3, 0x20 | 3),
            Self::User32 => (0x30 | 3, 0x20 | 3),
        }
    }
}

/// The selector of the TSS, behind these segments.
const TASK: u16 = 0x38;
const SEGMENTS: [u64; 7] = [
    0,
    0x00af_9a00_0000_ffff,
    0x00cf_9200_0000_ffff,
    0x00cf_9a00_0000_ffff,
    0x00cf_f200_0000_ffff,
    0x00af_fa00_0000_ffff,
    0x00cf_fa00_0000_ffff,
];

/// The tables of one CPU.
#[derive(Debug)]
#[repr(C)]
pub struct Tables {
    segments: [u64; 9],
    task: TaskStateSegment,
}

impl Tables {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { segments: [0; 9], task: TaskStateSegment::new() }
    }

    /// Loads them, with the stack for exceptions and that for NMIs, as numbers 1 and 2 of the TSS.
    pub fn load(&'static mut self, stacks: [u64; 2]) {
        let [exceptions, nmis] = stacks.map(VirtAddr::new);
        (self.task.interrupt_stack_table[0], self.task.interrupt_stack_table[1]) =
            (exceptions, nmis);
        let [segments @ .., low, high] = &mut self.segments;
        *segments = SEGMENTS;
        (*low, *high) = match Descriptor::tss_segment(&self.task) {
            Descriptor::SystemSegment(low, high) => (low, high),
            Descriptor::UserSegment(_) => unreachable!("a TSS is described by two words"),
        };
        let limit = (size_of_val(&self.segments) - 1) as u16;
        let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(&self.segments) };
        let ring_0 = |index| SegmentSelector::new(index, PrivilegeLevel::Ring0);
        // SAFETY: the segments are flat, those that are loaded are of the mode in which this CPU is, and the tables stay.
        unsafe {
            lgdt(&pointer);
            CS::set_reg(ring_0(1));
            SS::set_reg(ring_0(2));
            load_tss(SegmentSelector(TASK));
        }
    }
}
