//! Whether this CPU runs guests by SVM, and how it begins to (APM volume 2, section 15.4 "Enabling SVM").
#![expect(unsafe_code, reason = "reads and writes MSRs and control registers")]

use raw_cpuid::cpuid;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags, Msr};

use crate::machine::{Machine, msr};
use crate::svm::efer::Features;
use crate::svm::offer::{Missing, Offer, SVM_DISABLED, negotiate};

/// VM_CR, and the physical address of the frame where VMRUN puts the state of the stub.
const VM_CR: u32 = 0xc001_0114;
const VM_HSAVE_PA: u32 = 0xc001_0117;

/// VM_CR.R_INIT: an INIT that reaches the stub is an exception, and resets no CPU out of it (APM volume 2, section 15.30.1 "VM_CR
/// MSR"). QEMU 7.2 has no such bit.
const REDIRECT_INIT: u64 = 1 << 1;

const SVM_LEAF: u32 = 0x8000_000a;

/// Whether CPUID shows SVM.
pub fn is_offered() -> bool {
    cpuid!(0x8000_0000).eax >= SVM_LEAF && cpuid!(0x8000_0001).ecx & 1 << 2 != 0
}

/// What this CPU offers.
pub fn offer() -> Offer {
    let offered = is_offered();
    let abilities = cpuid!(SVM_LEAF);
    Offer {
        features: if offered { cpuid!(0x8000_0001).ecx } else { 0 },
        asids: abilities.ebx,
        abilities: abilities.edx,
        vm_cr: if offered { msr(VM_CR) & SVM_DISABLED } else { 0 },
    }
}

/// What this CPU says of EFER.
pub fn efer_features() -> Features {
    const MORE: u32 = 0x8000_0021;
    let extended = cpuid!(0x8000_0001);
    let has_more = cpuid!(0x8000_0000).eax >= MORE;
    Features {
        extended: [extended.ecx, extended.edx],
        capacity: cpuid!(0x8000_0008).ebx,
        more: if has_more { cpuid!(MORE).eax } else { 0 },
    }
}

/// Sees to it that SVM can be switched on.
///
/// # Errors
/// [`Missing`].
pub fn check() -> Result<(), Missing> {
    negotiate(&offer()).map(drop)
}

/// Switches SVM on.
///
/// # Safety
/// [`check`] was passed, the frame is nobody else's, now and later.
pub unsafe fn switch_on(frame: u64, machine: Machine) {
    let xsave = if machine.xsave { Cr4Flags::OSXSAVE } else { Cr4Flags::empty() };
    let uncached = Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH;
    // SAFETY: what is switched on besides is XSETBV, which the stub executes for the guest; caches change no memory that anyone
    // can see.
    unsafe {
        Cr0::update(|flags| flags.remove(uncached));
        Cr4::update(|flags| flags.insert(xsave));
        Efer::update(|flags| flags.insert(EferFlags::SECURE_VIRTUAL_MACHINE_ENABLE));
        Msr::new(VM_HSAVE_PA).write(frame);
        Msr::new(VM_CR).write(msr(VM_CR) | REDIRECT_INIT);
    }
}
