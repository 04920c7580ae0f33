//! The other CPUs of the machine: how they are started, and what each has of its own.
//!
//! As many are started as the plan asks for, in the order in which ACPI names them; the rest are left as the firmware
//! left them. Each goes through the same steps as the boot CPU and must come out the same.
#![expect(unsafe_code, reason = "has CPUs begin on stacks that were made for them")]

mod join;
mod stacks;

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use heapless::Vec;
use loadphys_boot::handoff::Handoff;
use spin::Once;
use x86_64::structures::paging::PhysFrame;

use crate::cpu::{ControlRegisters, Features, LocalApic, Trampoline};
use crate::early::{KernelMap, TooLittle};
use crate::firmware::{Firmware, PmTimer};
use crate::kernel::Colleague;
use crate::layout::MOST_CPUS;

pub use stacks::{STACK_BYTES, Stacks};

/// Other CPUs at most.
const MOST_OTHERS: usize = MOST_CPUS as usize - 1;

/// Microseconds from the reset of a CPU to its start, and from one start-up interrupt to the next (SDM volume 3, section
/// 10.4.4.1 "Typical BSP Initialization Sequence").
const AFTER_INIT: u32 = 10_000;
const AFTER_START_UP: u32 = 200;

/// Microseconds that a CPU may take to answer.
const PATIENCE: u32 = 1_000_000;

/// Turns of a loop that stand for a microsecond where no timer counts.
const TURNS: u32 = 1000;

/// The number of the CPU that has answered last.
static ANSWERED: AtomicUsize = AtomicUsize::new(0);

/// The APICs of CPUs that have started, by number.
static APICS: [AtomicU32; MOST_CPUS as usize] = [const { AtomicU32::new(0) }; MOST_CPUS as usize];

/// What every CPU that starts is held to, and works on.
static COMMON: Once<Common> = Once::new();

struct Common {
    features: Features,
    registers: ControlRegisters,
    apic_base: u64,
    stacks: Vec<Stacks, MOST_OTHERS>,
    colleague: Colleague,
}

/// What is prepared for the other CPUs.
pub struct Others {
    trampoline: Option<Trampoline>,
    stacks: Vec<Stacks, MOST_OTHERS>,
}

/// Why the CPUs that were asked for cannot be had.
#[derive(Clone, Copy, Debug)]
pub enum Missing {
    /// The machine has fewer.
    TooFew { wanted: u32, there: usize },
    /// No page below 1 MiB is usable.
    NoLowPage,
    /// The APIC of this ID cannot be named.
    LongId(u32),
    /// This CPU did not answer.
    Silent { number: usize, apic: u32 },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { wanted, there } => {
                write!(f, "cpus={wanted}: the machine has {there} that can be used")
            }
            Self::NoLowPage => {
                f.write_str("no page below 1 MiB is free for other CPUs to begin in")
            }
            Self::LongId(id) => write!(f, "CPU with APIC {id}: only x2APIC mode can name it"),
            Self::Silent { number, apic } => {
                write!(
                    f,
                    "CPU {number} (APIC {apic}) did not answer within {PATIENCE} microseconds"
                )
            }
        }
    }
}

impl Others {
    /// Makes ready what can only be made before the kernel's root is loaded; `None` if there is no other CPU to start.
    ///
    /// # Safety
    /// The identity map is in place, and what the loader left in low memory is no longer needed.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the stacks.
    pub unsafe fn prepare(
        map: &mut KernelMap,
        handoff: &Handoff,
        cpus: u32,
        firmware: &Firmware,
    ) -> Result<Option<Self>, TooLittle> {
        if cpus == 1 {
            return Ok(None);
        }
        let others = (cpus as usize).min(firmware.apics.len()).saturating_sub(1);
        // SAFETY: the caller's promise.
        let trampoline = unsafe { Trampoline::prepare(handoff) };
        let mut stacks = Vec::new();
        for _ in 0..others {
            stacks.push(Stacks::map(map)?).expect("room for every CPU");
        }
        Ok(Some(Self { trampoline, stacks }))
    }

    /// The stacks of all.
    pub fn stacks(&self) -> impl Iterator<Item = &Stacks> {
        self.stacks.iter()
    }

    /// Starts so many CPUs in all, one after the other; each becomes a colleague. Gives how many others there are.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn start(
        self,
        cpus: u32,
        firmware: &Firmware,
        features: &Features,
        root: PhysFrame,
        colleague: Colleague,
    ) -> Result<usize, Missing> {
        let apic = LocalApic::boot();
        let apics: Vec<u32, MOST_OTHERS> = others(firmware, apic.id(), cpus)?;
        let trampoline = self.trampoline.ok_or(Missing::NoLowPage)?;
        let tops: Vec<_, MOST_OTHERS> = self.stacks.iter().map(|it| it.run.top).collect();
        COMMON.call_once(|| Common {
            features: features.clone(),
            registers: ControlRegisters::read(),
            apic_base: LocalApic::base(),
            stacks: self.stacks,
            colleague,
        });
        for (number, (id, top)) in (1..).zip(apics.iter().zip(tops)) {
            if !apic.can_name(*id) {
                return Err(Missing::LongId(*id));
            }
            APICS[number].store(*id, Ordering::Relaxed);
            Trampoline::set(root, top, number, join::begin);
            // Under the stub a CPU waits for the start-up interrupt from the beginning.
            if features.stub.is_none() {
                apic.init(*id);
                wait(firmware.pm_timer, AFTER_INIT);
            }
            start(apic, *id, trampoline, firmware.pm_timer);
            must_answer(number, *id, firmware.pm_timer)?;
        }
        Ok(apics.len())
    }
}

/// Interrupts another CPU, which has started.
#[inline]
pub fn interrupt(number: usize, vector: u64) {
    LocalApic::boot().interrupt(APICS[number].load(Ordering::Relaxed), vector as u8);
}

/// The first of the CPUs that are not this one.
fn others(firmware: &Firmware, own: u32, cpus: u32) -> Result<Vec<u32, MOST_OTHERS>, Missing> {
    let there = firmware.apics.len();
    let wanted = cpus as usize - 1;
    let others = firmware.apics.iter().copied().filter(|id| *id != own);
    let found: Vec<u32, MOST_OTHERS> = others.take(wanted).collect();
    if found.len() < wanted {
        return Err(Missing::TooFew { wanted: cpus, there });
    }
    Ok(found)
}

fn start(apic: LocalApic, id: u32, trampoline: Trampoline, timer: Option<PmTimer>) {
    for _ in 0..2 {
        apic.start_up(id, trampoline.vector());
        wait(timer, AFTER_START_UP);
    }
}

fn must_answer(number: usize, apic: u32, timer: Option<PmTimer>) -> Result<(), Missing> {
    /// Microseconds between two looks.
    const STEP: u32 = 100;
    for _ in 0..PATIENCE / STEP {
        if ANSWERED.load(Ordering::Acquire) == number {
            return Ok(());
        }
        wait(timer, STEP);
    }
    Err(Missing::Silent { number, apic })
}

fn wait(timer: Option<PmTimer>, microseconds: u32) {
    match timer {
        Some(timer) => timer.wait(microseconds),
        None => (0..microseconds * TURNS).for_each(|_| core::hint::spin_loop()),
    }
}
