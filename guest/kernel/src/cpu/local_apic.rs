//! The local APIC (SDM volume 3, chapter 12 "Advanced Programmable Interrupt Controller"): its timer,
//! interrupts to other CPUs and the end of an interrupt, by memory or, where the firmware has switched to it, by registers (x2APIC).
#![expect(unsafe_code, reason = "device registers")]

use core::sync::atomic::{Ordering, fence};

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

/// Interrupt-command register: INIT, and start-up at a page (SDM volume 3, section 10.4.4.1), both asserted.
const INIT: u32 = 0b101 << 8 | 1 << 14;
const START_UP: u32 = 0b110 << 8 | 1 << 14;

/// Interrupt-command register: by a vector, asserted.
const FIXED: u32 = 1 << 14;

/// Interrupt-command register, in memory only: the last command is on its way.
const PENDING: u32 = 1 << 12;

/// Interrupt-command register in x2APIC mode, whole.
const COMMAND_MSR: u32 = 0x830;

/// The highest ID that has a place in the registers in memory; the one above means all CPUs.
const LAST_SHORT_ID: u32 = 254;

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
        self.turn_on(spurious_vector);
        *BOOT_APIC.call_once(|| self)
    }

    /// Has this CPU reach its APIC as the boot CPU does, and turns it on.
    ///
    /// # Errors
    /// What differs.
    pub fn follow(self, boot_base: u64, spurious_vector: u8) -> Result<(), &'static str> {
        let (base, flags) = ApicBase::read();
        let memory = matches!(self, Self::Memory(_));
        if memory && base.start_address().as_u64() != boot_base {
            return Err("its local APIC is elsewhere");
        }
        if memory && flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
            return Err("its local APIC is in x2APIC mode");
        }
        let mode = if memory { ApicBaseFlags::empty() } else { ApicBaseFlags::X2APIC_ENABLE };
        // SAFETY: the boot CPU has its APIC at the same place in the same mode.
        unsafe { ApicBase::write(base, flags | ApicBaseFlags::LAPIC_ENABLE | mode) };
        self.turn_on(spurious_vector);
        Ok(())
    }

    /// Where APICs are in memory, whatever their mode.
    pub fn base() -> u64 {
        ApicBase::read().0.start_address().as_u64()
    }

    fn turn_on(self, spurious_vector: u8) {
        self.write(register::TASK_PRIORITY, 0);
        self.write(register::SPURIOUS_VECTOR, ENABLED | u32::from(spurious_vector));
        self.write(register::TIMER_VECTOR, MASKED);
        self.write(register::TIMER_DIVIDE, BY_ONE);
    }

    /// The APIC of whichever CPU uses it: all are reached in the same way.
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

    /// The ID of this CPU.
    pub fn id(self) -> u32 {
        match self {
            Self::Memory(_) => self.read(register::ID) >> 24,
            Self::Registers => self.read(register::ID),
        }
    }

    /// Whether a CPU can be named to this APIC.
    pub const fn can_name(self, id: u32) -> bool {
        matches!(self, Self::Registers) || id <= LAST_SHORT_ID
    }

    /// Resets another CPU; it waits for [`Self::start_up`].
    pub fn init(self, id: u32) {
        self.command(id, INIT);
    }

    /// Starts a CPU that waits, in real mode, at the page with this number.
    pub fn start_up(self, id: u32, page: u8) {
        self.command(id, START_UP | u32::from(page));
    }

    /// Interrupts another CPU by a vector.
    #[inline]
    pub fn interrupt(self, id: u32, vector: u8) {
        self.command(id, FIXED | u32::from(vector));
    }

    /// No handler sends to another CPU, so nothing comes between the two words.
    fn command(self, id: u32, command: u32) {
        match self {
            Self::Memory(_) => {
                while self.read(register::COMMAND) & PENDING != 0 {
                    core::hint::spin_loop();
                }
                self.write(register::COMMAND_HIGH, id << 24);
                self.write(register::COMMAND, command);
            }
            Self::Registers => {
                // Writes of x2APIC registers wait for nothing by themselves (SDM volume 3, section 12.12.3).
                fence(Ordering::SeqCst);
                // SAFETY: the APIC is in x2APIC mode, so the MSR exists; LFENCE exists on every 64-bit CPU.
                unsafe {
                    core::arch::x86_64::_mm_lfence();
                    Msr::new(COMMAND_MSR).write(u64::from(id) << 32 | u64::from(command));
                }
            }
        }
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
