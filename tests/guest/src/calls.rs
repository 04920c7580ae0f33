//! The stub below.

use loadphys_abi::discovery::{self, SIGNATURE_LEAF};
use raw_cpuid::cpuid;

/// Whether this CPU is under the stub.
pub fn stub_is_below() -> bool {
    let found = cpuid!(SIGNATURE_LEAF);
    [found.eax, found.ebx, found.ecx, found.edx] == discovery::signature_registers()
}
