//! The stub's GDT, TSS and IDT.
#![expect(unsafe_code, reason = "loads descriptor tables")]

use spin::Once;
use x86_64::PrivilegeLevel;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use crate::exceptions::{self, VECTORS};
use crate::image::{FAULT_STACK, NMI_STACK};

/// Code of the stub.
pub const CODE: SegmentSelector = SegmentSelector::new(1, PrivilegeLevel::Ring0);
/// Data of the stub.
pub const DATA: SegmentSelector = SegmentSelector::new(2, PrivilegeLevel::Ring0);
/// The TSS.
pub const TASK: SegmentSelector = SegmentSelector::new(3, PrivilegeLevel::Ring0);

/// Numbers of stacks in the TSS, as the IDT counts them (from 1).
const FAULT_IST: u8 = 1;
const NMI_IST: u8 = 2;

/// What a CPU's registers point to.
#[derive(Debug)]
pub struct Descriptors {
    gdt: GlobalDescriptorTable,
    idt: [Gate; VECTORS],
}

/// The one CPU's.
static DESCRIPTORS: Once<Descriptors> = Once::new();
static TSS: Once<TaskStateSegment> = Once::new();

/// An interrupt gate in 64-bit mode (SDM volume 3, figure "64-Bit IDT Gate Descriptors").
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Gate {
    low: u64,
    high: u64,
}

impl Gate {
    /// Present, ring 0, interrupt gate.
    const KIND: u64 = 0x8e;

    fn new(handler: u64, stack: u8) -> Self {
        let selector = u64::from(CODE.0) << 16;
        let kind = u64::from(stack) << 32 | Self::KIND << 40;
        let offset = handler & 0xffff | (handler >> 16 & 0xffff) << 48;
        Self { low: offset | selector | kind, high: handler >> 32 }
    }
}

const fn stack_of(vector: usize) -> u8 {
    match vector {
        2 => NMI_IST,
        8 | 14 | 18 => FAULT_IST,
        _ => 0,
    }
}

fn tss() -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    tss.interrupt_stack_table[FAULT_IST as usize - 1] = VirtAddr::from_ptr(FAULT_STACK.top());
    tss.interrupt_stack_table[NMI_IST as usize - 1] = VirtAddr::from_ptr(NMI_STACK.top());
    tss
}

/// Builds them, loads them, and returns them for the host state.
pub fn load() -> &'static Descriptors {
    let tss = TSS.call_once(tss);
    let descriptors = DESCRIPTORS.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        gdt.append(Descriptor::kernel_code_segment());
        gdt.append(Descriptor::kernel_data_segment());
        gdt.append(Descriptor::tss_segment(tss));
        let handlers = exceptions::handlers();
        let idt = core::array::from_fn(|vector| Gate::new(handlers[vector], stack_of(vector)));
        Descriptors { gdt, idt }
    });
    descriptors.gdt.load();
    // SAFETY: the selectors are those of the GDT above, which lives for ever, as does the IDT.
    unsafe {
        CS::set_reg(CODE);
        SS::set_reg(DATA);
        DS::set_reg(DATA);
        ES::set_reg(DATA);
        load_tss(TASK);
        lidt(&descriptors.idt_pointer());
    }
    descriptors
}

impl Descriptors {
    /// Where the GDT is.
    pub fn gdt_base(&self) -> u64 {
        self.gdt.entries().as_ptr() as u64
    }

    /// Where the IDT is.
    pub fn idt_base(&self) -> u64 {
        self.idt.as_ptr() as u64
    }

    /// Where the TSS is.
    pub fn tss_base() -> u64 {
        TSS.get().map_or(0, |tss| core::ptr::from_ref(tss) as u64)
    }

    fn idt_pointer(&self) -> DescriptorTablePointer {
        let limit = (size_of_val(&self.idt) - 1) as u16;
        DescriptorTablePointer { limit, base: VirtAddr::new(self.idt_base()) }
    }
}
