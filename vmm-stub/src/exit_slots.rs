//! Where exits of AMD's SVM are counted: in the slot of the VT-x reason for the same event, so that a guest reads the same
//! counters on either ([`loadphys_abi::counters`]).

use loadphys_abi::counters::REASONS;

/// Where an exit is counted that VT-x has no reason for.
const OTHERS: u8 = REASONS as u8 - 1;

/// Exit codes below this one are looked up.
const CODES: usize = 0x90;

/// A nested page fault.
const NPF: u64 = 0x400;
const EPT_VIOLATION: usize = 48;

/// The first and last exit code of an event (AMD APM volume 2, appendix C "SVM Intercept Exit Codes"), and its basic exit reason
/// (SDM volume 3, appendix C "VMX Basic Exit Reasons").
const EVENTS: [(usize, usize, u8); 29] = [
    // Control registers, debug registers, exceptions.
    (0x00, 0x1f, 28),
    (0x20, 0x3f, 29),
    (0x40, 0x5f, 0),
    // External interrupt; NMI, which VT-x counts among exceptions; INIT; the window for an interrupt.
    (0x60, 0x60, 1),
    (0x61, 0x61, 0),
    (0x63, 0x63, 3),
    (0x64, 0x64, 7),
    // Bits of CR0.
    (0x65, 0x65, 28),
    // IDTR and GDTR, LDTR and TR: first read, then written.
    (0x66, 0x67, 46),
    (0x68, 0x69, 47),
    (0x6a, 0x6b, 46),
    (0x6c, 0x6d, 47),
    // RDTSC, RDPMC, CPUID, RSM, INVD, PAUSE, HLT, INVLPG.
    (0x6e, 0x6e, 16),
    (0x6f, 0x6f, 15),
    (0x72, 0x72, 10),
    (0x73, 0x73, 17),
    (0x76, 0x76, 13),
    (0x77, 0x77, 40),
    (0x78, 0x78, 12),
    (0x79, 0x79, 14),
    // Ports, task switches, shutdown, VMMCALL, RDTSCP, WBINVD, MONITOR, MWAIT, XSETBV.
    (0x7b, 0x7b, 30),
    (0x7d, 0x7d, 9),
    (0x7f, 0x7f, 2),
    (0x81, 0x81, 18),
    (0x87, 0x87, 51),
    (0x89, 0x89, 54),
    (0x8a, 0x8a, 39),
    (0x8b, 0x8c, 36),
    (0x8d, 0x8d, 55),
];

/// RDMSR and WRMSR have one code; the lowest bit of EXITINFO1 is set for WRMSR (AMD APM volume 2, section 15.11).
const MSR: u64 = 0x7c;
const RDMSR: usize = 31;
const WRMSR: usize = 32;

/// [`EVENTS`] by code: the stub looks one up at every exit.
const SLOTS: [u8; CODES] = {
    let mut slots = [OTHERS; CODES];
    let mut at = 0;
    while at < EVENTS.len() {
        let (mut code, last, slot) = EVENTS[at];
        while code <= last {
            slots[code] = slot;
            code += 1;
        }
        at += 1;
    }
    slots
};

/// The slot in which an exit is counted, by its code and EXITINFO1.
pub fn slot(code: u64, information: u64) -> usize {
    match code {
        NPF => EPT_VIOLATION,
        MSR if information & 1 == 1 => WRMSR,
        MSR => RDMSR,
        _ => usize::from(SLOTS.get(code as usize).copied().unwrap_or(OTHERS)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use loadphys_abi::counters::REASONS;

    use super::{EVENTS, slot};

    #[test]
    fn what_guests_look_for_is_counted_as_by_vt_x() {
        let codes = [0x72, 0x81, 0x400, 0x61, 0x8d, 0x7f, 0x63];
        let slots = codes.map(|code| slot(code, 0));
        assert_eq!(
            slots,
            [10, 18, 48, 0, 55, 2, 3],
            "CPUID, call, violation, NMI, XSETBV, shutdown, INIT"
        );
        assert_eq!([slot(0x7c, 0), slot(0x7c, 1)], [31, 32], "RDMSR and WRMSR");
    }

    #[test]
    fn no_code_is_counted_outside_of_the_slots() {
        for code in (0..0x1000).chain([u64::MAX, 1 << 32, 1 << 63 | 0x72]) {
            assert!(slot(code, 1) < REASONS, "{code:#x}");
        }
        assert_eq!(slot(u64::MAX, 0), REASONS - 1, "VMEXIT_INVALID");
    }

    #[test]
    fn no_code_is_of_two_events() {
        let mut events = BTreeMap::new();
        for (first, last, event) in EVENTS {
            (first..=last).for_each(|code| {
                assert_eq!(events.insert(code, event), None, "{code:#x}");
            });
        }
    }
}
