//! Time for devices: the power-management timer, or the time-stamp counter where there is none.

use loadphys_disk::device::Clock;

use crate::firmware::PmTimer;
use crate::measure::clock;

/// The power-management timer has this many counts before it begins anew.
const WRAP: u32 = 1 << 24;

/// Milliseconds since it was made.
#[derive(Debug)]
pub struct SwapClock {
    timer: Option<PmTimer>,
    last: u32,
    counts: u64,
}

impl SwapClock {
    /// Begins at 0. Without a timer, ticks of the time-stamp counter are taken for nanoseconds.
    pub fn new(timer: Option<PmTimer>) -> Self {
        let last = timer.map_or(0, PmTimer::read);
        Self { timer, last, counts: 0 }
    }
}

impl Clock for SwapClock {
    fn milliseconds(&mut self) -> u64 {
        let Some(timer) = self.timer else { return clock::now() / 1_000_000 };
        let now = timer.read();
        // It is asked more often than the timer wraps, while a request is under way.
        self.counts += u64::from(now.wrapping_sub(self.last) % WRAP);
        self.last = now;
        self.counts * 1000 / u64::from(PmTimer::HERTZ)
    }
}
