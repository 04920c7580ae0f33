//! A page fault of a program: the page is brought in, or the program is ended.

use alloc::format;
use alloc::string::String;
use core::fmt;

use page_reclaim::tables::{self, TableError};
use page_reclaim::{BroughtIn, FaultError, bring_in};
use x86_64::VirtAddr;
use x86_64::structures::idt::PageFaultErrorCode;

use super::{Core, Kernel};
use crate::measure::clock;
use crate::window::Words;

/// Why a page cannot be had.
#[derive(Clone, Copy, Debug)]
pub enum Unmapped {
    /// Nothing belongs there.
    Nothing,
    /// The program may not do that there.
    Forbidden,
    /// No frame is free, and no page can be evicted.
    OutOfMemory,
    /// The tables do not allow it.
    Table(TableError),
    /// The page does not.
    Page(FaultError),
}

impl Unmapped {
    /// Whether the page should have come from swap, and did not.
    pub const fn is_of_device(self) -> bool {
        matches!(self, Self::Page(FaultError::Device(_) | FaultError::Checksum(_)))
    }
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is mapped there"),
            Self::Forbidden => f.write_str("it may not do that there"),
            Self::OutOfMemory => f.write_str("out of memory, and swap is full"),
            Self::Table(why) => write!(f, "{why:?}"),
            Self::Page(FaultError::Device(slot)) => {
                write!(f, "slot {} cannot be read", slot.number())
            }
            Self::Page(FaultError::Checksum(slot)) => {
                write!(f, "slot {} holds something else than was written", slot.number())
            }
            Self::Page(why) => write!(f, "{why:?}"),
        }
    }
}

impl From<TableError> for Unmapped {
    fn from(why: TableError) -> Self {
        if why == TableError::NoFrame { Self::OutOfMemory } else { Self::Table(why) }
    }
}

impl From<FaultError> for Unmapped {
    fn from(why: FaultError) -> Self {
        // Eviction makes room in the reverse map too.
        match why {
            FaultError::NoFrame | FaultError::NoMapping => Self::OutOfMemory,
            other => Self::Page(other),
        }
    }
}

impl Kernel {
    /// Answers a page fault at an address, with the CPU's error code.
    pub fn fault(&mut self, number: usize, address: u64, error: u64) {
        let began = clock::now();
        let error = PageFaultErrorCode::from_bits_truncate(error);
        let answer = match VirtAddr::try_new(address) {
            _ if error.contains(PageFaultErrorCode::PROTECTION_VIOLATION) => {
                Err(Unmapped::Forbidden)
            }
            Ok(address) => self.bring(number, address),
            Err(_) => Err(Unmapped::Nothing),
        };
        match answer {
            Ok(BroughtIn::FromSwap) => {
                let ticks = clock::now() - began;
                let mut core = self.core();
                core.fault_in.record(ticks.saturating_sub(self.machine.stopwatch.cost()));
                core.tally.faulted_in += 1;
            }
            Ok(BroughtIn::Zeroed) => self.core().tally.zeroed += 1,
            Ok(_) => {}
            Err(why) => {
                let (disk, of_device) = (self.disk_of(why), why.is_of_device());
                let why = format_args!("page fault at {address:#x} ({error:?}): {why}{disk}");
                let mut core = self.core();
                core.end_program(number, Some(why));
                core.tally.ended_by_device += u64::from(of_device);
            }
        }
    }

    /// Where the page should have come from, in words, if it did not come from swap.
    fn disk_of(&self, why: Unmapped) -> String {
        if why.is_of_device() { format!(" ({})", self.machine.swap()) } else { String::new() }
    }

    /// Brings in what belongs at an address, evicting others where no frame is free. Of a page on its way out it waits until
    /// its entries are settled.
    ///
    /// # Errors
    /// [`Unmapped`].
    pub fn bring(&mut self, number: usize, address: VirtAddr) -> Result<BroughtIn, Unmapped> {
        let mut evicted = None;
        loop {
            match self.map(number, address) {
                Err(Unmapped::OutOfMemory) if self.can_make_room(&mut evicted) => {}
                Err(Unmapped::Page(FaultError::Busy)) => core::hint::spin_loop(),
                answer => return answer,
            }
        }
    }

    /// The same, and shows the page before any CPU can evict it. A new page may be written: it goes to swap as it is then. Of
    /// one that has a copy there, what is written without the walker's knowledge is lost.
    ///
    /// # Errors
    /// [`Unmapped`].
    pub(super) fn bring_and_show<R>(
        &mut self,
        number: usize,
        page: VirtAddr,
        look: impl FnOnce(BroughtIn, &mut Words) -> R,
    ) -> Result<R, Unmapped> {
        let mut evicted = None;
        loop {
            let alone = self.shared.alone();
            match self.map(number, page) {
                Err(Unmapped::OutOfMemory) => {}
                how => {
                    let how = how?;
                    let frame = self.entry(number, page).frame().expect("nobody evicts it");
                    return Ok(self.machine.show(frame, |words| look(how, words)));
                }
            }
            drop(alone);
            if !self.can_make_room(&mut evicted) {
                return Err(Unmapped::OutOfMemory);
            }
        }
    }

    /// Makes room, or finds that others are making some, or have since this was asked last, when so many pages had been
    /// `evicted`: what they evict this CPU leaves alone. They may be waiting for a
    /// CPU that shares a core with this one, or that an emulator runs in turn with it: so it pauses.
    fn can_make_room(&mut self, evicted: &mut Option<u64>) -> bool {
        let now = self.tally().evicted;
        let others = evicted.replace(now) != Some(now) || self.shared.is_evicting();
        if self.make_room() > 0 {
            return true;
        }
        core::hint::spin_loop();
        others || self.shared.is_evicting()
    }

    /// Maps one page of a program; backing and rights are its space's.
    fn map(&mut self, number: usize, address: VirtAddr) -> Result<BroughtIn, Unmapped> {
        let mut core = self.core();
        let Core { memory, processes, .. } = &mut *core;
        let space = &processes[number].space;
        let (backing, rights) = space.at(address).ok_or(Unmapped::Nothing)?;
        let page = address.align_down(4096u64);
        let name = tables::find_or_build(memory, &mut self.machine, space.root, page)?;
        Ok(bring_in(memory, &mut self.machine, name, backing, rights)?)
    }
}
