//! The MSR bitmap: the guest has the machine's MSRs, except a few.

use core::sync::atomic::AtomicU8;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use spin::Once;

use crate::{apic_base, misc_enable};

/// MSRs that the guest can neither read nor write: #GP, as on a CPU without what they belong to. CPUID hides it too.
const DENIED: [(u32, u32); 5] = [
    (0x3a, 0x3a),   // IA32_FEATURE_CONTROL
    (0x480, 0x491), // VMX capabilities
    (0x3f1, 0x3f1), // IA32_PEBS_ENABLE: writes records by addresses, also while the stub runs
    (0x560, 0x571), // processor trace: writes to physical memory around EPT
    (0x600, 0x600), // IA32_DS_AREA: as IA32_PEBS_ENABLE
];

/// MSRs whose writes exit: IA32_BIOS_UPDT_TRIG, which does nothing; IA32_APIC_BASE and IA32_MISC_ENABLE, as far as [`apic_base`]
/// and [`misc_enable`] allow.
const WRITES_EXIT: [u32; 3] = [0x79, apic_base::NUMBER, misc_enable::NUMBER];

/// Bytes of each of the four parts: reads of low and high MSRs, writes of low and high MSRs (section "MSR-Bitmap
/// Address").
const PART_BYTES: usize = 1024;
const LOW_READS: usize = 0;
const LOW_WRITES: usize = 2 * PART_BYTES;

/// The bitmap of all CPUs.
static BITMAP: Once<&[AtomicU8]> = Once::new();

/// Takes a zeroed bitmap for all CPUs.
pub fn bitmap(zeroed: &'static [AtomicU8]) -> &'static [AtomicU8] {
    fill(zeroed);
    BITMAP.call_once(|| zeroed)
}

/// From now on writes to a low MSR exit, or do not any more.
pub fn write_exits(msr: u32, on: bool) {
    let Some(bitmap) = BITMAP.get() else { return };
    let (byte, bit) = (&bitmap[LOW_WRITES + msr as usize / 8], 1 << (msr % 8));
    let _ = if on { byte.fetch_or(bit, SeqCst) } else { byte.fetch_and(!bit, SeqCst) };
}

/// Sets the bits of what exits in a zeroed bitmap.
fn fill(bitmap: &[AtomicU8]) {
    let exits = |part: usize, msr: u32| {
        bitmap[part + msr as usize / 8].fetch_or(1 << (msr % 8), Relaxed);
    };
    for (first, last) in DENIED {
        for msr in first..=last {
            exits(LOW_READS, msr);
            exits(LOW_WRITES, msr);
        }
    }
    for msr in WRITES_EXIT {
        exits(LOW_WRITES, msr);
    }
}
