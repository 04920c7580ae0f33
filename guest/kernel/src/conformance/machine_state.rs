//! What a method must leave as it was: registers of this CPU, the loaded root's upper half, windows.
#![expect(unsafe_code, reason = "reads the entries of windows")]

use alloc::vec::Vec;

use foreign_access::{Cpu, Entry};
use loadphys_plan::command_line::MethodName;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables::{sgdt, sidt};
use x86_64::registers::control::{Cr0, Cr3, Cr4, Efer};
use x86_64::registers::model_specific::{GsBase, KernelGsBase};
use x86_64::registers::rflags::{self, RFlags};

use super::trial::Trial;
use crate::early::WINDOW_TABLE_SLOT;
use crate::layout::{FOREIGN_SLOTS, MOST_CPUS};
use crate::machine::Machine;
use crate::methods::SlotEntry;
use crate::scene::Failure;

/// Flags that are not left over from arithmetic.
const FLAGS: RFlags = RFlags::INTERRUPT_FLAG
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::ALIGNMENT_CHECK)
    .union(RFlags::TRAP_FLAG)
    .union(RFlags::NESTED_TASK);

/// Windows that are looked at after each batch: the kernel's and those of methods are the first. All are in the end.
pub const USED_WINDOWS: u16 = 8;

/// Registers by name.
type Registers = [(&'static str, u64); 15];

/// The state of the machine between two batches.
pub struct MachineState {
    registers: Registers,
    /// What the loaded root holds for the method.
    slots: Vec<SlotEntry>,
}

impl MachineState {
    /// As it is now.
    pub fn read(trial: &mut Trial<'_>) -> Self {
        let loaded = trial.cpu().root();
        Self { registers: registers(), slots: trial.kernel.machine.added(loaded) }
    }

    /// It must not have changed.
    ///
    /// # Errors
    /// The first thing that has.
    pub fn must_still_be(&self, trial: &mut Trial<'_>) -> Result<(), Failure> {
        let now = registers();
        let mut changed = self.registers.iter().zip(&now).filter(|(before, after)| before != after);
        if let Some(((name, before), (_, after))) = changed.next() {
            return Err(Failure::new(format_args!("it left {name} {after:#x}, was {before:#x}")));
        }
        windows_are_closed(&trial.kernel.machine, USED_WINDOWS)?;
        self.slots(trial)
    }

    /// The slots of the loaded root are as they were; but a method that lends this CPU's slot may keep it until it is told
    /// to detach.
    fn slots(&self, trial: &mut Trial<'_>) -> Result<(), Failure> {
        let lends = matches!(trial.method, MethodName::Recursive | MethodName::RootArray);
        let now = Self::read(trial).slots;
        let held = |it: &&SlotEntry| !(lends && it.slot == FOREIGN_SLOTS);
        let (before, after) = (self.slots.iter().filter(held), now.iter().filter(held));
        if before.map(plain).eq(after.map(plain)) {
            return Ok(());
        }
        Err(Failure::new(format_args!("its slots changed from {:x?} to {now:x?}", self.slots)))
    }
}

/// A slot and what it holds, without what the walker sets by itself.
const fn plain(slot: &SlotEntry) -> (u16, u64) {
    (slot.slot, slot.entry.0 & !Entry::TOUCHED)
}

fn registers() -> Registers {
    let (root, low) = Cr3::read_raw();
    let (interrupts, segments) = (sidt(), sgdt());
    [
        ("CR0", Cr0::read_raw()),
        ("CR3", root.start_address().as_u64() | u64::from(low)),
        ("CR4", Cr4::read_raw()),
        ("EFER", Efer::read_raw()),
        ("RFLAGS", rflags::read_raw() & FLAGS.bits()),
        ("GS base", GsBase::read().as_u64()),
        ("the other GS base", KernelGsBase::read().as_u64()),
        ("IDTR", interrupts.base.as_u64()),
        ("IDTR limit", interrupts.limit.into()),
        ("GDTR", segments.base.as_u64()),
        ("GDTR limit", segments.limit.into()),
        ("CS", CS::get_reg().0.into()),
        ("SS", SS::get_reg().0.into()),
        ("DS", DS::get_reg().0.into()),
        ("ES", ES::get_reg().0.into()),
    ]
}

/// None of the first so many windows shows anything.
///
/// # Errors
/// How many do.
pub fn windows_are_closed(machine: &Machine, windows: u16) -> Result<(), Failure> {
    match open_windows(machine.cpu(), machine.reach().windows, windows) {
        0 => Ok(()),
        open => Err(Failure::new(format_args!("{open} windows are open"))),
    }
}

/// How many of so many windows show something; `first` is the first of them.
pub fn open_windows(cpu: &impl Cpu, first: Option<VirtAddr>, windows: u16) -> u64 {
    let first = first.expect("windows are made at boot");
    let entries = first + 4096 * u64::from(WINDOW_TABLE_SLOT);
    // SAFETY: the table of windows leads to itself in its last place.
    let is_open = |window: &u64| unsafe { cpu.load(entries + 8 * window) }.is_present();
    (0..u64::from(windows)).filter(is_open).count() as u64
}

const _: () = assert!(FOREIGN_SLOTS + MOST_CPUS <= 512);
