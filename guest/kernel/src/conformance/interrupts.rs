//! Interrupts, and what they would find.
//!
//! One is sent before each step. Where the method has interrupts off it is held until they are on again, and none may
//! ever strike while a foreign root is loaded. Then a *twin* of the method does the same work, broken so that interrupts are let in
//! between its steps: if the method loads foreign roots, they strike there. And if who strikes hands the CPU to another program, he
//! comes back to the root that the kernel believes loaded: the twin goes on in the wrong space, and what it takes for
//! entries of a foreign space are those of the loaded one. (It only loads, so it does no harm.)

use alloc::vec::Vec;
use core::cell::Cell;

use foreign_access::cpu::{Observed, Step};
use foreign_access::{Action, Operation};
use loadphys_apps::places::PRIVATE;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Struck;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts::{are_enabled, disable, enable};

use super::Outcome;
use super::entries::{leaves, toggling};
use super::machine_state::MachineState;
use super::nmi::{NO_STRIKES, arrives};
use super::trial::{FOREIGN, Trial};
use crate::cpu::LocalApic;
use crate::interrupts::{to_self, vector};
use crate::scene::Failure;

const VECTOR: u8 = vector::TO_SELF as u8;

/// One before each step at which interrupts are to be off, if the method turns them off.
pub fn interrupts(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let apic = LocalApic::boot();
    if !apic.can_strike() {
        return Ok(Outcome::Untested(NO_STRIKES));
    }
    let held = Cell::new(0);
    let send = |step| {
        // Here they are still on, and one that strikes now says nothing about those that are held.
        if !matches!(step, Step::Mask | Step::InContext) {
            held.set(held.get() + u64::from(!are_enabled()));
            apic.interrupt_self(VECTOR);
        }
    };
    to_self::watch(false);
    for _ in 0..2 {
        let before = to_self::count();
        let mut operations = toggling(&leaves(trial));
        trial.batch_on(&Observed::by(send, trial.cpu()), &mut operations)?;
        if !arrives(|| to_self::count() > before) {
            return Err(Failure::new(format_args!("no interrupt came through in the end")));
        }
    }
    let (taken, held, in_foreign_root) = (to_self::count(), held.get(), to_self::away());
    trial.found.interrupts = Some(Struck { taken, held, in_foreign_root, ..Struck::default() });
    if in_foreign_root > 0 || (held > 0) != turns_them_off(trial.method) {
        return Err(Failure::new(format_args!(
            "{taken} interrupts taken, {held} held, {in_foreign_root} while a foreign root was loaded"
        )));
    }
    Ok(Outcome::Passed)
}

/// The twin.
pub fn twin(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    if !LocalApic::boot().can_strike() {
        return Ok(Outcome::Untested(NO_STRIKES));
    }
    to_self::watch(false);
    let unharmed = strangers(trial)?;
    let in_foreign_root = to_self::away();
    to_self::watch(true);
    let in_wrong_space = strangers(trial)?;
    to_self::watch(false);
    let struck = trial.found.interrupts.get_or_insert_default();
    struck.twin_in_foreign_root = in_foreign_root;
    struck.twin_in_wrong_space = in_wrong_space;
    let found = (unharmed, in_foreign_root > 0, in_wrong_space > 0);
    let goes_there = loads_foreign_roots(trial.method);
    if found == (0, goes_there, goes_there) {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format_args!(
        "the twin was struck {in_foreign_root} times in a foreign root, found {unharmed}, preempted {in_wrong_space} \
         strange entries"
    )))
}

/// Has the twin load entries of foreign spaces that are unlike those of the loaded one; gives how many it took from
/// elsewhere.
fn strangers(trial: &mut Trial<'_>) -> Result<u64, Failure> {
    let mut operations = Vec::new();
    for number in FOREIGN..trial.programs() {
        let names = trial.walk(trial.root(number), VirtAddr::new(PRIVATE))?;
        operations.extend(names.map(|name| Operation::new(name, Action::Load)));
    }
    let before = MachineState::read(trial);
    let stopped = trial.apply_on(&Observed::by(let_one_in, trial.cpu()), &mut operations);
    before.must_still_be(trial)?;
    stopped.map_err(|why| Failure::new(format_args!("the twin stopped: {why:?}")))?;
    let strange = operations.iter().filter(|it| trial.look(&it.name).frame() != it.found.frame());
    Ok(strange.count() as u64)
}

/// Lets one interrupt in, wherever that is.
fn let_one_in(_: Step) {
    let (before, were_on) = (to_self::count(), are_enabled());
    enable();
    LocalApic::boot().interrupt_self(VECTOR);
    arrives(|| to_self::count() > before);
    if !were_on {
        disable();
    }
}

/// Methods that must turn interrupts off.
const fn turns_them_off(method: MethodName) -> bool {
    let away = matches!(method, MethodName::PagingOff | MethodName::Gate | MethodName::RootView);
    away || loads_foreign_roots(method)
}

/// Methods under which a foreign root is loaded for a while.
const fn loads_foreign_roots(method: MethodName) -> bool {
    matches!(method, MethodName::SpaceSwitch | MethodName::SpaceSwitchPcid | MethodName::InContext)
}
