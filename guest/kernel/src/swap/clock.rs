//! Time for devices: the power-management timer, or the time-stamp counter where there is none.

use loadphys_disk::device::Clock;

use crate::firmware::PmTimer;
use crate::measure::clock;
use crate::measure::elapsed::Elapsed;

/// Milliseconds since it was made.
#[derive(Debug)]
pub struct SwapClock(Option<Elapsed>);

impl SwapClock {
    /// Begins at 0. Without a timer, ticks of the time-stamp counter are taken for nanoseconds.
    pub fn new(timer: Option<PmTimer>) -> Self {
        Self(timer.map(Elapsed::new))
    }
}

impl Clock for SwapClock {
    fn milliseconds(&mut self) -> u64 {
        // It is asked more often than the timer wraps, while a request is under way.
        match &mut self.0 {
            Some(elapsed) => elapsed.in_units(1000),
            None => clock::now() / 1_000_000,
        }
    }
}
