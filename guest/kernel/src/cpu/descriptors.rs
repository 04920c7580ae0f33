//! Segments and the task state (SDM volume 3, chapters 3 and 8).
#![expect(unsafe_code, reason = "loads descriptor tables and segment registers")]

use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::segmentation::SegmentSelector;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;
use x86_64::{PrivilegeLevel, VirtAddr};

use super::local::CpuLocal;

/// The selectors, in the order that SYSCALL and SYSRET demand (SDM volume 2, "SYSRET": SS is
/// STAR bits 63:48, + 8, CS is + 16).
pub struct Selectors;

impl Selectors {
    /// Ring 0, code.
    pub const KERNEL_CODE: SegmentSelector = SegmentSelector::new(1, PrivilegeLevel::Ring0);
    /// Ring 0, data.
    pub const KERNEL_DATA: SegmentSelector = SegmentSelector::new(2, PrivilegeLevel::Ring0);
    /// Ring 3, data.
    pub const USER_DATA: SegmentSelector = SegmentSelector::new(3, PrivilegeLevel::Ring3);
    /// Ring 3, code.
    pub const USER_CODE: SegmentSelector = SegmentSelector::new(4, PrivilegeLevel::Ring3);
    /// The task state, two entries.
    const TASK: SegmentSelector = SegmentSelector::new(5, PrivilegeLevel::Ring0);
}

/// Index of the interrupt-stack-table slot for NMI.
pub const NMI_STACK: u16 = 0;
/// For a double fault.
pub const DOUBLE_FAULT_STACK: u16 = 1;
/// For a machine check.
pub const MACHINE_CHECK_STACK: u16 = 2;

/// Loads the segments and the task state of a CPU. `stacks` are the tops of the
/// interrupt stacks, by slot.
pub fn load(local: &'static mut CpuLocal, stacks: [VirtAddr; 3]) {
    let block = core::ptr::from_mut(local);
    let CpuLocal { task, segments, .. } = local;
    // By value: the field lies unaligned in the structure.
    let mut slots = task.interrupt_stack_table;
    slots[..3].copy_from_slice(&stacks);
    task.interrupt_stack_table = slots;
    *segments = table(task);
    let segments: &'static GlobalDescriptorTable = segments;
    segments.load();
    // SAFETY: the selectors name the descriptors that `table` has appended in this order.
    unsafe {
        CS::set_reg(Selectors::KERNEL_CODE);
        SS::set_reg(Selectors::KERNEL_DATA);
        DS::set_reg(SegmentSelector::NULL);
        ES::set_reg(SegmentSelector::NULL);
        load_tss(Selectors::TASK);
    }
    CpuLocal::install(block);
}

fn table(task: &'static TaskStateSegment) -> GlobalDescriptorTable {
    let mut table = GlobalDescriptorTable::new();
    let appended = [
        table.append(Descriptor::kernel_code_segment()),
        table.append(Descriptor::kernel_data_segment()),
        table.append(Descriptor::user_data_segment()),
        table.append(Descriptor::user_code_segment()),
        table.append(Descriptor::tss_segment(task)),
    ];
    assert!(appended[3] == Selectors::USER_CODE && appended[4] == Selectors::TASK);
    table
}
