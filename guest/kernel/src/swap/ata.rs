//! An ATA disk behind a bus-master IDE controller on PCI: ports, descriptors, and pages that the controller cannot reach.
#![expect(unsafe_code, reason = "port I/O, and memory for the controller")]

use heapless::Vec;
use loadphys_disk::ata::{Absent, Drive, MOST_PAGES, Register, Registers, Unit};
use loadphys_disk::device::{Clock, Device, Direction, Fault, Request, Token};
use virtio_drivers::transport::pci::bus::DeviceFunction;
use x86_64::instructions::port::Port;

use super::hal;
use super::windows::SwapPage;
use crate::early::Range;
use crate::pci;
use crate::window::{Words, copy};

/// Where channels are that are where they always were (PCI IDE Controller Specification 1.0, section 2.1): commands and control.
const OLD_PORTS: [(u16, u16); 2] = [(0x1f0, 0x3f6), (0x170, 0x376)];

/// Of the programming interface: the channels that have ports of their own choice.
const CHOSEN_PORTS: [u8; 2] = [1 << 0, 1 << 2];

/// The register that says where the bus master's ports are.
const BUS_MASTER_BAR: u8 = 4;

/// Ports of the bus master for each channel.
const BUS_MASTER_PORTS: u16 = 8;

/// Where the alternate status is within its own ports.
const CONTROL_OFFSET: u16 = 2;

/// What the controller can address.
const REACH: u64 = 1 << 32;

/// Pages of the devices' memory that a channel takes: descriptors, and pages that stand in for others.
pub const MEMORY_PAGES: u64 = 1 + MOST_PAGES as u64;

/// A channel: its ports, and memory for its descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    commands: u16,
    control: u16,
    bus_master: u16,
    descriptors: Range,
}

impl Channel {
    /// Channel 0 or 1 of a controller; `None` if it cannot do DMA.
    pub fn new(at: DeviceFunction, interface: u8, number: u8, descriptors: Range) -> Option<Self> {
        let index = usize::from(number & 1);
        let bar = |number| pci::port_bar(at, number);
        let (commands, control) = match interface & CHOSEN_PORTS[index] {
            0 => OLD_PORTS[index],
            _ => (bar(2 * number)?, bar(2 * number + 1)? + CONTROL_OFFSET),
        };
        let bus_master = bar(BUS_MASTER_BAR)? + u16::from(number) * BUS_MASTER_PORTS;
        Some(Self { commands, control, bus_master, descriptors })
    }

    const fn port(&self, register: Register) -> u16 {
        match register {
            Register::Error => self.commands + 1,
            Register::SectorCount => self.commands + 2,
            Register::LbaLow => self.commands + 3,
            Register::LbaMiddle => self.commands + 4,
            Register::LbaHigh => self.commands + 5,
            Register::Device => self.commands + 6,
            Register::Command => self.commands + 7,
            Register::Control => self.control,
            Register::BusMasterCommand => self.bus_master,
            Register::BusMasterStatus => self.bus_master + 2,
        }
    }
}

impl Registers for Channel {
    fn read(&mut self, register: Register) -> u8 {
        // SAFETY: the ports are the channel's; what reading does, the protocol knows.
        unsafe { Port::new(self.port(register)).read() }
    }

    fn write(&mut self, register: Register, value: u8) {
        // SAFETY: as above; memory is named by descriptors only.
        unsafe { Port::new(self.port(register)).write(value) }
    }

    fn read_data(&mut self) -> u16 {
        // SAFETY: as above.
        unsafe { Port::new(self.commands).read() }
    }

    fn set_descriptors(&mut self, descriptors: &[u64]) {
        let table = self.descriptors.at.as_mut_ptr::<u64>();
        for (at, descriptor) in descriptors.iter().take(MOST_PAGES).enumerate() {
            // SAFETY: there is room in the page, which the controller does not read now.
            unsafe { table.add(at).write_volatile(*descriptor) };
        }
        // SAFETY: this only says where they are.
        unsafe {
            Port::new(self.bus_master + 4).write(below_4_gib(self.descriptors.physical.as_u64()))
        };
    }
}

/// An address that the controller can reach.
fn below_4_gib(physical: u64) -> u32 {
    u32::try_from(physical)
        .expect("devices' memory, and pages that need none to stand in, lie below 4 GiB")
}

/// A disk.
#[derive(Debug)]
pub struct AtaDisk {
    drive: Drive<Channel>,
    /// Pages that stand in for those that the controller cannot reach.
    stand_ins: Range,
    under_way: Option<(Direction, Vec<SwapPage, MOST_PAGES>)>,
}

// SAFETY: ports and memory are this disk's alone.
unsafe impl Send for AtaDisk {}

impl AtaDisk {
    /// Finds a drive, asking for at most so many milliseconds.
    ///
    /// # Errors
    /// [`Absent`].
    pub fn find(
        channel: Channel,
        unit: Unit,
        stand_ins: Range,
        clock: &mut impl Clock,
        limit: u64,
    ) -> Result<Self, Absent> {
        let drive = Drive::find(channel, unit, clock, limit)?;
        Ok(Self { drive, stand_ins, under_way: None })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.drive.identity().model
    }

    fn stand_in(&self, number: usize) -> *mut Words {
        (self.stand_ins.at + number as u64 * 4096).as_mut_ptr()
    }

    /// Where the controller finds a page.
    fn reached(&self, number: usize, page: &SwapPage) -> u32 {
        let own = page.frame.start_address().as_u64();
        let stand_in = self.stand_ins.physical.as_u64() + number as u64 * 4096;
        below_4_gib(if own < REACH { own } else { stand_in })
    }
}

/// The pages that the controller cannot reach, by their places in a request.
fn far(pages: &[SwapPage]) -> impl Iterator<Item = (usize, &SwapPage)> {
    let is_far = |page: &SwapPage| page.frame.start_address().as_u64() >= REACH;
    pages.iter().enumerate().filter(move |(_, page)| is_far(page))
}

impl Device for AtaDisk {
    type Page = SwapPage;

    fn pages(&self) -> u64 {
        self.drive.pages()
    }

    fn most_pages(&self) -> usize {
        self.drive.most_pages()
    }

    fn begin(&mut self, request: &Request<'_, SwapPage>) -> Result<Option<Token>, Fault> {
        if self.under_way.is_some() {
            return Ok(None);
        }
        let &Request { direction, first, pages } = request;
        if direction == Direction::Out {
            far(pages).for_each(|(number, page)| copy(page.at, self.stand_in(number)));
        }
        let reached: Vec<u32, MOST_PAGES> =
            pages.iter().enumerate().map(|(number, page)| self.reached(number, page)).collect();
        let begun = self.drive.begin(&Request { direction, first, pages: &reached })?;
        let pages = Vec::from_slice(pages).map_err(|_| Fault::Failed)?;
        self.under_way = begun.map(|_| (direction, pages));
        Ok(begun)
    }

    fn poll(&mut self) -> Option<(Token, Result<(), Fault>)> {
        let ended = self.drive.poll()?;
        if let Some((Direction::In, pages)) = self.under_way.take() {
            far(&pages).for_each(|(number, page)| copy(self.stand_in(number), page.at));
        }
        Some(ended)
    }

    fn stop(&mut self) {
        self.drive.stop();
        self.under_way = None;
    }
}

/// Memory for one drive: descriptors, and pages that stand in.
pub fn memory() -> Option<(Range, Range)> {
    Some((hal::take(1)?, hal::take(MEMORY_PAGES - 1)?))
}
