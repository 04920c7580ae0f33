//! A disk that may be written, since it carries the signature.
//!
//! Neighbours go in one request, several requests are under way at once if the device takes them.
//! Whatever belongs to a request that failed is tried once more, each page alone, so that one bad page fails
//! alone. A device that is silent for longer than its limit is stopped and counts as dead: every
//! later request fails at once.

mod flight;
#[cfg(test)]
mod tests;

use core::fmt;

use flight::Work;

use crate::device::{Clock, Device, Direction, Fault};
use crate::header::{Header, NoHeader, PageBytes};

/// The page of the header; it is never written.
const HEADER_PAGE: u32 = 0;

/// A disk with the signature.
#[derive(Debug)]
pub struct Disk<D, C> {
    device: D,
    clock: C,
    limit: u64,
    header: Header,
    dead: bool,
}

/// Why a device does not become a [`Disk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its first page cannot be read.
    Unreadable(Fault),
    /// It does not carry the signature.
    NoHeader(NoHeader),
    /// It has fewer pages than its header says.
    TooSmall {
        /// What the header says.
        says: u32,
        /// What the device has.
        has: u64,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(fault) => write!(f, "cannot be read: {fault}"),
            Self::NoHeader(why) => why.fmt(f),
            Self::TooSmall { says, has } => {
                write!(f, "has {has} pages, but its loadphys swap signature is for {says}")
            }
        }
    }
}

impl core::error::Error for Refused {}

impl<D: Device, C: Clock> Disk<D, C> {
    /// Reads the header into a page, which `bytes` gives then. `limit` is for how many milliseconds
    /// the device may be silent. Nothing is written.
    ///
    /// # Errors
    /// [`Refused`]; the device is stopped then.
    pub fn open(
        device: D,
        clock: C,
        limit: u64,
        page: D::Page,
        bytes: impl FnOnce() -> PageBytes,
    ) -> Result<Self, Refused> {
        let header = Header::new("", crate::header::LEAST_PAGES).expect("a name that is short");
        let mut disk = Self { device, clock, limit, header, dead: false };
        let opened = disk.look(page, bytes);
        match opened {
            Ok(header) => Ok(Self { header, ..disk }),
            Err(why) => {
                disk.device.stop();
                Err(why)
            }
        }
    }

    fn look(
        &mut self,
        page: D::Page,
        bytes: impl FnOnce() -> PageBytes,
    ) -> Result<Header, Refused> {
        self.read(HEADER_PAGE, page).map_err(Refused::Unreadable)?;
        let header = Header::decode(&bytes()).map_err(Refused::NoHeader)?;
        let (says, has) = (header.pages(), self.device.pages());
        if u64::from(says) > has {
            return Err(Refused::TooSmall { says, has });
        }
        Ok(header)
    }

    /// What the disk says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Whether it was silent for too long.
    pub const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Reads a page.
    ///
    /// # Errors
    /// [`Fault`]: the page may hold anything then.
    pub fn read(&mut self, slot: u32, page: D::Page) -> Result<(), Fault> {
        let mut outcome = [Ok(())];
        self.carry_out(Direction::In, &[slot], &[page], &mut outcome, || ());
        outcome[0]
    }

    /// Writes each page to its slot and says of each how that went. Slots ascend. `meanwhile` runs
    /// once, while the device works.
    ///
    /// # Panics
    /// If there are not as many slots as pages and outcomes.
    pub fn write(
        &mut self,
        slots: &[u32],
        pages: &[D::Page],
        outcomes: &mut [Result<(), Fault>],
        meanwhile: impl FnOnce(),
    ) {
        self.carry_out(Direction::Out, slots, pages, outcomes, meanwhile);
    }

    fn carry_out(
        &mut self,
        direction: Direction,
        slots: &[u32],
        pages: &[D::Page],
        outcomes: &mut [Result<(), Fault>],
        meanwhile: impl FnOnce(),
    ) {
        assert!(slots.len() == pages.len() && pages.len() == outcomes.len());
        let most = self.device.most_pages();
        self.fly(Work { direction, slots, pages, outcomes, most }, meanwhile);
        for at in 0..slots.len() {
            if outcomes[at] == Err(Fault::Failed) {
                let (slots, pages) = (&slots[at..=at], &pages[at..=at]);
                let outcomes = &mut outcomes[at..=at];
                self.fly(Work { direction, slots, pages, outcomes, most: 1 }, || ());
            }
        }
    }

    /// Whether a page may go this way.
    fn allows(&self, direction: Direction, slot: u32) -> Result<(), Fault> {
        let written = direction == Direction::Out && slot == HEADER_PAGE;
        match () {
            () if self.dead => Err(Fault::Dead),
            () if written || slot >= self.header.pages() => Err(Fault::Beyond),
            () => Ok(()),
        }
    }
}
