//! Task switches of the guest: reads the VMCS for [`task_switch`], and writes what came of it back.
#![expect(unsafe_code, reason = "writes CR2 and DR6 for the guest")]

use core::arch::asm;
use core::sync::atomic::Ordering;

use loadphys_rules::Entries;
use x86::vmx::vmcs::ro;

use crate::guest_walk::{Mode, Paging};
use crate::physical::{self, Guest};
use crate::registers::Registers;
use crate::rules::{Rules, with_rules};
use crate::vmx::task_switch::{self, Entered, Exception, Memory, Request, Source, State};
use crate::vmx::vmcs::{GuestField, Vmcs};
use crate::vmx::{Cpu, events, guest_state};

/// CR0.TS, which every task switch sets.
const TASK_SWITCHED: u64 = 1 << 3;

/// DR7: what a task switch clears, LE and the local breakpoints.
const LOCAL_BREAKPOINTS: u64 = 0x155;

/// The guest's memory, as far as the rules allow.
struct OfGuest<'a>(&'a Rules);

impl Memory for OfGuest<'_> {
    fn load(&self, at: u64) -> Option<u64> {
        let word = with_rules!(self.0, rules => rules.word(at)).ok()?;
        Some(Guest.load(word))
    }

    fn replace(&self, at: u64, mask: u64, bits: u64) -> Option<()> {
        with_rules!(self.0, rules => {
            let memory = rules.memory(at, 8).ok()?;
            let word = physical::words(memory).first()?;
            let replaced = |word: u64| Some(word & !mask | bits);
            word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, replaced).ok().map(|_| ())
        })
    }
}

/// Does what the guest's task switch would have done.
pub fn switch(registers: &mut Registers, cpu: &mut Cpu) {
    let request = request(&cpu.vcpu.vmcs);
    let old = state(request.source, registers, &cpu.vcpu.vmcs);
    match task_switch::switch(request, &old, &OfGuest(&cpu.shared.rules)) {
        Err(exception) => raise(exception, cpu),
        Ok(Entered { state, exception, trap }) => {
            write(&state, registers, cpu);
            events::task_entered(&mut cpu.vcpu.vmcs, request.source == Source::Iret);
            match exception {
                Some(exception) => raise(exception, cpu),
                None if trap => trap_task(&mut cpu.vcpu.vmcs),
                None => {}
            }
        }
    }
}

fn request(vmcs: &Vmcs) -> Request {
    let qualification = vmcs.field(ro::EXIT_QUALIFICATION);
    let event = events::delivered(vmcs);
    Request {
        selector: qualification as u16,
        source: Source::of(qualification),
        error: event.and_then(|event| event.error),
        external: event.is_some_and(|event| !event.by_instruction),
    }
}

/// The old task, which goes on behind the instruction that switches, if one does.
fn state(source: Source, registers: &Registers, vmcs: &Vmcs) -> State {
    let by_instruction = match source {
        Source::Gate => events::delivered(vmcs).is_some_and(|event| event.by_instruction),
        _ => true,
    };
    let length = if by_instruction { vmcs.field(ro::VMEXIT_INSTRUCTION_LEN) } else { 0 };
    let [rsp, cr3, base, limit] =
        [GuestField::RSP, GuestField::CR3, GuestField::GDTR_BASE, GuestField::GDTR_LIMIT]
            .map(|field| vmcs.get(field));
    let Registers { rax, rcx, rdx, rbx, rbp, rsi, rdi, .. } = *registers;
    let pointers = || core::array::from_fn(|i| vmcs.get(GuestField::PDPTE0.plus(i as u32)));
    let [cr0, cr4, efer] =
        [GuestField::CR0, GuestField::CR4, GuestField::EFER].map(|field| vmcs.get(field));
    State {
        registers: [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi].map(|register| register as u32),
        eip: (vmcs.get(GuestField::RIP) + length) as u32,
        eflags: vmcs.get(GuestField::RFLAGS) as u32,
        segments: guest_state::segments(vmcs),
        paging: Paging::of(cr0, cr3, cr4, efer, pointers),
        gdt: (base as u32, limit as u32),
    }
}

fn write(state: &State, registers: &mut Registers, cpu: &mut Cpu) {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi] = state.registers.map(u64::from);
    *registers = Registers { rax, rcx, rdx, rbx, rbp, rsi, rdi, ..*registers };
    let vmcs = &mut cpu.vcpu.vmcs;
    guest_state::write_segments(vmcs, state.segments);
    for (field, value) in [
        (GuestField::RSP, rsp),
        (GuestField::RIP, u64::from(state.eip)),
        (GuestField::RFLAGS, u64::from(state.eflags)),
        (GuestField::CR0, vmcs.get(GuestField::CR0) | TASK_SWITCHED),
        (GuestField::DR7, vmcs.get(GuestField::DR7) & !LOCAL_BREAKPOINTS),
        (GuestField::PENDING_DEBUG, 0),
    ] {
        vmcs.set(field, value);
    }
    if state.paging.mode != Mode::Off {
        write_root(state.paging, cpu);
    }
}

/// CR3, and what a write to it makes the CPU forget.
fn write_root(paging: Paging, cpu: &mut Cpu) {
    cpu.vcpu.vmcs.set(GuestField::CR3, paging.root);
    if let Mode::Pae(pointers) = paging.mode {
        for (i, pointer) in (0..).zip(pointers) {
            cpu.vcpu.vmcs.set(GuestField::PDPTE0.plus(i), pointer);
        }
    }
    cpu.vcpu.forget_own();
}

/// Raises an exception where the guest is now; it may be the second one of two.
fn raise(exception: Exception, cpu: &mut Cpu) {
    if let Some(address) = exception.address {
        // SAFETY: CR2 is the guest's while the stub does not fault.
        unsafe { asm!("mov cr2, {}", in(reg) u64::from(address), options(nostack)) };
    }
    events::raise_in_delivery(u64::from(exception.vector), exception.error, cpu);
}

/// The debug exception of a TSS with its T flag set: DR6.BT.
fn trap_task(vmcs: &mut Vmcs) {
    const TASK: u64 = 1 << 15;
    // SAFETY: DR6 is the guest's; the stub has no breakpoints.
    unsafe {
        asm!("mov {now}, dr6", "or {now}, {task}", "mov dr6, {now}",
            now = out(reg) _, task = const TASK, options(nostack));
    }
    events::debug(vmcs);
}
