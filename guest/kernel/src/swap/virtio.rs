//! A virtio block device on PCI (VIRTIO 1.2, section 5.2). Ring and transport are the `virtio-drivers` crate's; that
//! crate's own block driver has one buffer a request, while a cluster is many frames.
#![expect(unsafe_code, reason = "lends memory to a device")]

use alloc::boxed::Box;
use alloc::vec;
use core::ptr::NonNull;

use bitflags::bitflags;
use heapless::Vec;
use loadphys_disk::device::{Device, Direction, Fault, Request, Token};
use loadphys_disk::{PAGE_BYTES, SECTORS_PER_PAGE};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};
use virtio_drivers::transport::{DeviceStatus, Transport};

use super::hal::{self, KernelHal};
use super::windows::SwapPage;
use crate::pci::{self, ConfigurationPorts};

bitflags! {
    /// Features that are asked for (section 5.2.3; section 6).
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        /// It says how many buffers a request can have.
        const SEG_MAX = 1 << 2;
        /// It cannot be written.
        const RO = 1 << 5;
        /// It follows version 1 or later.
        const VERSION_1 = 1 << 32;
    }
}

/// Places in the device's own configuration (section 5.2.4).
const CAPACITY: usize = 0;
const SEG_MAX: usize = 12;

/// The queue for requests.
const QUEUE: u16 = 0;

/// Descriptors of the queue.
const DESCRIPTORS: usize = 128;

/// Descriptors of a request besides its pages: header and status.
const BESIDES: usize = 2;

/// The most pages of a request.
const MOST_PAGES: usize = 32;

/// Requests under way.
const MOST_REQUESTS: usize = 8;

/// How often the device is asked whether it has reset itself.
const RESET_PATIENCE: u32 = 10_000_000;

/// What the device reads before the pages, and writes after them (section 5.2.6).
#[repr(C)]
struct Control {
    kind: u32,
    reserved: u32,
    sector: u64,
    status: u8,
}

/// Bytes of [`Control`] that the device reads.
const HEADER_BYTES: usize = core::mem::offset_of!(Control, status);

const READ: u32 = 0;
const WRITE: u32 = 1;
const STATUS_OK: u8 = 0;

/// A request under way.
#[derive(Clone, Debug)]
struct Flying {
    token: u16,
    direction: Direction,
    pages: Vec<SwapPage, MOST_PAGES>,
}

/// The device.
pub struct VirtioDisk {
    at: DeviceFunction,
    transport: PciTransport,
    queue: Box<VirtQueue<KernelHal, DESCRIPTORS>>,
    /// One for each request under way, in the devices' memory.
    controls: NonNull<Control>,
    flying: Box<[Option<Flying>]>,
    pages: u64,
    most_pages: usize,
}

// SAFETY: what the pointer leads to is this device's alone.
unsafe impl Send for VirtioDisk {}

impl VirtioDisk {
    /// Sets the device up. Its registers are mapped.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn new(at: DeviceFunction) -> Result<Self, &'static str> {
        pci::switch_on(at);
        let mut root = PciRoot::new(ConfigurationPorts);
        let transport = PciTransport::new::<KernelHal, _>(&mut root, at);
        let mut transport = transport.map_err(|_| "has no registers of virtio 1.0")?;
        let features = transport.begin_init(Features::all());
        if features.contains(Features::RO) {
            return Err("is read-only");
        }
        let (pages, most_pages) = shape(&transport, features).ok_or("does not tell its size")?;
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false);
        let mut queue = Box::new(queue.map_err(|_| "has too short a queue")?);
        queue.set_dev_notify(false);
        transport.finish_init();
        let controls = hal::take(1).ok_or("finds no memory left")?;
        let controls = NonNull::new(controls.at.as_mut_ptr()).ok_or("finds no memory left")?;
        let flying = vec![None; MOST_REQUESTS].into_boxed_slice();
        Ok(Self { at, transport, queue, controls, flying, pages, most_pages })
    }

    fn control(&self, number: usize) -> NonNull<Control> {
        // SAFETY: there are so many in the page.
        unsafe { self.controls.add(number) }
    }
}

/// Pages of the device, and of a request.
fn shape(transport: &PciTransport, features: Features) -> Option<(u64, usize)> {
    let word = |at| transport.read_config_space::<u32>(at).ok();
    let sectors = transport.read_consistent(|| {
        let low = transport.read_config_space::<u32>(CAPACITY)?;
        let high = transport.read_config_space::<u32>(CAPACITY + 4)?;
        Ok(u64::from(low) | u64::from(high) << 32)
    });
    let segments = if features.contains(Features::SEG_MAX) { word(SEG_MAX)? } else { 1 };
    Some((sectors.ok()? / u64::from(SECTORS_PER_PAGE), (segments as usize).clamp(1, MOST_PAGES)))
}

impl Device for VirtioDisk {
    type Page = SwapPage;

    fn pages(&self) -> u64 {
        self.pages
    }

    fn most_pages(&self) -> usize {
        self.most_pages
    }

    fn begin(&mut self, request: &Request<'_, SwapPage>) -> Result<Option<Token>, Fault> {
        let free = self.flying.iter().position(Option::is_none);
        let fits = self.queue.available_desc() >= request.pages.len() + BESIDES;
        let Some(number) = free.filter(|_| fits) else { return Ok(None) };
        let kind = if request.direction == Direction::In { READ } else { WRITE };
        let sector = u64::from(request.first) * u64::from(SECTORS_PER_PAGE);
        let control = self.control(number);
        // SAFETY: no request under way uses it.
        unsafe { control.write_volatile(Control { kind, reserved: 0, sector, status: u8::MAX }) };
        let pages = Vec::from_slice(request.pages).map_err(|_| Fault::Failed)?;
        let mut flying = Flying { token: 0, direction: request.direction, pages };
        // SAFETY: the pages stay until the request has ended or the device is stopped, which is what
        // `Device` promises; the control is this request's.
        let added = unsafe { flying.lend(control, |ins, outs| self.queue.add(ins, outs)) };
        flying.token = added.map_err(|_| Fault::Failed)?;
        self.flying[number] = Some(flying);
        if self.queue.should_notify() {
            self.transport.notify(QUEUE);
        }
        Ok(Some(Token(number as u16)))
    }

    fn poll(&mut self) -> Option<(Token, Result<(), Fault>)> {
        let used = self.queue.peek_used()?;
        let is_it = |it: &Option<Flying>| it.as_ref().is_some_and(|it| it.token == used);
        let number = self.flying.iter().position(is_it)?;
        let flying = self.flying[number].take()?;
        let control = self.control(number);
        // SAFETY: the buffers are those that were added for this token.
        let popped =
            unsafe { flying.lend(control, |ins, outs| self.queue.pop_used(used, ins, outs)) };
        // SAFETY: the device has written it and is done with it.
        let status = unsafe { (&raw const (*control.as_ptr()).status).read_volatile() };
        let well = popped.is_ok() && status == STATUS_OK;
        Some((Token(number as u16), if well { Ok(()) } else { Err(Fault::Failed) }))
    }

    fn stop(&mut self) {
        self.transport.set_status(DeviceStatus::empty());
        let reset = |_: &u32| self.transport.get_status() == DeviceStatus::empty();
        let _ = (0..RESET_PATIENCE).find(reset);
        // Even if it has not reset itself, it reaches no memory now.
        pci::take_memory_away(self.at);
    }
}

impl Flying {
    /// Lists the buffers as the crate wants them: those that the device reads, those that it writes.
    ///
    /// # Safety
    /// Control and pages are mapped, and nobody else has a reference to them.
    unsafe fn lend<R>(
        &self,
        control: NonNull<Control>,
        with: impl for<'a> FnOnce(&'a [&'a [u8]], &'a mut [&'a mut [u8]]) -> R,
    ) -> R {
        let control = control.cast::<u8>();
        let mut reads: [&[u8]; MOST_PAGES + BESIDES] = [&[]; MOST_PAGES + BESIDES];
        let mut writes: [&mut [u8]; MOST_PAGES + BESIDES] = core::array::from_fn(|_| &mut [][..]);
        // SAFETY: the part of the control that the device reads.
        reads[0] = unsafe { core::slice::from_raw_parts(control.as_ptr(), HEADER_BYTES) };
        let (mut read, mut written) = (1, 0);
        for page in self.pages.iter().map(|page| page.at.cast::<u8>()) {
            match self.direction {
                Direction::Out => {
                    // SAFETY: the window shows the page.
                    reads[read] = unsafe { core::slice::from_raw_parts(page, PAGE_BYTES) };
                    read += 1;
                }
                Direction::In => {
                    // SAFETY: as above.
                    writes[written] = unsafe { core::slice::from_raw_parts_mut(page, PAGE_BYTES) };
                    written += 1;
                }
            }
        }
        // SAFETY: the byte behind that part.
        let status = unsafe { control.add(HEADER_BYTES) };
        // SAFETY: as above.
        writes[written] = unsafe { core::slice::from_raw_parts_mut(status.as_ptr(), 1) };
        with(&reads[..read], &mut writes[..=written])
    }
}

const _: () = assert!(MOST_PAGES + BESIDES <= DESCRIPTORS);
const _: () = assert!(size_of::<Control>() * MOST_REQUESTS <= PAGE_BYTES);
