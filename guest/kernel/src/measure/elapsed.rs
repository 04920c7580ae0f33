//! Time by the machine's own clock: the power-management timer, whatever a tick is.

use crate::firmware::PmTimer;

/// The timer has this many counts before it begins anew.
const WRAP: u32 = 1 << 24;

/// Counts of the timer since this was made.
#[derive(Debug)]
pub struct Elapsed {
    timer: PmTimer,
    last: u32,
    counts: u64,
}

impl Elapsed {
    /// Begins at 0.
    pub fn new(timer: PmTimer) -> Self {
        Self { timer, last: timer.read(), counts: 0 }
    }

    /// Counts so far. It has to be asked more often than the timer wraps, which it does after 4.6 seconds.
    pub fn counts(&mut self) -> u64 {
        let now = self.timer.read();
        self.counts += u64::from(now.wrapping_sub(self.last) % WRAP);
        self.last = now;
        self.counts
    }

    /// As [`Self::counts`], so many to a second.
    pub fn in_units(&mut self, a_second: u64) -> u64 {
        self.counts() * a_second / u64::from(PmTimer::HERTZ)
    }
}
