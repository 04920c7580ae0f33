//! The stub's state, as every exit loads it (section "Host-State Area").
#![expect(unsafe_code, reason = "writes the host state to the VMCS")]

use x86::vmx::vmcs::host;
use x86_64::registers::control::{Cr0, Cr3, Cr4};
use x86_64::registers::model_specific::Efer;

use crate::descriptors::{self, Descriptors};
use crate::machine::msr;
use crate::vmx::enter;

use crate::vmx::vmcs::Vmcs;

/// IA32_PAT.
const PAT: u32 = 0x277;

/// Writes it, from what is loaded now. Where RSP is, [`enter::run`] writes itself.
pub fn write(vmcs: &mut Vmcs, descriptors: &Descriptors) {
    let (code, data) = (u64::from(descriptors::CODE.0), u64::from(descriptors::DATA.0));
    let fields = [
        (host::CR0, Cr0::read_raw()),
        (host::CR3, Cr3::read_raw().0.start_address().as_u64()),
        (host::CR4, Cr4::read_raw()),
        (host::IA32_EFER_FULL, Efer::read_raw()),
        (host::IA32_PAT_FULL, msr(PAT)),
        (host::CS_SELECTOR, code),
        (host::SS_SELECTOR, data),
        (host::DS_SELECTOR, data),
        (host::ES_SELECTOR, data),
        (host::FS_SELECTOR, 0),
        (host::GS_SELECTOR, 0),
        (host::TR_SELECTOR, u64::from(descriptors::TASK.0)),
        (host::FS_BASE, 0),
        (host::GS_BASE, descriptors.nmi_count()),
        (host::TR_BASE, descriptors.tss_base()),
        (host::GDTR_BASE, descriptors.gdt_base()),
        (host::IDTR_BASE, descriptors::idt_base()),
        (host::IA32_SYSENTER_CS, 0),
        (host::IA32_SYSENTER_ESP, 0),
        (host::IA32_SYSENTER_EIP, 0),
        (host::RIP, enter::exit_address()),
    ];
    for (field, value) in fields {
        // SAFETY: it is the state of this moment, in which the stub runs well, and the place where exits are
        // handled.
        unsafe { vmcs.set_any(field, value) };
    }
}
