//! The local APIC of the CPU that asks (SDM volume 3, chapter 12 "Advanced Programmable Interrupt Controller"): who it
//! is, and what it sends. Its registers are the guest's too; nothing is kept.
#![expect(unsafe_code, reason = "device registers")]

use core::hint::spin_loop;

use x86_64::registers::model_specific::Msr;

use crate::apic_base::{self, ENABLED, X2APIC};
use crate::icr::{self, EVERYBODY};
use crate::machine::msr;

/// Offsets of registers, in bytes; in x2APIC mode register `r` is MSR 0x800 + r / 16.
const ID: u64 = 0x20;
const TASK_PRIORITY: u64 = 0x80;
const SPURIOUS_VECTOR: u64 = 0xf0;
const COMMAND: u64 = 0x300;
const COMMAND_HIGH: u64 = 0x310;
const TIMER_INITIAL: u64 = 0x380;

/// Interrupt-command register (section 12.6.1): delivery modes, with the level that all but INIT want asserted.
const NMI: u32 = 0b100 << 8 | ASSERT;
const INIT: u32 = 0b101 << 8 | ASSERT;
const STARTUP: u32 = 0b110 << 8 | ASSERT;
const ASSERT: u32 = 1 << 14;
/// The last command is still on its way; not in x2APIC mode.
const PENDING: u32 = 1 << 12;

/// The highest number that a command by memory can name; above it is "all".
const MOST_BY_MEMORY: u32 = 0xfe;

/// How the registers are reached.
#[derive(Clone, Copy, Debug)]
pub enum LocalApic {
    /// Memory at this address.
    Memory(u64),
    /// Model-specific registers.
    Registers,
}

impl LocalApic {
    /// This CPU's, if it is on.
    pub fn of_this_cpu() -> Option<Self> {
        // Every CPU with VT-x has one.
        let base = msr(apic_base::NUMBER);
        match (base & ENABLED != 0, base & X2APIC != 0) {
            (false, _) => None,
            (true, false) => Some(Self::Memory(base & 0x000f_ffff_ffff_f000)),
            (true, true) => Some(Self::Registers),
        }
    }

    /// The number of this CPU.
    pub fn id(self) -> u32 {
        match self {
            Self::Memory(_) => self.read(ID) >> 24,
            Self::Registers => self.read(ID),
        }
    }

    /// Whether a command can name that CPU.
    pub const fn reaches(self, id: u32) -> bool {
        matches!(self, Self::Registers) || id <= MOST_BY_MEMORY
    }

    /// Resets a CPU: it waits for [`Self::start_up`].
    pub fn init(self, to: u32) {
        self.send(to, INIT);
    }

    /// Starts a CPU that waits, in real mode at this page below 1 MiB.
    pub fn start_up(self, to: u32, page: u8) {
        self.send(to, STARTUP | u32::from(page));
    }

    /// Sends an NMI.
    pub fn nmi(self, to: u32) {
        self.send(to, NMI);
    }

    /// Does what an INIT would have done, as far as the guest can tell when it starts the CPU again: the APIC is off by
    /// its spurious-vector register, which masks its local interrupts, and the timer stands. (Section 12.4.7.3.) What is
    /// pending stays pending.
    pub fn reset(self) {
        for (register, value) in [(SPURIOUS_VECTOR, 0xff), (TASK_PRIORITY, 0), (TIMER_INITIAL, 0)] {
            self.write(register, value);
        }
    }

    /// To whom the guest's next command goes, where it is not part of it.
    pub fn command_target(self) -> u32 {
        match self.read(COMMAND_HIGH) >> 24 {
            0xff => EVERYBODY,
            number => number,
        }
    }

    /// Sends a command of the guest's.
    pub fn send_as_it_is(self, command: u32, to: u32) {
        match self {
            // Who it is for is where the guest has put it.
            Self::Memory(_) => self.write(COMMAND, command),
            Self::Registers => self.send(to, command),
        }
    }

    /// Reads a register.
    pub fn read(self, register: u64) -> u32 {
        match self {
            Self::Memory(base) => read(base + register),
            Self::Registers => msr(0x800 + (register >> 4) as u32) as u32,
        }
    }

    /// Writes a register.
    pub fn write(self, register: u64, value: u32) {
        match self {
            Self::Memory(base) => write(base + register, value),
            // SAFETY: the APIC is in x2APIC mode, so the MSR exists.
            Self::Registers => unsafe {
                Msr::new(0x800 + (register >> 4) as u32).write(u64::from(value));
            },
        }
    }

    /// Sends what the guest on this CPU would find undone: its own destination word comes back.
    fn send(self, to: u32, command: u32) {
        match self {
            Self::Memory(base) => {
                let guests = read(base + COMMAND_HIGH);
                while read(base + COMMAND) & PENDING != 0 {
                    spin_loop();
                }
                write(base + COMMAND_HIGH, to << 24);
                write(base + COMMAND, command);
                while read(base + COMMAND) & PENDING != 0 {
                    spin_loop();
                }
                write(base + COMMAND_HIGH, guests);
            }
            Self::Registers => {
                let both = u64::from(to) << 32 | u64::from(command);
                // SAFETY: interrupts a CPU, which is what the caller asks for; all CPUs expect it.
                unsafe { Msr::new(icr::MSR).write(both) };
            }
        }
    }
}

fn read(register: u64) -> u32 {
    // SAFETY: the page of registers is mapped at its own address; its types come from the MTRRs.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: u64, value: u32) {
    // SAFETY: as in `read`; the commands written are those of `send`.
    unsafe { (register as *mut u32).write_volatile(value) }
}
