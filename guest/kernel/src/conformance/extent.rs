//! What a method takes of the virtual space and of each space, measured from the tables while it is in use.
#![expect(unsafe_code, reason = "reads the entries of the array of frames")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;

use foreign_access::cpu::{Observed, Step};
use foreign_access::{Action, Cpu, Entry, Operation};
use x86_64::structures::paging::PhysFrame;

use super::Outcome;
use super::machine_state::{USED_WINDOWS, open_windows, windows_are_closed};
use super::trial::{FOREIGN, Trial};
use crate::early::WINDOW_TABLE_SLOT;
use crate::kernel::Kernel;
use crate::layout::{FOREIGN_SLOTS, MOST_CPUS, PLACES_SLOT, SELF_SLOT, SLOT_BYTES};
use crate::machine::Machine;
use crate::methods::SlotEntry;
use crate::scene::Failure;

/// Bytes of an entry, of a page, and of the large pages of levels two and three.
const ENTRY: u64 = 8;
const PAGE: u64 = 4096;
const LARGE: u64 = 2 << 20;
const HUGE: u64 = 1 << 30;

/// What a method takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// Bytes of virtual space.
    pub virtual_bytes: u64,
    /// Bytes of entries that exist for it with each space.
    pub bytes_per_space: u64,
    /// Whether a root leads to itself: tables serve as tables of the next level.
    pub recursive_format: bool,
}

/// Measures it, right after a batch on a foreign space, so that what is lent for a batch is still there. Then the method must let
/// go of that.
pub fn extent(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    let windows = windows_used(trial)?;
    let (loaded, foreign) = (trial.cpu().root(), trial.root(FOREIGN));
    let spaces = trial.programs() as u64;
    let machine = &mut trial.kernel.machine;
    let mut virtual_bytes = windows * PAGE;
    for slot in machine.added(loaded) {
        virtual_bytes += span(machine, &slot);
    }
    let own = machine.added(foreign);
    trial.found.extent = Extent {
        virtual_bytes,
        bytes_per_space: ENTRY * (own.len() as u64 + shown(machine) / spaces),
        recursive_format: own.iter().any(|it| it.entry.frame() == Some(foreign)),
    };
    machine.detach();
    nothing_is_lent(machine)?;
    Ok(Outcome::Passed)
}

/// With all spaces gone nothing of the method's is left but what the loaded root always has.
pub fn nothing_is_left(kernel: &mut Kernel) -> Result<(), Failure> {
    nothing_is_lent(&mut kernel.machine)?;
    windows_are_closed(&kernel.machine, WINDOW_TABLE_SLOT)?;
    match shown(&mut kernel.machine) {
        0 => Ok(()),
        frames => Err(Failure::new(format_args!("{frames} frames are still shown"))),
    }
}

fn nothing_is_lent(machine: &mut Machine) -> Result<(), Failure> {
    let loaded = machine.cpu().root();
    match machine.added(loaded).iter().find(|it| is_lent(it)) {
        None => Ok(()),
        Some(slot) => Err(Failure::new(format_args!("still lent: {slot:x?}"))),
    }
}

/// The most windows that were open at once during a batch.
fn windows_used(trial: &mut Trial<'_>) -> Result<u64, Failure> {
    let (hardware, first) = (trial.cpu(), trial.kernel.machine.reach().windows);
    let most = Cell::new(0);
    let look = |_: Step| most.set(most.get().max(open_windows(&hardware, first, USED_WINDOWS)));
    let root = trial.root(FOREIGN);
    let names = trial.names.iter().filter(|name| name.root() == root);
    let mut operations: Vec<_> = names.map(|name| Operation::new(*name, Action::Load)).collect();
    trial.batch_on(&Observed::by(look, hardware), &mut operations)?;
    Ok(most.get())
}

fn copy(machine: &mut Machine, table: PhysFrame) -> Box<[u64; 512]> {
    let mut copy = Box::new([0; 512]);
    machine.show(table, |words| copy.copy_from_slice(words));
    copy
}

fn is_lent(slot: &SlotEntry) -> bool {
    (FOREIGN_SLOTS..FOREIGN_SLOTS + MOST_CPUS).contains(&slot.slot)
}

/// Bytes that a slot takes: all of it if it shows tables, which may be anywhere; what is mapped, or kept for being mapped,
/// otherwise. Tables of level one are there to be edited, so each is mapped as a page too.
fn span(machine: &mut Machine, slot: &SlotEntry) -> u64 {
    if slot.slot == SELF_SLOT || is_lent(slot) {
        return SLOT_BYTES;
    }
    let mut bytes = 0;
    for upper in present(machine, slot.entry) {
        if upper.is_large() {
            bytes += HUGE;
            continue;
        }
        let lower = present(machine, upper);
        bytes += lower.map(|it| if it.is_large() { LARGE } else { LARGE + PAGE }).sum::<u64>();
    }
    bytes
}

/// The entries that are present in the table that an entry leads to.
fn present(machine: &mut Machine, above: Entry) -> impl Iterator<Item = Entry> + use<> {
    let table = above.frame().map(|table| copy(machine, table));
    let words = table.into_iter().flat_map(|words| *words);
    words.map(Entry).filter(|entry| entry.is_present())
}

/// How many frames are shown in the array of frames, if the method has it.
fn shown(machine: &mut Machine) -> u64 {
    let loaded = machine.cpu().root();
    if !machine.added(loaded).iter().any(|it| it.slot == PLACES_SLOT) {
        return 0;
    }
    let reach = machine.reach();
    let Some((_, entries)) = reach.places else { return 0 };
    // SAFETY: there is an entry for each frame of memory that is reached.
    let is_shown =
        |frame: &u64| unsafe { machine.cpu().load(entries + ENTRY * frame) }.is_present();
    (0..reach.bytes / PAGE).filter(is_shown).count() as u64
}
