//! One drive: found by IDENTIFY DEVICE, then one DMA command at a time.

use core::fmt;

use heapless::Vec;

use super::identity::{Identity, WORDS};
use super::registers::{
    ACTIVE, BUS_ERROR, BUSY, DATA_REQUEST, DEVICE_FAULT, DEVICE_LBA, ERROR, INTERRUPT,
    NO_INTERRUPTS, Register, Registers, SOFTWARE_RESET, START, TO_MEMORY, commands, descriptor,
};
use crate::device::{Clock, Device, Direction, Fault, Request, Token};
use crate::{PAGE_BYTES, SECTORS_PER_PAGE};

/// The most pages of a command: 256 sectors.
pub const MOST_PAGES: usize = 256 / SECTORS_PER_PAGE as usize;

/// Reads of the control register that take at least the 400 ns after which a drive that was just
/// selected shows its status (ATA-6, section 9.2).
const READS_OF_400_NS: u32 = 15;

/// Which drive of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Device 0.
    Master,
    /// Device 1.
    Slave,
}

/// Why there is no drive that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing answers, or something that is no disk.
    NoDisk,
    /// It began to answer and did not come to an end.
    Silent,
    /// It has no DMA, or is addressed by cylinders.
    TooOld,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDisk => "is no disk",
            Self::Silent => "does not say what it is",
            Self::TooOld => "has no DMA or no LBA, which are needed",
        })
    }
}

impl core::error::Error for Absent {}

/// A drive.
#[derive(Debug)]
pub struct Drive<R> {
    registers: R,
    unit: Unit,
    identity: Identity,
    under_way: bool,
}

impl<R: Registers> Drive<R> {
    /// Asks a drive what it is, for at most so many milliseconds.
    ///
    /// # Errors
    /// [`Absent`].
    pub fn find(
        mut registers: R,
        unit: Unit,
        clock: &mut impl Clock,
        limit: u64,
    ) -> Result<Self, Absent> {
        registers.write(Register::Control, NO_INTERRUPTS);
        select(&mut registers, unit, 0);
        // A channel without drives floats high, or reads as 0.
        if matches!(registers.read(Register::Control), 0 | 0xff) {
            return Err(Absent::NoDisk);
        }
        registers.write(Register::Command, commands::IDENTIFY);
        pause(&mut registers);
        let status = settled(&mut registers, clock, limit).ok_or(Absent::Silent)?;
        if status & DATA_REQUEST == 0 || status & ERROR != 0 {
            return Err(Absent::NoDisk);
        }
        let words: [u16; WORDS] = core::array::from_fn(|_| registers.read_data());
        let identity = Identity::new(&words);
        match identity.can {
            true => Ok(Self { registers, unit, identity, under_way: false }),
            false => Err(Absent::TooOld),
        }
    }

    /// What the drive says of itself.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Names the sectors, as IDENTIFY and the DMA commands want them.
    fn address(&mut self, first: u32, count: u32) {
        // 256 sectors are written as 0.
        self.registers.write(Register::SectorCount, count as u8);
        let [low, middle, high, _] = first.to_le_bytes();
        self.registers.write(Register::LbaLow, low);
        self.registers.write(Register::LbaMiddle, middle);
        self.registers.write(Register::LbaHigh, high);
    }

    /// Has the controller ready for a command.
    fn prepare(&mut self, pages: &[u32], way: u8) {
        self.registers.write(Register::BusMasterCommand, 0);
        let kept = self.registers.read(Register::BusMasterStatus) & !ACTIVE;
        self.registers.write(Register::BusMasterStatus, kept | BUS_ERROR | INTERRUPT);
        let last = pages.len() - 1;
        let descriptors = pages.iter().enumerate();
        let descriptors: Vec<u64, MOST_PAGES> = descriptors
            .map(|(at, page)| descriptor(*page, PAGE_BYTES as u16, at == last))
            .collect();
        self.registers.set_descriptors(&descriptors);
        self.registers.write(Register::BusMasterCommand, way);
    }
}

impl<R: Registers> Device for Drive<R> {
    /// Its physical address.
    type Page = u32;

    fn pages(&self) -> u64 {
        u64::from(self.identity.sectors / SECTORS_PER_PAGE)
    }

    fn most_pages(&self) -> usize {
        MOST_PAGES
    }

    fn begin(&mut self, request: &Request<'_, u32>) -> Result<Option<Token>, Fault> {
        if self.under_way {
            return Ok(None);
        }
        let (command, way) = match request.direction {
            Direction::In => (commands::READ_DMA, TO_MEMORY),
            Direction::Out => (commands::WRITE_DMA, 0),
        };
        let first = request.first.checked_mul(SECTORS_PER_PAGE).filter(|first| first >> 28 == 0);
        let first = first.ok_or(Fault::Beyond)?;
        select(&mut self.registers, self.unit, (first >> 24) as u8);
        if self.registers.read(Register::Control) & (BUSY | DATA_REQUEST) != 0 {
            return Err(Fault::Failed);
        }
        self.prepare(request.pages, way);
        self.address(first, request.pages.len() as u32 * SECTORS_PER_PAGE);
        self.registers.write(Register::Command, command);
        self.registers.write(Register::BusMasterCommand, way | START);
        self.under_way = true;
        Ok(Some(Token(0)))
    }

    fn poll(&mut self) -> Option<(Token, Result<(), Fault>)> {
        if !self.under_way {
            return None;
        }
        let bus = self.registers.read(Register::BusMasterStatus);
        let status = self.registers.read(Register::Control);
        let failed = status & (ERROR | DEVICE_FAULT) != 0 && status & BUSY == 0;
        let failed = failed || bus & BUS_ERROR != 0;
        let at_it = bus & ACTIVE != 0 || status & (BUSY | DATA_REQUEST) != 0;
        if at_it && !failed {
            return None;
        }
        self.registers.write(Register::BusMasterCommand, 0);
        self.registers.read(Register::Command);
        self.under_way = false;
        Some((Token(0), if failed { Err(Fault::Failed) } else { Ok(()) }))
    }

    fn stop(&mut self) {
        self.registers.write(Register::BusMasterCommand, 0);
        if self.under_way {
            self.registers.write(Register::Control, NO_INTERRUPTS | SOFTWARE_RESET);
            pause(&mut self.registers);
            self.registers.write(Register::Control, NO_INTERRUPTS);
        }
        self.under_way = false;
    }
}

/// Selects a drive, with the upper bits of a sector's number.
fn select(registers: &mut impl Registers, unit: Unit, upper: u8) {
    let slave = u8::from(unit == Unit::Slave) << 4;
    registers.write(Register::Device, DEVICE_LBA | slave | upper);
    pause(registers);
}

fn pause(registers: &mut impl Registers) {
    for _ in 0..READS_OF_400_NS {
        registers.read(Register::Control);
    }
}

/// The status of a drive that is busy no more; `None` if it is so for too long.
fn settled(registers: &mut impl Registers, clock: &mut impl Clock, limit: u64) -> Option<u8> {
    let began = clock.milliseconds();
    loop {
        let status = registers.read(Register::Control);
        if status & BUSY == 0 {
            return Some(status);
        }
        if clock.milliseconds() - began > limit {
            return None;
        }
    }
}
