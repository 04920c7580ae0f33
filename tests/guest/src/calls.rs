//! The stub below, and calls of it.
#![expect(unsafe_code, reason = "VMCALL")]

use core::arch::asm;

use loadphys_abi::counters::Counters;
use loadphys_abi::discovery::{self, FEATURES_LEAF, Features, SIGNATURE_LEAF};
use loadphys_abi::{Call, Kept, Status};
use raw_cpuid::cpuid;
use spin::Once;

/// Whether this CPU is under the stub.
pub fn stub_is_below() -> bool {
    let found = cpuid!(SIGNATURE_LEAF);
    [found.eax, found.ebx, found.ecx, found.edx] == discovery::signature_registers()
}

/// What the stub offers.
pub fn features() -> Features {
    let found = cpuid!(FEATURES_LEAF);
    Features::from_registers([found.eax, found.ebx, found.ecx, found.edx])
}

/// Where the alias begins.
pub fn alias() -> u64 {
    features().alias_base().expect("an alias")
}

/// Calls, with the instruction that this CPU has for it. (Of a CPU that has the other one, a call is #UD.)
pub fn call(call: Call, first: u64, second: u64, third: u64) -> (Option<Status>, u64) {
    let (mut status, mut answer) = (call.number(), third);
    macro_rules! call {
        ($instruction:literal) => {
            // SAFETY: the calls made here touch frames of this guest's that nothing else uses.
            unsafe {
                asm!(
                    $instruction,
                    inlateout("rax") status,
                    in("rdi") first,
                    in("rsi") second,
                    inlateout("rdx") answer,
                    options(nostack),
                );
            }
        };
    }
    match is_amds() {
        true => call!("vmmcall"),
        false => call!("vmcall"),
    }
    (Status::from_number(status), answer)
}

/// Asked once: CPUID exits.
pub fn is_amds() -> bool {
    static IS_AMDS: Once<bool> = Once::new();
    *IS_AMDS.call_once(|| cpuid!(0).ebx == u32::from_le_bytes(*b"Auth"))
}

/// Makes a frame a table of level 1, or none any more.
pub fn set_table(frame: u64, table: bool) {
    let (status, _) = match table {
        true => call(Call::RegisterTable, frame, 1, Kept::Alias.number()),
        false => call(Call::ReleaseTable, frame, 0, 0),
    };
    assert_eq!(status, Some(Status::Done), "frame {frame:#x}, table: {table}");
}

/// What the stub has counted on all CPUs.
pub fn counters() -> Counters {
    let mut counters = Counters::ZERO;
    let (status, _) = call(Call::Counters, (&raw mut counters).addr() as u64, 0, 0);
    assert_eq!(status, Some(Status::Done), "the stub gives its counters");
    // SAFETY: the stub has written it.
    unsafe { (&raw const counters).read_volatile() }
}
