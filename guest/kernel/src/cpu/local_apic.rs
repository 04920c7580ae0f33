//! The local APIC (SDM volume 3, chapter 12 "Advanced Programmable Interrupt Controller"): its timer and
//! the end of an interrupt, by memory or, where the firmware has switched to it, by registers (x2APIC).
#![expect(unsafe_code, reason = "device registers")]

use spin::Once;
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};
use x86_64::{PhysAddr, VirtAddr};

/// Offsets of registers, in bytes; in x2APIC mode register `r` is MSR 0x800 + r / 16.
mod register {
    pub const ID: u32 = 0x20;
    pub const TASK_PRIORITY: u32 = 0x80;
    pub const END_OF_INTERRUPT: u32 = 0xb0;
    pub const SPURIOUS_VECTOR: u32 = 0xf0;
    pub const COMMAND: u32 = 0x300;
    pub const COMMAND_HIGH: u32 = 0x310;
    pub const TIMER_VECTOR: u32 = 0x320;
    pub const TIMER_INITIAL: u32 = 0x380;
    pub const TIMER_CURRENT: u32 = 0x390;
    pub const TIMER_DIVIDE: u32 = 0x3e0;
}

/// Spurious-vector register: the APIC is on.
const ENABLED: u32 = 1 << 8;

/// Divide configuration: by one.
const BY_ONE: u32 = 0b1011;

/// Timer vector register: no interrupt.
const MASKED: u32 = 1 << 16;

/// Interrupt-command register (SDM volume 3, section 12.6.1): delivery mode NMI, and the level that modes other than
/// INIT want to be asserted.
const NMI: u32 = 0b100 << 8 | 1 << 14;

/// Interrupt-command register: to this CPU itself, asserted; the vector is in the low byte.
const TO_SELF: u32 = 0b01 << 18 | 1 << 14;

static BOOT_APIC: Once<LocalApic> = Once::new();

/// How the registers are reached.
#[derive(Clone, Copy, Debug)]
pub enum LocalApic {
    /// Memory at this address.
    Memory(VirtAddr),
    /// Model-specific registers.
    Registers,
}

impl LocalApic {
    /// Where the registers are in memory; `None` in x2APIC mode.
    pub fn memory() -> Option<PhysAddr> {
        let (base, flags) = ApicBase::read();
        (!flags.contains(ApicBaseFlags::X2APIC_ENABLE)).then(|| base.start_address())
    }

    /// Turns the APIC of the boot CPU on, and keeps it for [`Self::boot`].
    pub fn start(self, spurious_vector: u8) -> Self {
        self.write(register::TASK_PRIORITY, 0);
        self.write(register::SPURIOUS_VECTOR, ENABLED | u32::from(spurious_vector));
        self.write(register::TIMER_VECTOR, MASKED);
        self.write(register::TIMER_DIVIDE, BY_ONE);
        *BOOT_APIC.call_once(|| self)
    }

    /// The APIC of the boot CPU.
    pub fn boot() -> Self {
        *BOOT_APIC.get().expect("the APIC is started before interrupts are on")
    }

    /// One timer interrupt, after so many counts.
    pub fn arm(self, vector: u8, counts: u32) {
        self.write(register::TIMER_VECTOR, u32::from(vector));
        self.write(register::TIMER_INITIAL, counts);
    }

    /// No timer interrupt.
    pub fn disarm(self) {
        self.write(register::TIMER_VECTOR, MASKED);
        self.write(register::TIMER_INITIAL, 0);
    }

    /// Starts a count without an interrupt.
    pub fn count_from(self, counts: u32) {
        self.write(register::TIMER_VECTOR, MASKED);
        self.write(register::TIMER_INITIAL, counts);
    }

    /// What is left of the count.
    pub fn count(self) -> u32 {
        self.read(register::TIMER_CURRENT)
    }

    /// The interrupt being handled is at its end.
    pub fn end_of_interrupt(self) {
        self.write(register::END_OF_INTERRUPT, 0);
    }

    /// The high word of the interrupt-command register that names this CPU, with bit 0 set; `None` where the
    /// registers are not in memory.
    pub fn nmi_to_self(self) -> Option<u64> {
        matches!(self, Self::Memory(_)).then(|| u64::from(self.read(register::ID)) | 1)
    }

    /// Whether this CPU can send itself interrupts by [`Self::interrupt_self`] and [`Self::nmi_self`]: the registers are in
    /// memory.
    pub fn can_strike(self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Interrupts this CPU by a vector.
    pub fn interrupt_self(self, vector: u8) {
        self.write(register::COMMAND, TO_SELF | u32::from(vector));
    }

    /// Sends this CPU an NMI. (The shorthand for "self" does not go with NMIs: SDM volume 3, table 12-3.)
    pub fn nmi_self(self) {
        self.write(register::COMMAND_HIGH, self.read(register::ID));
        self.write(register::COMMAND, NMI);
    }

    fn write(self, register: u32, value: u32) {
        match self {
            // SAFETY: the page of registers is mapped there, uncached.
            Self::Memory(base) => unsafe {
                (base + u64::from(register)).as_mut_ptr::<u32>().write_volatile(value);
            },
            // SAFETY: the APIC is in x2APIC mode, so the MSR exists.
            Self::Registers => unsafe { Msr::new(0x800 + register / 16).write(u64::from(value)) },
        }
    }

    fn read(self, register: u32) -> u32 {
        match self {
            // SAFETY: as in `write`.
            Self::Memory(base) => unsafe {
                (base + u64::from(register)).as_ptr::<u32>().read_volatile()
            },
            // SAFETY: as in `write`.
            Self::Registers => unsafe { Msr::new(0x800 + register / 16).read() as u32 },
        }
    }
}
