//! What other CPUs of the guest want of a CPU: an INIT, a SIPI. (SDM volume 3, section 9.4.2 "MP Initialization Protocol
//! Requirements and Restrictions": a SIPI counts for a CPU that waits for one, and an INIT does not for that.)

use core::sync::atomic::{AtomicU32, Ordering};

/// The last of its orders. Below it is a page's number where there is one.
#[derive(Debug)]
pub struct Order(AtomicU32);

const WAITS: u32 = 0;
const RUNS: u32 = 0x100;
/// It runs, and is to be reset.
const RESET: u32 = 0x200;
/// It waits, and is to start at a page.
const START: u32 = 0x300;
/// It runs, and is to be reset and to start at a page.
const RESET_AND_START: u32 = 0x400;

const fn parts(order: u32) -> (u32, u8) {
    (order & !0xff, order as u8)
}

impl Order {
    /// That of a CPU which waits for a SIPI.
    pub const fn waiting() -> Self {
        Self(AtomicU32::new(WAITS))
    }

    /// Whether it has not been started, nor told to start.
    pub fn waits(&self) -> bool {
        self.0.load(Ordering::Acquire) == WAITS
    }

    /// It runs, whatever was wanted of it.
    pub fn run(&self) {
        self.0.store(RUNS, Ordering::Release);
    }

    /// It waits, whatever was wanted of it.
    pub fn wait(&self) {
        self.0.store(WAITS, Ordering::Release);
    }

    /// An INIT is for it; says whether it has to be told.
    pub fn init(&self) -> bool {
        let change = |now| match parts(now) {
            (RUNS, _) => Some(RESET),
            (START, _) => Some(WAITS),
            (RESET_AND_START, _) => Some(RESET),
            _ => None,
        };
        self.change(change).is_some_and(|before| before == RUNS)
    }

    /// A SIPI is for it; says whether it has to be told.
    pub fn start_up(&self, page: u8) -> bool {
        let change = |now| match parts(now) {
            (WAITS, _) => Some(START | u32::from(page)),
            (RESET, _) => Some(RESET_AND_START | u32::from(page)),
            _ => None,
        };
        self.change(change).is_some_and(|before| before == WAITS)
    }

    /// Whether this CPU, which runs, is to be reset. Then it waits.
    pub fn take_reset(&self) -> bool {
        let change = |now| match parts(now) {
            (RESET, _) => Some(WAITS),
            (RESET_AND_START, page) => Some(START | u32::from(page)),
            _ => None,
        };
        self.change(change).is_some()
    }

    /// The page at which this CPU, which waits, is to start. Then it runs.
    pub fn take_start(&self) -> Option<u8> {
        let change = |now| (parts(now).0 == START).then_some(RUNS);
        self.change(change).map(|before| parts(before).1)
    }

    /// What was there before, if it changed.
    fn change(&self, change: impl Fn(u32) -> Option<u32>) -> Option<u32> {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn init_and_two_sipis_start_a_cpu_once() {
        let cpu = Order::waiting();
        assert!(!cpu.init(), "an INIT is nothing to a CPU that waits");
        assert!(cpu.start_up(8) && !cpu.start_up(9));
        assert_eq!(cpu.take_start(), Some(8));
        assert!(!cpu.start_up(9) && cpu.take_start().is_none() && !cpu.take_reset());
    }

    #[test]
    fn a_cpu_that_runs_is_reset_and_started_again() {
        let cpu = Order::waiting();
        cpu.run();
        assert!(cpu.init() && !cpu.init());
        assert!(!cpu.start_up(7), "it was told already");
        assert!(cpu.take_reset() && !cpu.take_reset());
        assert_eq!(cpu.take_start(), Some(7));
    }

    #[test]
    fn an_init_takes_back_a_start() {
        let cpu = Order::waiting();
        assert!(cpu.start_up(7) && !cpu.init() && cpu.waits());
        assert_eq!(cpu.take_start(), None);
        cpu.run();
        assert!(cpu.init() && !cpu.start_up(7) && !cpu.init());
        assert!(cpu.take_reset() && cpu.waits());
    }
}
