//! NMIs, which nothing keeps off: one before each step of the method. Its answers, its edits and what it leaves of the CPU are
//! right all the same.
#![expect(unsafe_code, reason = "works on a frame of its own without paging")]

use core::cell::Cell;

use foreign_access::cpu::{Observed, Step};
use loadphys_abi::batch::{Action, Item};
use loadphys_plan::command_line::MethodName;
use x86_64::instructions::interrupts::without_interrupts;

use super::Outcome;
use super::entries::{leaves, toggling};
use super::trial::Trial;
use crate::cpu::LocalApic;
use crate::scene::Failure;
use crate::{interrupts, physical_mode, stub};

/// Why none is sent.
pub const NO_STRIKES: &str =
    "the local APIC is in x2APIC mode, and only one in memory is asked to strike";

/// Turns of a loop that an interrupt may take to arrive.
const PATIENCE: u32 = 10_000_000;

/// Waits until something has arrived; says whether it has.
pub fn arrives(has_arrived: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        core::hint::spin_loop();
        has_arrived()
    })
}

/// Edits entries of all spaces, and edits them back.
pub fn nmis(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let apic = LocalApic::boot();
    if !apic.can_strike() {
        return Ok(Outcome::Untested(NO_STRIKES));
    }
    let (sent, lost) = (Cell::new(0), Cell::new(0));
    // The step waits until it has arrived: one that comes while another waits would be lost.
    let send = |_: Step| {
        let before = interrupts::nmis();
        sent.set(sent.get() + 1);
        apic.nmi_self();
        lost.set(lost.get() + u64::from(!arrives(|| interrupts::nmis() > before)));
    };
    for _ in 0..2 {
        let before = interrupts::nmis();
        let mut operations = toggling(&leaves(trial));
        trial.batch_on(&Observed::by(send, trial.cpu()), &mut operations)?;
        let (sent, lost, taken) = (sent.take(), lost.take(), interrupts::nmis() - before);
        if sent == 0 || taken != sent {
            return Err(Failure::new(format_args!(
                "of {sent} NMIs {taken} arrived, {lost} not in time"
            )));
        }
    }
    if trial.method == MethodName::PagingOff {
        without_paging(trial)?;
    }
    trial.found.nmi = Some(true);
    Ok(Outcome::Passed)
}

/// One that strikes while paging is off.
fn without_paging(trial: &mut Trial<'_>) -> Result<(), Failure> {
    let icr = LocalApic::boot().nmi_to_self().expect("NMIs were sent just now");
    let items = stub::items();
    let frame = trial.kernel.core().memory.frames.take_for_kernel();
    let frame = frame.ok_or_else(|| Failure::new(format_args!("no frame is free")))?;
    let entry = frame.start_address().as_u64();
    items.fill(Item { entry, action: Action::Exchange.number(), found: 0, value: entry });
    let before = interrupts::nmis();
    // SAFETY: the frame is the kernel's own; the items lie in the image.
    let done = without_interrupts(|| unsafe { physical_mode::work(items, icr) });
    let seen = (done, interrupts::nmis() - before, items[1].found);
    trial.kernel.core().memory.frames.give_back(frame).expect("it was taken for the kernel");
    match seen == (items.len(), 1, entry) {
        true => Ok(()),
        false => Err(Failure::new(format_args!("NMI without paging: done, NMIs, found: {seen:?}"))),
    }
}
