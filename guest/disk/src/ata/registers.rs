//! The registers of a channel, and the bits in them.

/// A register of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Register {
    /// Error when read, features when written.
    Error,
    /// Sectors to move; 0 is 256.
    SectorCount,
    /// Bits 0 to 7 of the first sector.
    LbaLow,
    /// Bits 8 to 15 of the first sector.
    LbaMiddle,
    /// Bits 16 to 23 of the first sector.
    LbaHigh,
    /// Which of the two drives; bits 24 to 27 of the first sector.
    Device,
    /// Status when read, which takes an interrupt request back; command when written.
    Command,
    /// Status when read, without that; device control when written.
    Control,
    /// The controller's command: start, and which way.
    BusMasterCommand,
    /// The controller's status. Bits that are written as 1 are cleared, where they are events.
    BusMasterStatus,
}

/// How a channel's registers are reached.
pub trait Registers {
    /// Reads a register.
    fn read(&mut self, register: Register) -> u8;

    /// Writes a register.
    fn write(&mut self, register: Register, value: u8);

    /// Reads a word of data.
    fn read_data(&mut self) -> u16;

    /// Puts these descriptors where the controller can read them, and tells it where.
    fn set_descriptors(&mut self, descriptors: &[u64]);
}

/// Status: the drive works and nothing else in its registers means anything (ATA-6, section 7.15.6).
pub const BUSY: u8 = 1 << 7;

/// Status: the drive cannot go on.
pub const DEVICE_FAULT: u8 = 1 << 5;

/// Status: data is to be moved.
pub const DATA_REQUEST: u8 = 1 << 3;

/// Status: the command failed.
pub const ERROR: u8 = 1 << 0;

/// Device: addresses are sector numbers; the two bits beside it were always written as 1.
pub const DEVICE_LBA: u8 = 0xe0;

/// Device control: no interrupt requests (ATA-6, section 7.8).
pub const NO_INTERRUPTS: u8 = 1 << 1;

/// Device control: both drives begin anew.
pub const SOFTWARE_RESET: u8 = 1 << 2;

/// Commands (ATA-6, section 8).
pub mod commands {
    /// The drive says what it is.
    pub const IDENTIFY: u8 = 0xec;
    /// From the drive by DMA.
    pub const READ_DMA: u8 = 0xc8;
    /// To the drive by DMA.
    pub const WRITE_DMA: u8 = 0xca;
}

/// Bus-master command: go on with the descriptors (section 2.1 of the interface).
pub const START: u8 = 1 << 0;

/// Bus-master command: the controller writes to memory.
pub const TO_MEMORY: u8 = 1 << 3;

/// Bus-master status: the controller is at it (section 2.2).
pub const ACTIVE: u8 = 1 << 0;

/// Bus-master status, an event: memory could not be reached.
pub const BUS_ERROR: u8 = 1 << 1;

/// Bus-master status, an event: the drive requested an interrupt.
pub const INTERRUPT: u8 = 1 << 2;

/// A descriptor for so many bytes of memory; `last` of its table (section 1.2).
pub const fn descriptor(physical: u32, bytes: u16, last: bool) -> u64 {
    physical as u64 | (bytes as u64) << 32 | (last as u64) << 63
}
