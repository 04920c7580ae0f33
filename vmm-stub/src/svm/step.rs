//! One instruction of the guest, and then an exit: by the trap flag. No interrupt comes in between, so that none finds the flag
//! set; NMIs exit anyway.

use crate::svm::vcpu::Svm;
use crate::svm::vmcb::intercept;

/// RFLAGS.TF.
const TRAP_FLAG: u64 = 1 << 8;
/// DR6.BS.
const SINGLE_STEP: u64 = 1 << 14;
/// DR6: a breakpoint, an access to debug registers.
const OTHERS: u64 = 0b10_0000_0000_1111;
/// Interrupts are held back by RFLAGS.IF of the stub, which is 0, not by the guest's (APM volume 2, section 15.21.1
/// "V_INTR_MASKING Bit in VMCB").
const MASKING: u64 = 1 << 24;

/// A step that has begun, and whether the guest steps by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    own: bool,
}

/// Begins one, if none has begun.
pub const fn begin(vcpu: &mut Svm) {
    if vcpu.step.is_some() {
        return;
    }
    vcpu.step = Some(Step { own: vcpu.vmcb.save.rflags & TRAP_FLAG != 0 });
    vcpu.vmcb.save.rflags |= TRAP_FLAG;
    vcpu.vmcb.control.interrupts |= MASKING;
    vcpu.vmcb.intercept(intercept::DEBUG, true);
}

/// Ends it; says whether the guest is due a #DB.
pub const fn end(vcpu: &mut Svm) -> bool {
    let Some(Step { own }) = vcpu.step.take() else { return true };
    vcpu.vmcb.control.interrupts &= !MASKING;
    vcpu.vmcb.intercept(intercept::DEBUG, false);
    if !own {
        vcpu.vmcb.save.rflags &= !TRAP_FLAG;
        vcpu.vmcb.save.dr6 &= !SINGLE_STEP;
    }
    own || vcpu.vmcb.save.dr6 & OTHERS != 0
}
