//! Whether this CPU runs guests at all.
#![expect(unsafe_code, reason = "reads and writes MSRs and control registers")]

use core::fmt;

use raw_cpuid::cpuid;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

use crate::machine::{Machine, msr};
use crate::vmx::capability::Capabilities;
use crate::vmx::cr0;
use crate::vmx::instructions::{self, Failure};

/// IA32_FEATURE_CONTROL: bit 0 locks it, bit 2 allows VMXON outside SMX.
const FEATURE_CONTROL: u32 = 0x3a;
const LOCKED: u64 = 1 << 0;
const VMX_OUTSIDE_SMX: u64 = 1 << 2;

/// Why there is no VT-x.
#[derive(Debug)]
pub enum NoVmx {
    /// CPUID does not show it.
    NotOffered,
    /// The firmware locked it off.
    LockedOff,
}

impl fmt::Display for NoVmx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("this CPU offers no VMX, unlike the boot CPU"),
            Self::LockedOff => {
                write!(
                    f,
                    "VMX is switched off and locked in IA32_FEATURE_CONTROL: switch it on in the firmware's setup"
                )
            }
        }
    }
}

/// Whether CPUID shows VMX.
pub fn is_offered() -> bool {
    cpuid!(1).ecx & 1 << 5 != 0
}

/// Sees to it that VMXON is allowed.
///
/// # Errors
/// [`NoVmx`].
pub fn check() -> Result<(), NoVmx> {
    if !is_offered() {
        return Err(NoVmx::NotOffered);
    }
    match msr(FEATURE_CONTROL) {
        value if value & VMX_OUTSIDE_SMX != 0 && value & LOCKED != 0 => Ok(()),
        value if value & LOCKED != 0 => Err(NoVmx::LockedOff),
        value => {
            // SAFETY: allows VMXON, which only the stub executes, and locks that.
            unsafe { Msr::new(FEATURE_CONTROL).write(value | VMX_OUTSIDE_SMX | LOCKED) };
            Ok(())
        }
    }
}

/// Enters VMX operation.
///
/// # Errors
/// [`Failure`].
///
/// # Safety
/// [`check`] was passed, the frame begins with the revision and is nobody else's, now and later.
pub unsafe fn vmxon(
    frame: u64,
    capabilities: &Capabilities,
    machine: Machine,
) -> Result<(), Failure> {
    let xsave = if machine.xsave { Cr4Flags::OSXSAVE } else { Cr4Flags::empty() };
    // An entry leaves CD and NW as they are (section "Loading Guest Control Registers, Debug Registers, and MSRs"), and
    // some firmware leaves them set: the guest starts with its caches on.
    let uncached = Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH;
    let cr0 = Cr0::read_raw() & !uncached.bits() | capabilities.cr0_fixed0;
    let cr4 = Cr4::read_raw() | capabilities.cr4_fixed0 | xsave.bits();
    // SAFETY: what is switched on beyond what VMX demands is XSETBV, which the stub executes for the guest.
    unsafe {
        Cr0::write_raw(cr0 & capabilities.cr0_fixed1);
        Cr4::write_raw(cr4 & capabilities.cr4_fixed1);
        instructions::vmxon(frame)
    }
}

/// Makes CR0.CD and CR0.NW of this CPU those of a value, which the guest goes on with.
pub fn set_caching(cr0: u64) {
    const CACHING: u64 = cr0::CD | cr0::NW;
    let now = Cr0::read_raw();
    if (now ^ cr0) & CACHING != 0 {
        // SAFETY: caches on or off change no memory that anyone can see; the two bits agree, or the guest's write would have
        // been refused.
        unsafe { Cr0::write_raw(now & !CACHING | cr0 & CACHING) };
    }
}
