//! The guest touched what its nested tables do not show (APM volume 2, section 15.25.6 "Nested versus Guest Page Faults, Fault
//! Ordering").

use loadphys_abi::FRAME_BYTES;

use crate::apic_page;
use crate::event::{self, DOUBLE_FAULT, Outcome, VALID};
use crate::registers::Registers;
use crate::report::{self, Access};
use crate::svm::Cpu;
use crate::vcpu::{Exception, Vcpu};

/// It was the address itself that the nested tables do not show, not a table of the guest's.
const AT_THE_END: u64 = 1 << 32;

pub fn on_nested_fault(registers: &mut Registers, cpu: &mut Cpu) {
    let [error, address] = cpu.vcpu.vmcb.control.exit_info;
    let offset = cpu.shared.apic_page.and_then(|page| address.checked_sub(page));
    let by_instruction = error & AT_THE_END != 0 && cpu.vcpu.vmcb.control.in_delivery & VALID == 0;
    if let (Access::Write, true, Some(offset @ 0..FRAME_BYTES)) =
        (wanted(error), by_instruction, offset)
        && apic_page::store(registers, cpu, offset)
    {
        return;
    }
    report::stray_access(cpu, wanted(error), address);
    match event::general_protection_in(cpu.vcpu.vmcb.control.in_delivery) {
        Outcome::Itself => cpu.vcpu.raise(Exception::GeneralProtection),
        Outcome::DoubleFault => cpu.vcpu.raise_with_error(DOUBLE_FAULT),
        Outcome::Shutdown => report::triple_fault(cpu),
    }
}

/// The error code is that of a page fault.
const fn wanted(error: u64) -> Access {
    match error {
        e if e & 1 << 4 != 0 => Access::Execute,
        e if e & 1 << 1 != 0 => Access::Write,
        _ => Access::Read,
    }
}
