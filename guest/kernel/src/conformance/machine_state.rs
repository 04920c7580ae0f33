//! What a method must leave as it was: registers of this CPU, the loaded root's upper half, windows.
#![expect(unsafe_code, reason = "reads the entries of windows")]

use alloc::boxed::Box;

use foreign_access::Cpu;
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
use crate::methods::SlotEntry;
use crate::plans::Failure;
use crate::window::Words;

/// Flags that are not left over from arithmetic.
const FLAGS: RFlags = RFlags::INTERRUPT_FLAG
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::ALIGNMENT_CHECK)
    .union(RFlags::TRAP_FLAG)
    .union(RFlags::NESTED_TASK);

/// Registers by name.
type Registers = [(&'static str, u64); 15];

/// The state of the machine between two batches.
pub struct MachineState {
    registers: Registers,
    root: Box<Words>,
}

impl MachineState {
    /// As it is now.
    pub fn read(trial: &mut Trial<'_>) -> Self {
        let mut root = Box::new([0; 512]);
        let loaded = trial.cpu().root();
        trial.kernel.machine.show(loaded, |words| root.copy_from_slice(words));
        Self { registers: registers(), root }
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
        windows_are_closed(trial)?;
        self.slots(trial)
    }

    /// The slots of the loaded root are as they were; but a method that lends this CPU's slot may keep it until it is told
    /// to detach.
    fn slots(&self, trial: &mut Trial<'_>) -> Result<(), Failure> {
        let now = Self::read(trial);
        let lends = matches!(trial.method, MethodName::Recursive | MethodName::RootArray);
        let roots = trial.kernel.machine.roots();
        let mut before = roots.added(&self.root).filter(|it| !(lends && it.slot == FOREIGN_SLOTS));
        let mut after = roots.added(&now.root).filter(|it| !(lends && it.slot == FOREIGN_SLOTS));
        loop {
            match (before.next(), after.next()) {
                (None, None) => return Ok(()),
                (one, other) if one.is_some_and(|one| other.is_some_and(|it| same(one, it))) => {}
                (one, other) => {
                    return Err(Failure::new(format_args!(
                        "slots changed: {one:x?}, now {other:x?}"
                    )));
                }
            }
        }
    }
}

fn same(one: SlotEntry, other: SlotEntry) -> bool {
    let marks = foreign_access::Entry::TOUCHED;
    one.slot == other.slot && (one.entry.0 ^ other.entry.0) & !marks == 0
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

fn windows_are_closed(trial: &Trial<'_>) -> Result<(), Failure> {
    match open_windows(&trial.cpu(), trial.kernel.machine.reach().windows) {
        0 => Ok(()),
        open => Err(Failure::new(format_args!("{open} windows are open"))),
    }
}

/// How many windows show something; `first` is the first of them.
pub fn open_windows(cpu: &impl Cpu, first: Option<VirtAddr>) -> u64 {
    let first = first.expect("windows are made at boot");
    let entries = first + 4096 * u64::from(WINDOW_TABLE_SLOT);
    // SAFETY: the table of windows leads to itself in its last place.
    let is_open = |window: &u64| unsafe { cpu.load(entries + 8 * window) }.is_present();
    (0..u64::from(WINDOW_TABLE_SLOT)).filter(is_open).count() as u64
}

const _: () = assert!(FOREIGN_SLOTS + MOST_CPUS <= 512);
