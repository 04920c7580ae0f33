//! The interrupt-descriptor table: an entry for every vector.
#![expect(unsafe_code, reason = "names handlers by address and loads SYSCALL's registers")]

use spin::Once;
use x86_64::registers::model_specific::{LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;
use x86_64::structures::idt::{Entry, InterruptDescriptorTable};
use x86_64::{PrivilegeLevel, VirtAddr};

use super::entry::{plain, striking, syscall, with_code};
use super::vector::{
    DOUBLE_FAULT, MACHINE_CHECK, NMI, PAGE_FAULT, SHOOTDOWN, SPURIOUS, TIMER, TO_SELF, WAKE,
};
use crate::cpu::{DOUBLE_FAULT_STACK, MACHINE_CHECK_STACK, NMI_STACK, Selectors};

static TABLE: Once<InterruptDescriptorTable> = Once::new();

/// Loads the table, and SYSCALL's entry.
pub fn load() {
    TABLE.call_once(table).load();
    let (kernel, user) = (Selectors::KERNEL_CODE, Selectors::USER_CODE);
    Star::write(user, Selectors::USER_DATA, kernel, Selectors::KERNEL_DATA)
        .expect("the selectors stand in the order that SYSRET demands");
    LStar::write(VirtAddr::from_ptr(syscall as *const ()));
    SFMask::write(
        RFlags::INTERRUPT_FLAG
            | RFlags::DIRECTION_FLAG
            | RFlags::TRAP_FLAG
            | RFlags::ALIGNMENT_CHECK
            | RFlags::NESTED_TASK,
    );
}

fn table() -> InterruptDescriptorTable {
    let mut table = InterruptDescriptorTable::new();
    set(&mut table.divide_error, plain::<0>);
    set(&mut table.debug, plain::<1>);
    set(&mut table.non_maskable_interrupt, striking::<NMI, false>);
    // Programs may execute INT3 and INTO: they are ended for that, and not for a forbidden gate.
    set(&mut table.breakpoint, plain::<3>);
    set(&mut table.overflow, plain::<4>);
    set(&mut table.bound_range_exceeded, plain::<5>);
    set(&mut table.invalid_opcode, plain::<6>);
    set(&mut table.device_not_available, plain::<7>);
    set(&mut table.double_fault, striking::<DOUBLE_FAULT, true>);
    set(&mut table.invalid_tss, with_code::<10>);
    set(&mut table.segment_not_present, with_code::<11>);
    set(&mut table.stack_segment_fault, with_code::<12>);
    set(&mut table.general_protection_fault, with_code::<13>);
    set(&mut table.page_fault, with_code::<PAGE_FAULT>);
    set(&mut table.x87_floating_point, plain::<16>);
    set(&mut table.alignment_check, with_code::<17>);
    set(&mut table.machine_check, striking::<MACHINE_CHECK, false>);
    set(&mut table.simd_floating_point, plain::<19>);
    set(&mut table.virtualization, plain::<20>);
    set(&mut table.cp_protection_exception, with_code::<21>);
    set(&mut table[TIMER as u8], plain::<TIMER>);
    set(&mut table[TO_SELF as u8], plain::<TO_SELF>);
    set(&mut table[SHOOTDOWN as u8], plain::<SHOOTDOWN>);
    set(&mut table[WAKE as u8], plain::<WAKE>);
    set(&mut table[SPURIOUS as u8], plain::<SPURIOUS>);
    stacks_and_rings(&mut table);
    table
}

fn stacks_and_rings(table: &mut InterruptDescriptorTable) {
    // SAFETY: the task state has those stacks, and nothing else uses them.
    unsafe {
        options(&mut table.non_maskable_interrupt).set_stack_index(NMI_STACK);
        options(&mut table.double_fault).set_stack_index(DOUBLE_FAULT_STACK);
        options(&mut table.machine_check).set_stack_index(MACHINE_CHECK_STACK);
    }
    options(&mut table.breakpoint).set_privilege_level(PrivilegeLevel::Ring3);
    options(&mut table.overflow).set_privilege_level(PrivilegeLevel::Ring3);
}

fn set<F>(entry: &mut Entry<F>, handler: extern "C" fn()) {
    // SAFETY: the handlers of `entry` follow the CPU's protocol for exceptions.
    unsafe { entry.set_handler_addr(VirtAddr::from_ptr(handler as *const ())) };
}

fn options<F>(entry: &mut Entry<F>) -> &mut x86_64::structures::idt::EntryOptions {
    let address = entry.handler_addr();
    // SAFETY: the same handler again; this is the way to the options of an entry.
    unsafe { entry.set_handler_addr(address) }
}
