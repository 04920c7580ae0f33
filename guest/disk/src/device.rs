//! The one trait that a disk's driver implements.

use core::fmt;

/// Which way pages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the disk into memory.
    In,
    /// From memory to the disk.
    Out,
}

/// What is asked of a device: pages that lie side by side on it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a, P> {
    /// Which way.
    pub direction: Direction,
    /// The first page on the disk.
    pub first: u32,
    /// The pages in memory, in the order of those on the disk. They stay what they are until the
    /// request has ended or the device was stopped.
    pub pages: &'a [P],
}

/// What a request is known by while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u16);

/// Why a page was not written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device said so.
    Failed,
    /// The device said nothing for too long. It counts as dead from now on.
    Stuck,
    /// The device has counted as dead since an earlier request.
    Dead,
    /// The page is not among those that the disk's header offers.
    Beyond,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the device reports an error",
            Self::Stuck => "the device does not answer",
            Self::Dead => "the device counts as dead",
            Self::Beyond => "the disk has no such page",
        })
    }
}

/// A block device. It may be slow, it may fail, and it may work while nobody waits for it.
pub trait Device {
    /// What a page of memory is known by.
    type Page: Copy;

    /// Pages of the device.
    fn pages(&self) -> u64;

    /// The most pages that one request can have; at least one.
    fn most_pages(&self) -> usize;

    /// Begins a request, of at least one and at most [`Device::most_pages`] pages; `None` if others
    /// must end before.
    ///
    /// # Errors
    /// [`Fault::Failed`] if the device refuses it at once.
    fn begin(&mut self, request: &Request<'_, Self::Page>) -> Result<Option<Token>, Fault>;

    /// A request that has ended since the last time, and how. Does not wait.
    fn poll(&mut self) -> Option<(Token, Result<(), Fault>)>;

    /// Stops the device for good. When this returns it reads and writes no memory any more.
    fn stop(&mut self);
}

/// Something that counts at a known rate.
pub trait Clock {
    /// Milliseconds since some moment. Asked at least every second while a request is under way.
    fn milliseconds(&mut self) -> u64;
}
