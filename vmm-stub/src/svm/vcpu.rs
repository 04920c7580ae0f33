//! The guest on one CPU, as SVM has it.

use crate::cpu::Shared;
use crate::event::{self, DEBUG, EXCEPTION, GENERAL_PROTECTION, INVALID_OPCODE, VALID};
use crate::guest_walk::Paging;
use crate::store::CodeSize;
use crate::svm::code;
use crate::svm::efer::LMA;
use crate::svm::nmi::Blocking;
use crate::svm::offer::Setup;
use crate::svm::step::{self, Step};
use crate::svm::vmcb::{Save, Vmcb, segment};
use crate::svm::{Cpu, start_up};
use crate::vcpu::{Code, Exception, State, Vcpu};

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
    /// What blocks NMIs, where they exit.
    pub blocking: Blocking,
    /// A step of one instruction that has begun.
    pub step: Option<Step>,
}

impl Svm {
    /// The next entry flushes what this CPU remembers for the guest: its own translations and the nested ones.
    pub const fn forget_all(&mut self) {
        self.vmcb.control.flush = if self.setup.flush_by_asid { THIS_ASID } else { ALL };
    }

    /// An entry was made: it has flushed, and delivered or lost the event, of which the exit tells then.
    pub const fn entered(&mut self) {
        self.vmcb.control.event = 0;
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
    pub const fn is_64_bit(&self) -> bool {
        const LONG: u16 = 1 << 9;
        self.save().segments[segment::CS].attributes & LONG != 0 && self.save().efer & LMA != 0
    }

    /// Where the next instruction is.
    const fn next_rip(&self) -> u64 {
        if self.setup.next_rip {
            return self.vmcb.control.next_rip;
        }
        self.behind(code::instruction_bytes(self.vmcb.control.exit_code))
    }

    const fn behind(&self, bytes: u64) -> u64 {
        let next = self.save().rip.wrapping_add(bytes);
        if self.is_64_bit() { next } else { next & 0xffff_ffff }
    }

    /// As if the instruction before this address had been executed.
    const fn go_on_at(&mut self, rip: u64) {
        const TRAP_FLAG: u64 = 1 << 8;
        const SINGLE_STEP: u64 = 1 << 14;
        self.vmcb.save.rip = rip;
        self.vmcb.control.shadow = 0;
        let steps = self.vmcb.save.rflags & TRAP_FLAG != 0;
        if steps && (self.step.is_none() || step::end(self, false)) {
            self.vmcb.save.dr6 |= SINGLE_STEP;
            self.vmcb.control.event = VALID | EXCEPTION | DEBUG;
        }
    }
}

impl Vcpu for Svm {
    #[inline]
    fn is_privileged(&self) -> bool {
        self.save().cpl == 0 && self.is_64_bit()
    }

    fn cr4(&self) -> u64 {
        self.save().cr4
    }

    fn rsp(&self) -> u64 {
        self.save().rsp
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
        self.go_on_at(self.next_rip());
    }

    fn skip(&mut self, bytes: u64) {
        self.go_on_at(self.behind(bytes));
    }

    fn code(&self) -> Code {
        // D/B, in the attributes.
        const BIG: u16 = 1 << 10;
        let (rip, segment) = (self.save().rip, self.save().segments[segment::CS]);
        if self.is_64_bit() {
            return Code { linear: rip, size: CodeSize::Bits64 };
        }
        let big = segment.attributes & BIG != 0;
        let size = if big { CodeSize::Bits32 } else { CodeSize::Bits16 };
        Code { linear: segment.base.wrapping_add(rip) & 0xffff_ffff, size }
    }

    fn paging(&self, pointers: impl FnOnce(u64) -> [u64; 4]) -> Paging {
        let Save { cr0, cr3, cr4, efer, .. } = *self.save();
        Paging::of(cr0, cr3, cr4, efer, || pointers(cr3 & 0xffff_ffe0))
    }

    fn init(cpu: &mut Cpu, to: usize) {
        start_up::init(cpu, to);
    }

    fn start_up(cpu: &mut Cpu, to: usize, page: u8) {
        start_up::start_up(cpu, to, page);
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
