//! One instruction of the guest, and then an exit: by the trap flag. Whatever comes instead of the instruction's end exits too, an
//! interrupt or an exception, so that no frame is pushed with the flag in it.

use crate::svm::vcpu::Svm;
use crate::svm::vmcb::intercept;

/// RFLAGS.TF.
const TRAP_FLAG: u64 = 1 << 8;
/// DR6.BS.
const SINGLE_STEP: u64 = 1 << 14;
/// DR6: a breakpoint, an access to debug registers.
const OTHERS: u64 = 0b10_0000_0000_1111;
/// Exceptions that do not exit: NMI is none, and INT3 and INTO end well.
const NOT_EXITING: u32 = 1 << 2 | 1 << 3 | 1 << 4;

/// A step that has begun: whether the guest steps by itself, and what its DR6 was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    own: bool,
    dr6: u64,
}

/// Begins one, if none has begun.
pub const fn begin(vcpu: &mut Svm) {
    if vcpu.step.is_some() {
        return;
    }
    let save = &mut vcpu.vmcb.save;
    vcpu.step = Some(Step { own: save.rflags & TRAP_FLAG != 0, dr6: save.dr6 });
    save.rflags |= TRAP_FLAG;
    watch(vcpu, true);
}

const fn watch(vcpu: &mut Svm, on: bool) {
    vcpu.vmcb.intercept(intercept::INTERRUPT, on);
    vcpu.vmcb.control.intercepts[0] = if on { !NOT_EXITING } else { 0 };
}

/// Ends it, wherever the guest is; `flags_are_new` if the instruction was one that loads RFLAGS. Says whether the guest is due a
/// #DB of its own.
pub const fn end(vcpu: &mut Svm, flags_are_new: bool) -> bool {
    let Some(Step { own, dr6 }) = vcpu.step.take() else { return false };
    watch(vcpu, false);
    let save = &mut vcpu.vmcb.save;
    if !own {
        save.dr6 = save.dr6 & !SINGLE_STEP | dr6 & SINGLE_STEP;
        if !flags_are_new {
            save.rflags &= !TRAP_FLAG;
        }
    }
    own || save.dr6 & OTHERS & !dr6 != 0
}
