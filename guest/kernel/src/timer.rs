//! The slice of a program's time, by the local APIC's timer.

use crate::console::log;
use crate::cpu::LocalApic;
use crate::firmware::PmTimer;
use crate::interrupts::vector;

/// How often programs take turns, a second.
const SLICES_A_SECOND: u32 = 4000;

/// Counts of a slice where nothing tells how fast the timer is.
const UNMEASURED_SLICE: u32 = 1_000_000;

/// The timer that ends a slice.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    apic: LocalApic,
    slice: u32,
    clock: Option<PmTimer>,
}

impl Timer {
    /// Measures how many counts a slice is, against the power-management timer.
    pub fn new(apic: LocalApic, pm_timer: Option<PmTimer>) -> Self {
        let slice = pm_timer.and_then(|pm| measure(apic, pm)).unwrap_or_else(|| {
            log!(
                "no power-management timer that counts: a slice is {UNMEASURED_SLICE} APIC counts"
            );
            UNMEASURED_SLICE
        });
        Self { apic, slice, clock: pm_timer }
    }

    /// What it was measured against, if there was anything.
    pub const fn clock(self) -> Option<PmTimer> {
        self.clock
    }

    /// A slice begins.
    pub fn arm(self) {
        self.apic.arm(vector::TIMER as u8, self.slice);
    }

    /// No slice ends.
    pub fn disarm(self) {
        self.apic.disarm();
    }

    /// The timer's interrupt was taken.
    pub fn acknowledge(self) {
        self.apic.end_of_interrupt();
    }
}

/// Counts of the APIC's timer in one slice; `None` if the other timer stands still.
fn measure(apic: LocalApic, pm: PmTimer) -> Option<u32> {
    /// Reads of the other timer after which it must have moved far enough.
    const PATIENCE: u32 = 10_000_000;
    let wanted = PmTimer::HERTZ / SLICES_A_SECOND;
    let first = pm.read();
    apic.count_from(u32::MAX);
    let passed = |pm: PmTimer| pm.read().wrapping_sub(first) & 0xff_ffff;
    (0..PATIENCE).find(|_| passed(pm) >= wanted).map(|_| (u32::MAX - apic.count()).max(1))
}
