//! The stub's GDT, TSS and IDT.
#![expect(unsafe_code, reason = "loads descriptor tables")]

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use spin::Once;
use x86_64::PrivilegeLevel;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{lidt, load_tss};
use x86_64::registers::model_specific::GsBase;
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
    tss: TaskStateSegment,
    /// NMIs that came while the stub ran; GS points here. The assembly that enters the guest looks at it.
    nmis: AtomicU32,
}

/// The same for all CPUs: gates name no CPU.
static IDT: Once<[Gate; VECTORS]> = Once::new();

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

/// The tops of the stacks for faults and for NMIs.
#[derive(Clone, Copy, Debug)]
pub struct Tops {
    /// For double faults, page faults and machine checks.
    pub fault: *const u8,
    /// For NMIs.
    pub nmi: *const u8,
}

/// Those of the boot CPU.
pub const fn boot_tops() -> Tops {
    Tops { fault: FAULT_STACK.top(), nmi: NMI_STACK.top() }
}

fn tss(tops: Tops) -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    tss.interrupt_stack_table[FAULT_IST as usize - 1] = VirtAddr::from_ptr(tops.fault);
    tss.interrupt_stack_table[NMI_IST as usize - 1] = VirtAddr::from_ptr(tops.nmi);
    tss
}

fn idt() -> &'static [Gate; VECTORS] {
    IDT.call_once(|| {
        let handlers = exceptions::handlers();
        core::array::from_fn(|vector| Gate::new(handlers[vector], stack_of(vector)))
    })
}

/// Where the IDT is.
pub fn idt_base() -> u64 {
    idt().as_ptr() as u64
}

/// Builds a CPU's own and loads them on this CPU, and returns them for the host state.
pub fn load(place: &'static mut MaybeUninit<Descriptors>, tops: Tops) -> &'static Descriptors {
    let descriptors = place.write(Descriptors {
        gdt: GlobalDescriptorTable::new(),
        tss: tss(tops),
        nmis: AtomicU32::new(0),
    });
    descriptors.gdt.append(Descriptor::kernel_code_segment());
    descriptors.gdt.append(Descriptor::kernel_data_segment());
    // SAFETY: both stay where they are for good.
    let task = unsafe { Descriptor::tss_segment_unchecked(&raw const descriptors.tss) };
    descriptors.gdt.append(task);
    let descriptors = &*descriptors;
    descriptors.gdt.load();
    let limit = (size_of_val(idt()) - 1) as u16;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::new(idt_base()) };
    // SAFETY: the selectors are those of the GDT above, which lives for ever, as does the IDT. GS is used for the count
    // of NMIs alone; writing its selector would clear its base.
    unsafe {
        CS::set_reg(CODE);
        SS::set_reg(DATA);
        DS::set_reg(DATA);
        ES::set_reg(DATA);
        GsBase::write(VirtAddr::new(descriptors.nmi_count()));
        load_tss(TASK);
        lidt(&pointer);
    }
    descriptors
}

impl Descriptors {
    /// Where the GDT is.
    pub fn gdt_base(&self) -> u64 {
        self.gdt.entries().as_ptr() as u64
    }

    /// Where the TSS is.
    pub fn tss_base(&self) -> u64 {
        &raw const self.tss as u64
    }

    /// Where the count of NMIs is.
    pub fn nmi_count(&self) -> u64 {
        &raw const self.nmis as u64
    }

    /// How many NMIs came since this was asked last.
    pub fn take_nmis(&self) -> u32 {
        self.nmis.swap(0, Ordering::Relaxed)
    }
}
