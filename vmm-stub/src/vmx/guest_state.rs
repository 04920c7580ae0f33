//! The state in which the guest is entered for the first time: on the boot CPU 32-bit protected mode without paging ("x86/HVM
//! direct boot ABI"; section "Guest-State Area"), on the others what INIT and SIPI leave ([`reset`]).
#![expect(unsafe_code, reason = "resets debug registers")]

use core::arch::asm;

use crate::machine::msr;
use crate::reset::{self, Segment};
use crate::vmx::cr0::{ET, NE, PE};
use crate::vmx::vmcs::{GuestField, Vmcs};

/// Access rights: 32-bit code, 32-bit data, both flat; a busy 32-bit TSS; a register that cannot be used.
const CODE: u64 = 0xc09b;
const DATA: u64 = 0xc093;
const TASK: u64 = 0x8b;
const UNUSABLE: u64 = 1 << 16;

/// Entry controls: the guest is in IA-32e mode.
const IA32E_GUEST: u64 = 1 << 9;

/// CR4.VMXE.
const VMXE: u64 = 1 << 13;

/// Selector, limit and rights of ES, CS, SS, DS, FS, GS, LDTR and TR. The selectors are those that Linux asks for (`__BOOT_CS`,
/// `__BOOT_DS`); to others they are as good as any.
const SEGMENTS: [(u64, u64, u64); 8] = [
    (0x18, 0xffff_ffff, DATA),
    (0x10, 0xffff_ffff, CODE),
    (0x18, 0xffff_ffff, DATA),
    (0x18, 0xffff_ffff, DATA),
    (0x18, 0xffff_ffff, DATA),
    (0x18, 0xffff_ffff, DATA),
    (0, 0, UNUSABLE),
    (0, 0x67, TASK),
];

/// Writes it. (EBX is no part of the VMCS, see [`crate::registers::Registers`].)
pub fn write(vmcs: &mut Vmcs, entry: u32) {
    let segment = |(selector, limit, rights)| Segment { selector, base: 0, limit, rights };
    write_segments(vmcs, SEGMENTS.map(segment));
    for (field, value) in registers(entry) {
        vmcs.set(field, value);
    }
    vmcs.set(GuestField::PAT, msr(0x277));
}

/// Writes the state in which a SIPI with this vector starts a CPU. What INIT leaves as it is stays: the PAT, the MSRs of
/// SYSENTER, IA32_DEBUGCTL.
pub fn write_reset(vmcs: &mut Vmcs, vector: u8) {
    write_segments(vmcs, reset::segments(vector));
    for (field, value) in reset_registers() {
        vmcs.set(field, value);
    }
    let entry = vmcs.get(GuestField::ENTRY_CONTROLS);
    vmcs.set(GuestField::ENTRY_CONTROLS, entry & !IA32E_GUEST);
}

/// Resets what no VMCS holds: CR2 and DR0 to DR3, DR6.
pub fn reset_debug_registers() {
    // SAFETY: the stub uses none of them, and its own DR7, which every exit loads, switches all breakpoints off.
    unsafe {
        asm!(
            "mov cr2, {zero}",
            "mov dr0, {zero}",
            "mov dr1, {zero}",
            "mov dr2, {zero}",
            "mov dr3, {zero}",
            "mov dr6, {dr6}",
            zero = in(reg) 0_u64,
            dr6 = in(reg) reset::DR6,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// Reads ES, CS, SS, DS, FS, GS, LDTR and TR.
pub fn segments(vmcs: &Vmcs) -> [Segment; 8] {
    core::array::from_fn(|i| {
        let field = |of: GuestField| vmcs.get(of.plus(i as u32));
        Segment {
            selector: field(GuestField::ES_SELECTOR),
            base: field(GuestField::ES_BASE),
            limit: field(GuestField::ES_LIMIT),
            rights: field(GuestField::ES_RIGHTS),
        }
    })
}

/// Writes them.
pub fn write_segments(vmcs: &mut Vmcs, segments: [Segment; 8]) {
    for (i, segment) in (0..).zip(segments) {
        vmcs.set(GuestField::ES_SELECTOR.plus(i), segment.selector);
        vmcs.set(GuestField::ES_LIMIT.plus(i), segment.limit);
        vmcs.set(GuestField::ES_RIGHTS.plus(i), segment.rights);
        vmcs.set(GuestField::ES_BASE.plus(i), segment.base);
    }
}

const fn reset_registers() -> [(GuestField, u64); 17] {
    [
        (GuestField::RIP, 0),
        (GuestField::RSP, 0),
        (GuestField::RFLAGS, reset::RFLAGS),
        (GuestField::CR0, reset::CR0 | NE),
        (GuestField::CR0_SHADOW, reset::CR0),
        (GuestField::CR3, 0),
        (GuestField::CR4, VMXE),
        (GuestField::CR4_SHADOW, 0),
        (GuestField::DR7, reset::DR7),
        (GuestField::EFER, 0),
        (GuestField::INTERRUPTIBILITY, 0),
        (GuestField::PENDING_DEBUG, 0),
        (GuestField::EVENT, 0),
        (GuestField::GDTR_BASE, 0),
        (GuestField::GDTR_LIMIT, reset::TABLE_LIMIT),
        (GuestField::IDTR_BASE, 0),
        (GuestField::IDTR_LIMIT, reset::TABLE_LIMIT),
    ]
}

fn registers(entry: u32) -> [(GuestField, u64); 22] {
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
