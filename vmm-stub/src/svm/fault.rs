//! The guest touched what its nested tables do not show (APM volume 2, section 15.25.6 "Nested versus Guest Page Faults, Fault
//! Ordering").

use crate::event::{self, DOUBLE_FAULT, Outcome};
use crate::report::{self, Access};
use crate::svm::Cpu;
use crate::vcpu::{Exception, Vcpu};

pub fn on_nested_fault(cpu: &mut Cpu) {
    let [error, address] = cpu.vcpu.vmcb.control.exit_info;
    report::stray_access(cpu, wanted(error), address);
    match event::general_protection_in(cpu.vcpu.vmcb.control.in_delivery) {
        Outcome::GeneralProtection => cpu.vcpu.raise(Exception::GeneralProtection),
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
