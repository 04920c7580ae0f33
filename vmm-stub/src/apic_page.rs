//! The page of the local APIC's registers, where it is kept from the guest's stores so that the stub sees how CPUs are reset and
//! started: each store exits and is done here.
//!
//! A CPU that runs the guest does not remember a SIPI, and remembers or loses an INIT in ways that the stub cannot rely on; so
//! they are taken from their sender.

use core::sync::atomic::Ordering;

use heapless::Vec;
use loadphys_abi::FRAME_BYTES;

use crate::cpu::{Cpu, NOBODY};
use crate::icr::{self, Kind};
use crate::local_apic::LocalApic;
use crate::registers::Registers;
use crate::store::{Source, Store};
use crate::vcpu::{Exception, Vcpu};
use crate::{calls, emulate, store};

/// Registers lie so far apart, each at its start.
const REGISTER_STEP: u64 = 16;
/// Where the CPU's number is, and the command's lower half.
const ID: u64 = 0x20;
const COMMAND: u64 = 0x300;

/// The longest instruction.
const MOST_BYTES: usize = 15;

/// Does a store of the guest's to this page, at this offset; says whether it could.
pub fn store<V: Vcpu>(registers: &mut Registers, cpu: &mut Cpu<V>, offset: u64) -> bool {
    let (Some(store), Some(apic)) = (instruction(cpu), LocalApic::of_this_cpu()) else {
        return false;
    };
    if !offset.is_multiple_of(REGISTER_STEP) {
        return false;
    }
    let value = match store.source {
        Source::Immediate(value) => value,
        Source::Register(number) => {
            registers.numbered(number.into()).unwrap_or_else(|| cpu.vcpu.rsp()) as u32
        }
    };
    if let Store { exchanges: true, source: Source::Register(number), .. } = store {
        registers.set_numbered(number.into(), apic.read(offset).into());
    }
    match offset {
        // By their numbers the stub finds the CPUs.
        ID => {}
        COMMAND => command(value, apic.command_target(), apic, cpu),
        _ => apic.write(offset, value),
    }
    cpu.vcpu.skip(store.bytes.into());
    true
}

/// The guest wrote to [`icr::MSR`]. In x2APIC mode it is a command, and what the register refuses is refused; in the other mode
/// there is no such MSR.
pub fn command_by_msr<V: Vcpu>(registers: &Registers, cpu: &mut Cpu<V>) {
    let command = emulate::operand(registers);
    let (low, number) = (command as u32, (command >> 32) as u32);
    let apic = LocalApic::of_this_cpu().filter(|_| icr::is_good(low));
    let Some(apic @ LocalApic::Registers) = apic else {
        return cpu.vcpu.raise(Exception::GeneralProtection);
    };
    self::command(low, number, apic, cpu);
    cpu.vcpu.next_instruction();
}

/// Carries out a command of the guest's on this CPU to the CPU with this number.
pub fn command<V: Vcpu>(low: u32, number: u32, apic: LocalApic, cpu: &mut Cpu<V>) {
    let kind = icr::kind(low);
    match kind {
        Kind::Other => return apic.send_as_it_is(low, number),
        Kind::Deassert => return,
        Kind::Init | Kind::StartUp(_) => {}
    }
    let targets = icr::targets(low, number);
    for (to, id) in cpu.shared.apics.iter().enumerate() {
        let id = id.load(Ordering::Relaxed);
        if id != NOBODY && targets.reach(id, apic.id()) {
            match kind {
                Kind::StartUp(page) => V::start_up(cpu, to, page),
                _ => V::init(cpu, to),
            }
        }
    }
}

/// The store at which the guest is.
fn instruction<V: Vcpu>(cpu: &Cpu<V>) -> Option<Store> {
    let code = cpu.vcpu.code();
    let load = |at| calls::load_words::<1>(&cpu.shared.rules, at).map(|[word]| word);
    let pointers = |at| calls::load_words::<4>(&cpu.shared.rules, at).unwrap_or([0; 4]);
    let paging = cpu.vcpu.paging(pointers);
    let mut bytes: Vec<u8, MOST_BYTES> = Vec::new();
    let mut at = 0;
    for i in 0..MOST_BYTES as u64 {
        let linear = code.linear.wrapping_add(i);
        // What lies behind the instruction need not be there.
        at = if i == 0 || linear.is_multiple_of(FRAME_BYTES) {
            let Ok(at) = paging.walk(linear, false, |at, _| load(at)) else { break };
            at
        } else {
            at + 1
        };
        let Some(word) = load(at & !7) else { break };
        // As many as there is room for.
        let _ = bytes.push(word.to_le_bytes()[(at & 7) as usize]);
    }
    store::decode(&bytes, code.size)
}
