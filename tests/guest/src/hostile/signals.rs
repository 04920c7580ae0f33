//! NMIs, SIPIs and INITs to the other CPU.

use loadphys_test_guests::{apic, team};

use crate::local::Local;
use crate::run::OTHER;
use crate::{before_long_mode, tally};

impl Local {
    /// One that the other CPU must survive while it runs.
    pub fn signal(&mut self) {
        match self.random.below(3) {
            0 => apic::start_up(OTHER, self.random.any() as u8),
            1 => apic::nmi(OTHER),
            _ => apic::nmi(apic::id()),
        }
        tally::SIGNALS.add();
    }

    /// All of them, in any order, so that the other CPU starts and stops, or never comes back.
    pub fn storm(&mut self, times: u64) {
        for _ in 0..times {
            match self.random.below(3) {
                0 => apic::init(OTHER),
                1 => apic::start_up(OTHER, before_long_mode::PARKING),
                _ => apic::nmi(OTHER),
            }
            tally::SIGNALS.add();
            if self.random.one_in(4) {
                team::pause();
            }
        }
    }
}
