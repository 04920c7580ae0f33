//! The guest on one CPU, as SVM has it.

use crate::cpu::Shared;
use crate::event::{self, DEBUG, EXCEPTION, GENERAL_PROTECTION, INVALID_OPCODE, VALID};
use crate::svm::code;
use crate::svm::efer::LMA;
use crate::svm::offer::Setup;
use crate::svm::vmcb::{Save, Vmcb, segment};
use crate::vcpu::{Exception, State, Vcpu};

/// [`crate::svm::vmcb::Control::flush`] (APM volume 2, section 15.16.1 "TLB Flush").
const NOTHING: u32 = 0;
const ALL: u32 = 1;
const THIS_ASID: u32 = 3;

/// Its control block, and what it runs with.
#[derive(Debug)]
pub struct Svm {
    /// The guest's.
    pub vmcb: &'static mut Vmcb,
    /// Where VMSAVE put what VMRUN does not keep of the stub.
    pub host: u64,
    /// What was chosen.
    pub setup: &'static Setup,
}

impl Svm {
    /// The next entry flushes what this CPU remembers for the guest: its own translations and the nested ones.
    pub const fn forget_all(&mut self) {
        self.vmcb.control.flush = if self.setup.flush_by_asid { THIS_ASID } else { ALL };
    }

    /// An entry was made.
    pub const fn entered(&mut self) {
        self.vmcb.control.flush = NOTHING;
    }

    /// Raises an exception with error code 0.
    pub const fn raise_with_error(&mut self, vector: u64) {
        let protected = self.vmcb.save.cr0 & 1 != 0;
        self.vmcb.control.event = event::with_error(vector, protected);
    }

    const fn save(&self) -> &Save {
        &self.vmcb.save
    }

    /// Whether the guest is in 64-bit mode: EFER.LMA and CS.L. Outside it RIP has 32 bits.
    const fn long_code(&self) -> bool {
        const LONG: u16 = 1 << 9;
        self.save().segments[segment::CS].attributes & LONG != 0 && self.save().efer & LMA != 0
    }

    /// Where the next instruction is.
    const fn next_rip(&self) -> u64 {
        if self.setup.next_rip {
            return self.vmcb.control.next_rip;
        }
        let next = self.save().rip + code::instruction_bytes(self.vmcb.control.exit_code);
        if self.long_code() { next } else { next & 0xffff_ffff }
    }
}

impl Vcpu for Svm {
    #[inline]
    fn is_privileged(&self) -> bool {
        self.save().cpl == 0 && self.long_code()
    }

    fn cr4(&self) -> u64 {
        self.save().cr4
    }

    fn rip(&self) -> u64 {
        self.save().rip
    }

    fn state(&self) -> State {
        let save = self.save();
        State([
            ("rip", save.rip),
            ("rsp", save.rsp),
            ("rflags", save.rflags),
            ("cr0", save.cr0),
            ("cr3", save.cr3),
            ("cr4", save.cr4),
            ("efer", save.efer),
            ("idtr", save.segments[segment::IDTR].base),
            ("gdtr", save.segments[segment::GDTR].base),
            ("cr2", save.cr2),
        ])
    }

    #[inline]
    fn next_instruction(&mut self) {
        const TRAP_FLAG: u64 = 1 << 8;
        const SINGLE_STEP: u64 = 1 << 14;
        self.vmcb.save.rip = self.next_rip();
        self.vmcb.control.shadow = 0;
        if self.vmcb.save.rflags & TRAP_FLAG != 0 {
            self.vmcb.save.dr6 |= SINGLE_STEP;
            self.vmcb.control.event = VALID | EXCEPTION | DEBUG;
        }
    }

    fn raise(&mut self, exception: Exception) {
        match exception {
            Exception::InvalidOpcode => {
                self.vmcb.control.event = VALID | EXCEPTION | INVALID_OPCODE;
            }
            Exception::GeneralProtection => self.raise_with_error(GENERAL_PROTECTION),
        }
    }

    /// The next entry does it; until then this CPU is not in the guest and uses nothing of what it remembers.
    fn forget(&mut self, _: &Shared) {
        self.forget_all();
    }
}
