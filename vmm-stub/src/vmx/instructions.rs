//! The instructions of VT-x. Each says by CF and ZF whether it worked, and both are always read (SDM volume 3,
//! chapter "VMX Instruction Reference", section "Conventions").
#![expect(unsafe_code, reason = "inline assembly")]

use core::arch::asm;
use core::fmt;

use x86::vmx::vmcs::ro;

use crate::vmx::controls::Invept;

/// Why an instruction did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// CF (VMfailInvalid): there is no current VMCS to hold an error number.
    Invalid,
    /// ZF (VMfailValid): the VM-instruction error number.
    Valid(u64),
}

/// Section "VM Instruction Error Numbers".
const ERRORS: [&str; 29] = [
    "no error",
    "VMCALL executed in VMX root operation",
    "VMCLEAR with invalid physical address",
    "VMCLEAR with VMXON pointer",
    "VMLAUNCH with non-clear VMCS",
    "VMRESUME with non-launched VMCS",
    "VMRESUME after VMXOFF",
    "VM entry with invalid control field(s)",
    "VM entry with invalid host-state field(s)",
    "VMPTRLD with invalid physical address",
    "VMPTRLD with VMXON pointer",
    "VMPTRLD with incorrect VMCS revision identifier",
    "VMREAD/VMWRITE from/to unsupported VMCS component",
    "VMWRITE to read-only VMCS component",
    "reserved",
    "VMXON executed in VMX root operation",
    "VM entry with invalid executive-VMCS pointer",
    "VM entry with non-launched executive VMCS",
    "VM entry with executive-VMCS pointer not VMXON pointer",
    "VMCALL with non-clear VMCS",
    "VMCALL with invalid VM-exit control fields",
    "reserved",
    "VMCALL with incorrect MSEG revision identifier",
    "VMXOFF under dual-monitor treatment of SMIs and SMM",
    "VMCALL with invalid SMM-monitor features",
    "VM entry with invalid VM-execution control fields in executive VMCS",
    "VM entry with events blocked by MOV SS",
    "reserved",
    "invalid operand to INVEPT/INVVPID",
];

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("no current VMCS, or one that cannot be used"),
            Self::Valid(number) => {
                let name = ERRORS.get(*number as usize).unwrap_or(&"unknown");
                write!(f, "VM-instruction error {number}: {name}")
            }
        }
    }
}

/// What the flags say.
pub fn outcome(carry: bool, zero: bool) -> Result<(), Failure> {
    match (carry, zero) {
        (true, _) => Err(Failure::Invalid),
        (_, true) => Err(Failure::Valid(read(ro::VM_INSTRUCTION_ERROR).unwrap_or(0))),
        _ => Ok(()),
    }
}

/// An instruction with one memory operand that holds a physical address.
macro_rules! with_address {
    ($(#[$meta:meta])* $name:ident, $instruction:literal) => {
        $(#[$meta])*
        pub unsafe fn $name(address: u64) -> Result<(), Failure> {
            let (carry, zero): (u8, u8);
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    concat!($instruction, " [{address}]"),
                    "setc {carry}",
                    "setz {zero}",
                    address = in(reg) &raw const address,
                    carry = lateout(reg_byte) carry,
                    zero = lateout(reg_byte) zero,
                    options(nostack),
                );
            }
            outcome(carry != 0, zero != 0)
        }
    };
}

with_address! {
    /// Enters VMX operation.
    ///
    /// # Errors
    /// [`Failure::Invalid`].
    ///
    /// # Safety
    /// The address is that of a frame that begins with the revision and that nobody else uses; CR4.VMXE is set.
    vmxon, "vmxon"
}

with_address! {
    /// Takes a VMCS out of use.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// # Safety
    /// As [`vmptrld`].
    vmclear, "vmclear"
}

with_address! {
    /// Makes a VMCS the current one.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// # Safety
    /// The CPU is in VMX operation; the address is that of a frame that begins with the revision and that nobody
    /// else uses.
    vmptrld, "vmptrld"
}

/// Reads a field of the current VMCS.
///
/// # Errors
/// [`Failure`]: no current VMCS, or no such field.
#[inline(always)]
pub fn read(field: u32) -> Result<u64, Failure> {
    let (value, failed): (u64, u8);
    // SAFETY: it changes nothing but its output. (Outside VMX operation it raises #UD, which the stub reports.)
    unsafe {
        asm!(
            "vmread {value}, {field}",
            "setbe {failed}",
            field = in(reg) u64::from(field),
            value = lateout(reg) value,
            failed = lateout(reg_byte) failed,
            options(nostack, nomem),
        );
    }
    if failed == 0 { Ok(value) } else { Err(Failure::Valid(12)) }
}

/// Writes a field of the current VMCS.
///
/// # Errors
/// [`Failure`]: no current VMCS, no such field, or one that cannot be written.
///
/// # Safety
/// With this value in the field, entry and exit do what their caller relies on.
#[inline(always)]
pub unsafe fn write(field: u32, value: u64) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "vmwrite {field}, {value}",
            "jbe {failed}",
            field = in(reg) u64::from(field),
            value = in(reg) value,
            failed = label { return Err(write_failure()) },
            options(nostack),
        );
    }
    Ok(())
}

/// Where there is a current VMCS, it holds the number of its last error.
#[cold]
fn write_failure() -> Failure {
    read(ro::VM_INSTRUCTION_ERROR).map_or(Failure::Invalid, Failure::Valid)
}

/// Makes this CPU forget what it remembers of the nested tables below an EPT pointer (section "Operations that Invalidate
/// Cached Mappings").
///
/// # Errors
/// [`Failure`].
pub fn invept(kind: Invept, pointer: u64) -> Result<(), Failure> {
    let descriptor = [pointer, 0_u64];
    let (carry, zero): (u8, u8);
    // SAFETY: forgetting cached translations changes no memory.
    unsafe {
        asm!(
            "invept {kind}, [{descriptor}]",
            "setc {carry}",
            "setz {zero}",
            kind = in(reg) kind.operand(),
            descriptor = in(reg) &raw const descriptor,
            carry = lateout(reg_byte) carry,
            zero = lateout(reg_byte) zero,
            options(nostack),
        );
    }
    outcome(carry != 0, zero != 0)
}

/// Makes this CPU forget all translations of a VPID.
///
/// # Errors
/// [`Failure`].
pub fn invvpid(vpid: u16) -> Result<(), Failure> {
    const SINGLE_CONTEXT: u64 = 1;
    let descriptor = [u64::from(vpid), 0];
    let (carry, zero): (u8, u8);
    // SAFETY: as in `invept`.
    unsafe {
        asm!(
            "invvpid {kind}, [{descriptor}]",
            "setc {carry}",
            "setz {zero}",
            kind = in(reg) SINGLE_CONTEXT,
            descriptor = in(reg) &raw const descriptor,
            carry = lateout(reg_byte) carry,
            zero = lateout(reg_byte) zero,
            options(nostack),
        );
    }
    outcome(carry != 0, zero != 0)
}
