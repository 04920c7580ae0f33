//! The interrupt-command register of the local APIC, by which CPUs are reset and started (SDM volume 3, section 12.6.1 "Interrupt
//! Command Register (ICR)").

/// Bits of the lower half: delivery mode, logical destinations, level, trigger mode, shorthand.
const DELIVERY: u32 = 0b111 << 8;
const INIT: u32 = 0b101 << 8;
const START_UP: u32 = 0b110 << 8;
const LOGICAL: u32 = 1 << 11;
const ASSERT: u32 = 1 << 14;
const LEVEL_TRIGGERED: u32 = 1 << 15;
const SHORTHAND: u32 = 0b11 << 18;

/// In x2APIC mode it is one MSR, with the target in the upper half.
pub const MSR: u32 = 0x830;

/// The number that stands for all CPUs. (Where numbers have 8 bits it is 0xff.)
pub const EVERYBODY: u32 = u32::MAX;

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Resets a CPU, which waits for [`Kind::StartUp`].
    Init,
    /// Starts a CPU that waits, at this page.
    StartUp(u8),
    /// Sets the arbitration ID of old local APICs, and nothing in those of today.
    Deassert,
    /// An interrupt.
    Other,
}

/// Whom it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// The CPU with this number, or all.
    Number(u32),
    /// A set of CPUs, by the numbers that the guest gave them.
    Logical,
    /// The sender.
    Own,
    /// All, with the sender.
    All,
    /// All but the sender.
    Others,
}

/// Whether x2APIC mode takes this lower half: no reserved bit, no reserved delivery mode.
pub const fn is_good(low: u32) -> bool {
    const RESERVED: u32 = 0xfff3_3000;
    const LOWEST_PRIORITY: u32 = 0b001 << 8;
    const REMOTE_READ: u32 = 0b011 << 8;
    const EXTERNAL: u32 = 0b111 << 8;
    low & RESERVED == 0 && !matches!(low & DELIVERY, LOWEST_PRIORITY | REMOTE_READ | EXTERNAL)
}

/// What the lower half says.
pub const fn kind(low: u32) -> Kind {
    match low & DELIVERY {
        INIT if low & LEVEL_TRIGGERED != 0 && low & ASSERT == 0 => Kind::Deassert,
        INIT => Kind::Init,
        START_UP => Kind::StartUp(low as u8),
        _ => Kind::Other,
    }
}

/// Whom it reaches, given the number in the upper half.
pub const fn targets(low: u32, number: u32) -> Targets {
    match (low & SHORTHAND) >> 18 {
        0 if low & LOGICAL != 0 => Targets::Logical,
        0 => Targets::Number(number),
        1 => Targets::Own,
        2 => Targets::All,
        _ => Targets::Others,
    }
}

impl Targets {
    /// Whether it reaches the CPU with this number, the sender's being `own`. [`EVERYBODY`] is a number. By sets nobody is reset or
    /// started: the stub does not know them.
    pub const fn reach(self, number: u32, own: u32) -> bool {
        match self {
            Self::Number(EVERYBODY) | Self::All => true,
            Self::Number(to) => to == number,
            Self::Logical => false,
            Self::Own => number == own,
            Self::Others => number != own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind, targets};

    #[test]
    fn what_kernels_send_is_understood() {
        // Linux: INIT asserted and deasserted, a SIPI; SeaBIOS and memtest86+ to all others; a fixed interrupt, an NMI.
        assert_eq!(kind(0xc500), Kind::Init);
        assert_eq!(kind(0x8500), Kind::Deassert);
        assert_eq!(kind(0x4500), Kind::Init);
        assert_eq!(kind(0x0500), Kind::Init, "edge-triggered");
        assert_eq!(kind(0x0699), Kind::StartUp(0x99));
        assert_eq!(kind(0xc4500), Kind::Init);
        assert_eq!((kind(0x40fb), kind(0x4400)), (Kind::Other, Kind::Other));
    }

    #[test]
    fn what_the_register_refuses_is_refused() {
        assert!([0xc500, 0x0699, 0x40fb, 0xc_4400].iter().all(|low| super::is_good(*low)));
        for low in [1 << 12, 1 << 13, 1 << 16, 1 << 31, 0b111 << 8, 0b011 << 8] {
            assert!(!super::is_good(low), "{low:#x}");
        }
    }

    #[test]
    fn it_reaches_those_who_are_named() {
        let reached = |low, number| [0, 1, 2].map(|cpu| targets(low, number).reach(cpu, 1));
        assert_eq!(reached(0x4500, 2), [false, false, true]);
        assert_eq!(reached(0x4500, u32::MAX), [true; 3]);
        assert_eq!(reached(0x4_4500, 2), [false, true, false]);
        assert_eq!(reached(0x8_4500, 2), [true; 3]);
        assert_eq!(reached(0xc_4500, 2), [true, false, true]);
        assert_eq!(reached(0x4d00, 2), [false; 3], "a set");
    }
}
