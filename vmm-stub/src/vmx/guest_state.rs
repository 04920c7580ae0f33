//! The state in which the guest is entered for the first time: 32-bit protected mode without paging ("x86/HVM direct
//! boot ABI"; section "Guest-State Area").

use crate::vmx::cr0::{ET, NE, PE};
use crate::vmx::support::msr;
use crate::vmx::vmcs::{GuestField, Vmcs};

/// Access rights: 32-bit code, 32-bit data, both flat; a busy 32-bit TSS; a register that cannot be used.
const CODE: u64 = 0xc09b;
const DATA: u64 = 0xc093;
const TASK: u64 = 0x8b;
const UNUSABLE: u64 = 1 << 16;

/// CR4.VMXE.
const VMXE: u64 = 1 << 13;

/// Selector, limit and rights of ES, CS, SS, DS, FS, GS, LDTR and TR.
const SEGMENTS: [(u64, u64, u64); 8] = [
    (0x10, 0xffff_ffff, DATA),
    (0x08, 0xffff_ffff, CODE),
    (0x10, 0xffff_ffff, DATA),
    (0x10, 0xffff_ffff, DATA),
    (0x10, 0xffff_ffff, DATA),
    (0x10, 0xffff_ffff, DATA),
    (0, 0, UNUSABLE),
    (0, 0x67, TASK),
];

/// Writes it. (EBX is no part of the VMCS, see [`crate::vmx::enter::Registers`].)
pub fn write(vmcs: &mut Vmcs, entry: u32) {
    for (i, (selector, limit, rights)) in (0..).zip(SEGMENTS) {
        vmcs.set(GuestField::ES_SELECTOR.plus(i), selector);
        vmcs.set(GuestField::ES_LIMIT.plus(i), limit);
        vmcs.set(GuestField::ES_RIGHTS.plus(i), rights);
        vmcs.set(GuestField::ES_BASE.plus(i), 0);
    }
    for (field, value) in registers(entry) {
        vmcs.set(field, value);
    }
}

fn registers(entry: u32) -> [(GuestField, u64); 23] {
    [
        (GuestField::RIP, u64::from(entry)),
        (GuestField::RSP, 0),
        (GuestField::RFLAGS, 2),
        (GuestField::CR0, PE | ET | NE),
        (GuestField::CR0_SHADOW, PE | ET),
        (GuestField::CR3, 0),
        (GuestField::CR4, VMXE),
        (GuestField::CR4_SHADOW, 0),
        (GuestField::DR7, 0x400),
        (GuestField::EFER, 0),
        (GuestField::PAT, msr(0x277)),
        (GuestField::DEBUGCTL, 0),
        (GuestField::SYSENTER_CS, 0),
        (GuestField::SYSENTER_ESP, 0),
        (GuestField::SYSENTER_EIP, 0),
        (GuestField::INTERRUPTIBILITY, 0),
        (GuestField::ACTIVITY, 0),
        (GuestField::PENDING_DEBUG, 0),
        (GuestField::EVENT, 0),
        (GuestField::GDTR_BASE, 0),
        (GuestField::GDTR_LIMIT, 0),
        (GuestField::IDTR_BASE, 0),
        (GuestField::IDTR_LIMIT, 0),
    ]
}
