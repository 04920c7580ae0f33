//! Whether this CPU runs guests at all.
#![expect(unsafe_code, reason = "reads and writes MSRs and control registers")]

use core::fmt;

use raw_cpuid::{CpuId, CpuIdReaderNative, cpuid};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::Msr;

use crate::vmx::capability::Capabilities;
use crate::vmx::instructions::{self, Failure};

/// IA32_FEATURE_CONTROL: bit 0 locks it, bit 2 allows VMXON outside SMX.
const FEATURE_CONTROL: u32 = 0x3a;
const LOCKED: u64 = 1 << 0;
const VMX_OUTSIDE_SMX: u64 = 1 << 2;

/// Why there is no VT-x.
#[derive(Debug)]
pub enum NoVmx {
    /// CPUID does not show it; who made the CPU.
    NotOffered(heapless::String<12>),
    /// The firmware locked it off.
    LockedOff,
}

impl fmt::Display for NoVmx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(vendor) => {
                write!(
                    f,
                    "this CPU ({vendor}) offers no VMX (CPUID leaf 1, ECX bit 5): no guest can be run"
                )
            }
            Self::LockedOff => {
                write!(
                    f,
                    "VMX is switched off and locked in IA32_FEATURE_CONTROL: switch it on in the firmware's setup"
                )
            }
        }
    }
}

/// What the stub needs to know of the CPU besides VT-x.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Bits of a physical address.
    pub width: u32,
    /// Its own tables may hold 1 GiB pages.
    pub gib_pages: bool,
    /// There are MTRRs.
    pub mtrrs: bool,
    /// There is XSAVE.
    pub xsave: bool,
}

/// Asks the CPU.
pub fn cpu() -> Cpu {
    let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
    let features = cpuid.get_feature_info();
    let width = cpuid.get_processor_capacity_feature_info();
    let extended = cpuid.get_extended_processor_and_feature_identifiers();
    Cpu {
        width: width.map_or(36, |info| u32::from(info.physical_address_bits())),
        gib_pages: extended.is_some_and(|info| info.has_1gib_pages()),
        mtrrs: features.as_ref().is_some_and(|info| info.has_mtrr()),
        xsave: features.is_some_and(|info| info.has_xsave()),
    }
}

/// Reads an MSR that this CPU has.
pub fn msr(number: u32) -> u64 {
    // SAFETY: reading an MSR does nothing to memory. (If it is not there, the stub reports a #GP.)
    unsafe { Msr::new(number).read() }
}

/// Sees to it that VMXON is allowed.
///
/// # Errors
/// [`NoVmx`].
pub fn check() -> Result<(), NoVmx> {
    if cpuid!(1).ecx & 1 << 5 == 0 {
        return Err(NoVmx::NotOffered(vendor()));
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

fn vendor() -> heapless::String<12> {
    let info = CpuId::with_cpuid_reader(CpuIdReaderNative).get_vendor_info();
    let mut vendor = heapless::String::new();
    for letter in info.as_ref().map_or("unknown", |info| info.as_str()).chars() {
        // The vendor has twelve letters.
        let _ = vendor.push(letter);
    }
    vendor
}

/// Enters VMX operation.
///
/// # Errors
/// [`Failure`].
///
/// # Safety
/// [`check`] was passed, the frame begins with the revision and is nobody else's, now and later.
pub unsafe fn vmxon(frame: u64, capabilities: &Capabilities, cpu: Cpu) -> Result<(), Failure> {
    let xsave = if cpu.xsave { Cr4Flags::OSXSAVE } else { Cr4Flags::empty() };
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
