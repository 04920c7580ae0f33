//! The CPU, without its virtualisation.
#![expect(unsafe_code, reason = "reads MSRs")]

use raw_cpuid::{CpuId, CpuIdReaderNative};
use x86_64::registers::model_specific::Msr;

/// What the stub needs to know of the CPU besides its virtualisation.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
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
pub fn ask() -> Machine {
    let cpuid = CpuId::with_cpuid_reader(CpuIdReaderNative);
    let features = cpuid.get_feature_info();
    let width = cpuid.get_processor_capacity_feature_info();
    let extended = cpuid.get_extended_processor_and_feature_identifiers();
    Machine {
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

/// Who made it.
pub fn vendor() -> heapless::String<12> {
    let info = CpuId::with_cpuid_reader(CpuIdReaderNative).get_vendor_info();
    let mut vendor = heapless::String::new();
    for letter in info.as_ref().map_or("unknown", |info| info.as_str()).chars() {
        // The vendor has twelve letters.
        let _ = vendor.push(letter);
    }
    vendor
}
