//! The guest on one CPU, as VT-x has it.

use x86::vmx::vmcs::ro;
use x86_64::registers::control::Cr2;

use crate::cpu::Shared;
use crate::ending::fatal;
use crate::guest_walk::Paging;
use crate::nested::ept;
use crate::store::CodeSize;
use crate::vcpu::{Code, Exception, State, Vcpu};
use crate::vmx::controls::{Controls, Invept};
use crate::vmx::vmcs::{GuestField, Vmcs};
use crate::vmx::{Cpu, events, instructions, start_up, view};

/// The guest's VPID: 0 is the stub's (section "Virtual-Processor Identifiers (VPIDs)").
pub const VPID: u16 = 1;

/// Its VMCS, and what it runs with.
#[derive(Debug)]
pub struct Vmx {
    /// The VMCS.
    pub vmcs: Vmcs,
    /// What was negotiated.
    pub controls: &'static Controls,
    /// The way back to the usual view is closed, so that an NMI can be delivered there.
    pub watches_way_back: bool,
}

impl Vmx {
    /// Makes this CPU forget all of the guest's own translations.
    pub fn forget_own(&self) {
        if self.controls.vpid
            && let Err(failure) = instructions::invvpid(VPID)
        {
            fatal!("INVVPID failed: {failure}");
        }
    }
}

impl Vcpu for Vmx {
    /// IA32_EFER.LMA, and CS.L; the DPL of SS is the privilege level.
    #[inline]
    fn is_privileged(&self) -> bool {
        const DPL: u64 = 0b11 << 5;
        self.vmcs.get(GuestField::SS_RIGHTS) & DPL == 0 && long_code(&self.vmcs)
    }

    fn cr4(&self) -> u64 {
        self.vmcs.get(GuestField::CR4)
    }

    fn rsp(&self) -> u64 {
        self.vmcs.get(GuestField::RSP)
    }

    fn rip(&self) -> u64 {
        self.vmcs.get(GuestField::RIP)
    }

    fn state(&self) -> State {
        let at = |name, field| (name, self.vmcs.get(field));
        State([
            at("rip", GuestField::RIP),
            at("rsp", GuestField::RSP),
            at("rflags", GuestField::RFLAGS),
            at("cr0", GuestField::CR0),
            at("cr3", GuestField::CR3),
            at("cr4", GuestField::CR4),
            at("efer", GuestField::EFER),
            at("idtr", GuestField::IDTR_BASE),
            at("gdtr", GuestField::GDTR_BASE),
            // No exit changes CR2, and the stub has not faulted.
            ("cr2", Cr2::read_raw()),
        ])
    }

    #[inline]
    fn next_instruction(&mut self) {
        let bytes = self.vmcs.field(ro::VMEXIT_INSTRUCTION_LEN);
        next_instruction(&mut self.vmcs, bytes);
    }

    fn skip(&mut self, bytes: u64) {
        next_instruction(&mut self.vmcs, bytes);
    }

    fn code(&self) -> Code {
        // D/B, in the access rights.
        const BIG: u64 = 1 << 14;
        let rip = self.vmcs.get(GuestField::RIP);
        if long_code(&self.vmcs) {
            return Code { linear: rip, size: CodeSize::Bits64 };
        }
        let big = self.vmcs.get(GuestField::CS_RIGHTS) & BIG != 0;
        let size = if big { CodeSize::Bits32 } else { CodeSize::Bits16 };
        Code { linear: self.vmcs.get(GuestField::CS_BASE).wrapping_add(rip) & 0xffff_ffff, size }
    }

    /// The four pointers of PAE paging are in the VMCS.
    fn paging(&self, _: impl FnOnce(u64) -> [u64; 4]) -> Paging {
        let get = |field| self.vmcs.get(field);
        let pointers = || [0, 1, 2, 3].map(|i| get(GuestField::PDPTE0.plus(i)));
        let [cr0, cr3] = [GuestField::CR0, GuestField::CR3].map(get);
        Paging::of(cr0, cr3, get(GuestField::CR4), get(GuestField::EFER), pointers)
    }

    fn init(cpu: &mut Cpu, to: usize) {
        start_up::init(cpu, to);
    }

    fn start_up(cpu: &mut Cpu, to: usize, page: u8) {
        start_up::start_up(cpu, to, page);
    }

    fn raise(&mut self, exception: Exception) {
        match exception {
            Exception::InvalidOpcode => events::invalid_opcode(&mut self.vmcs),
            Exception::GeneralProtection => events::general_protection(&mut self.vmcs),
        }
    }

    fn forget(&mut self, shared: &Shared) {
        let kind = self.controls.invept;
        match &shared.views {
            Some(views) => {
                views.invepts(kind).for_each(|pointer| invept(kind, pointer));
                view::leave_what_is_gone(&mut self.vmcs, views);
            }
            None => invept(kind, ept::pointer(shared.usual.root())),
        }
    }
}

fn invept(kind: Invept, pointer: u64) {
    if let Err(failure) = instructions::invept(kind, pointer) {
        fatal!("INVEPT failed: {failure}");
    }
}

/// Goes on behind the instruction that exited, as if it had been executed.
fn next_instruction(vmcs: &mut Vmcs, bytes: u64) {
    const TRAP_FLAG: u64 = 1 << 8;
    const SINGLE_STEP: u64 = 1 << 14;
    let rip = vmcs.get(GuestField::RIP).wrapping_add(bytes);
    vmcs.set(GuestField::RIP, if long_code(vmcs) { rip } else { rip & 0xffff_ffff });
    let blocking = vmcs.get(GuestField::INTERRUPTIBILITY);
    let over = events::BY_STI_OR_MOV_SS | events::BY_SMI;
    if blocking & over != 0 {
        vmcs.set(GuestField::INTERRUPTIBILITY, blocking & !over);
    }
    if vmcs.get(GuestField::RFLAGS) & TRAP_FLAG != 0 {
        let due = vmcs.get(GuestField::PENDING_DEBUG) | SINGLE_STEP;
        vmcs.set(GuestField::PENDING_DEBUG, due);
    }
}

/// Whether the guest is in 64-bit mode: IA32_EFER.LMA and CS.L. Outside it RIP has 32 bits.
#[inline]
fn long_code(vmcs: &Vmcs) -> bool {
    const LMA: u64 = 1 << 10;
    const LONG: u64 = 1 << 13;
    vmcs.get(GuestField::CS_RIGHTS) & LONG != 0 && vmcs.get(GuestField::EFER) & LMA != 0
}
