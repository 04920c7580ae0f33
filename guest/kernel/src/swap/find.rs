//! Which disk carries the signature: the first that does is taken, the others are named and left alone.
#![expect(unsafe_code, reason = "reads a header that a device has put into memory")]

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

use loadphys_disk::ata::{Absent, Unit};
use loadphys_disk::device::Device;
use loadphys_disk::disk::{Disk, Refused};
use loadphys_disk::header::PageBytes;
use loadphys_plan::command_line::{Plan, Swap as Kind};
use spin::Mutex;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::Swap;
use super::ata::{self, AtaDisk, Channel};
use super::clock::SwapClock;
use super::disk_swap::DiskSwap;
use super::hal::{self, ForDevices};
use super::prospects::{Controller, Prospects};
use super::virtio::VirtioDisk;
use super::windows::{PageWindows, SwapPage};
use crate::console::log;
use crate::early::Range;
use crate::firmware::PmTimer;
use crate::pci::{self, Place};

/// Milliseconds for which a drive may think about what it is.
const IDENTIFY_LIMIT: u64 = 2000;

/// Why there is no disk.
#[derive(Debug)]
pub struct NoDisk(String);

impl fmt::Display for NoDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NoDisk {
    /// With this reason.
    pub fn new(why: String) -> Self {
        Self(why)
    }
}

/// Looks at the disks that there may be.
struct Search {
    header: Range,
    timer: Option<PmTimer>,
    limit: u64,
    /// What is wrong with the disk that was looked at last.
    refused: Option<String>,
}

/// Takes the first disk that carries the signature and has room for so many slots, the header among them.
///
/// # Safety
/// What the prospects name is mapped; this is called once.
///
/// # Errors
/// [`NoDisk`].
pub unsafe fn find(
    prospects: Prospects,
    plan: &Plan,
    timer: Option<PmTimer>,
    windows: VirtAddr,
    slots: usize,
) -> Result<Swap, NoDisk> {
    let Prospects { controllers, left_out, memory, registers } = prospects;
    // SAFETY: the caller's promise.
    unsafe { hal::give(ForDevices { memory, registers, windows }) };
    let header = hal::take(1).expect("there is a page for it");
    let limit = u64::from(plan.swap_timeout) * 1000;
    let mut search = Search { header, timer, limit, refused: None };
    // SAFETY: this is called once.
    let windows = unsafe { PageWindows::new(windows) };
    let found = controllers.iter().find_map(|controller| search.controller(plan.swap, controller));
    match found {
        Some(Found::Virtio(disk, name)) => {
            Ok(Swap::Virtio(leak(DiskSwap::new(*disk, name, windows, slots)?)))
        }
        Some(Found::Ata(disk, name)) => {
            Ok(Swap::Ata(leak(DiskSwap::new(*disk, name, windows, slots)?)))
        }
        None => Err(search.nothing(plan.swap, left_out)),
    }
}

fn leak<T>(value: T) -> &'static Mutex<T> {
    Box::leak(Box::new(Mutex::new(value)))
}

/// A disk that carries the signature, and what it is called.
enum Found {
    Virtio(Box<Disk<VirtioDisk, SwapClock>>, String),
    Ata(Box<Disk<AtaDisk, SwapClock>>, String),
}

impl Search {
    fn controller(&mut self, kind: Kind, controller: &Controller) -> Option<Found> {
        match kind {
            Kind::Ram => None,
            Kind::Virtio => self.virtio(controller),
            Kind::Ata => {
                pci::switch_on(controller.at);
                [0, 1].into_iter().find_map(|channel| self.channel(controller, channel))
            }
        }
    }

    fn virtio(&mut self, controller: &Controller) -> Option<Found> {
        let name = format!("virtio disk at {}", Place(controller.at));
        match VirtioDisk::new(controller.at) {
            Ok(disk) => self.open(disk, &name).map(|disk| Found::Virtio(Box::new(disk), name)),
            Err(why) => self.refuse(&name, &why),
        }
    }

    fn channel(&mut self, controller: &Controller, channel: u8) -> Option<Found> {
        [Unit::Master, Unit::Slave].into_iter().find_map(|unit| {
            let unit_name = if unit == Unit::Master { "master" } else { "slave" };
            let place = format!("ata{channel}-{unit_name} of {}", Place(controller.at));
            let (descriptors, stand_ins) = ata::memory()?;
            let ports = Channel::new(controller.at, controller.interface, channel, descriptors);
            let Some(ports) = ports else {
                return self.refuse(&place, &"cannot be reached by DMA");
            };
            let mut clock = SwapClock::new(self.timer);
            match AtaDisk::find(ports, unit, stand_ins, &mut clock, IDENTIFY_LIMIT) {
                Ok(disk) => {
                    let name = format!("disk '{}' at {place}", disk.model());
                    self.open(disk, &name).map(|disk| Found::Ata(Box::new(disk), name))
                }
                Err(Absent::NoDisk) => None,
                Err(why) => self.refuse(&place, &why),
            }
        })
    }

    /// Reads the header of a disk.
    fn open<D: Device<Page = SwapPage>>(
        &mut self,
        device: D,
        name: &str,
    ) -> Option<Disk<D, SwapClock>> {
        let at = self.header.at.as_mut_ptr();
        let page = SwapPage { frame: PhysFrame::containing_address(self.header.physical), at };
        // SAFETY: the page is mapped, and the device is done with it.
        let bytes = || unsafe { at.cast::<PageBytes>().read_volatile() };
        let clock = SwapClock::new(self.timer);
        match Disk::open(device, clock, self.limit, page, bytes) {
            Ok(disk) => Some(disk),
            Err(Refused::NoHeader(why)) => self.refuse(
                name,
                &format_args!("{why}; `cargo xtask swap-image` makes an image with one"),
            ),
            Err(why) => self.refuse(name, &why),
        }
    }

    fn refuse<T>(&mut self, name: &str, why: &dyn fmt::Display) -> Option<T> {
        let told = format!("{name} {why}");
        log!("swap: {told}");
        self.refused = Some(told);
        None
    }

    fn nothing(self, kind: Kind, left_out: usize) -> NoDisk {
        let found = self.refused.unwrap_or_else(|| format!("there is no {kind} disk"));
        let more = if left_out == 0 { "" } else { "; some controllers were not looked at" };
        NoDisk(format!("swap={kind}: {found}{more}"))
    }
}
