//! Events as VT-x and SVM write them down, in the same way (SDM volume 3, section "VM-Entry Controls for Event Injection"; APM
//! volume 2, section 15.20 "Event Injection").

/// There is an event.
pub const VALID: u64 = 1 << 31;
/// It has an error code.
pub const WITH_ERROR: u64 = 1 << 11;
/// What kind it is of.
pub const KIND: u64 = 0b111 << 8;
/// An NMI.
pub const NMI: u64 = 2 << 8;
/// An exception.
pub const EXCEPTION: u64 = 3 << 8;
/// An interrupt that an instruction makes; the kinds above it are exceptions that one makes.
pub const SOFTWARE_INTERRUPT: u64 = 4 << 8;
/// Its vector.
pub const VECTOR: u64 = 0xff;

/// #DB.
pub const DEBUG: u64 = 1;
/// #UD.
pub const INVALID_OPCODE: u64 = 6;
/// #DF.
pub const DOUBLE_FAULT: u64 = 8;
/// #GP.
pub const GENERAL_PROTECTION: u64 = 13;
/// #PF.
pub const PAGE_FAULT: u64 = 14;

/// What an exception comes to that is raised at an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It.
    Itself,
    /// #DF.
    DoubleFault,
    /// A triple fault.
    Shutdown,
}

/// What an exception, contributory or #PF, comes to if this was being delivered (SDM volume 3, section "Interrupt 8 - Double
/// Fault Exception (#DF)").
pub const fn exception_in(vector: u64, delivery: u64) -> Outcome {
    let in_exception = delivery & VALID != 0 && delivery & KIND == EXCEPTION;
    match delivery & VECTOR {
        DOUBLE_FAULT if in_exception => Outcome::Shutdown,
        PAGE_FAULT if in_exception => Outcome::DoubleFault,
        0 | 10..=GENERAL_PROTECTION if in_exception && vector != PAGE_FAULT => Outcome::DoubleFault,
        _ => Outcome::Itself,
    }
}

/// The same of #GP.
pub const fn general_protection_in(delivery: u64) -> Outcome {
    exception_in(GENERAL_PROTECTION, delivery)
}

/// An exception with an error code; in real mode there are none.
pub const fn with_error(vector: u64, protected: bool) -> u64 {
    let with_error = if protected { WITH_ERROR } else { 0 };
    VALID | EXCEPTION | with_error | vector
}

#[cfg(test)]
mod tests {
    use super::{
        EXCEPTION, NMI, Outcome, PAGE_FAULT, VALID, exception_in, general_protection_in, with_error,
    };

    #[test]
    fn two_faults_become_one_and_three_the_end() {
        let within = |vector| general_protection_in(VALID | EXCEPTION | vector);
        assert_eq!(within(8), Outcome::Shutdown);
        for contributory in [0, 10, 11, 12, 13, 14] {
            assert_eq!(within(contributory), Outcome::DoubleFault, "{contributory}");
        }
        for benign in [1, 3, 6, 7, 16] {
            assert_eq!(within(benign), Outcome::Itself, "{benign}");
        }
        assert_eq!(general_protection_in(EXCEPTION | 8), Outcome::Itself, "no event");
        assert_eq!(general_protection_in(VALID | NMI | 8), Outcome::Itself);
    }

    #[test]
    fn a_page_fault_makes_two_only_with_another() {
        let within = |vector| exception_in(PAGE_FAULT, VALID | EXCEPTION | vector);
        let all = [10, 13, 14, 8].map(within);
        assert_eq!(
            all,
            [Outcome::Itself, Outcome::Itself, Outcome::DoubleFault, Outcome::Shutdown]
        );
    }

    #[test]
    fn real_mode_has_no_error_codes() {
        assert_eq!(with_error(13, true), 0x8000_0b0d);
        assert_eq!(with_error(13, false), 0x8000_030d);
    }
}
