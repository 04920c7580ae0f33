//! A disk at work.
#![expect(unsafe_code, reason = "shows frames while a device moves them")]

use alloc::format;
use alloc::string::String;
use foreign_access::Cpu;
use heapless::Vec;
use loadphys_disk::device::{Device, Fault};
use loadphys_disk::disk::Disk;
use x86_64::structures::paging::PhysFrame;

use super::clock::SwapClock;
use super::find::NoDisk;
use super::windows::{PageWindows, SwapPage, WINDOWS};
use crate::console::log;
use page_reclaim::{Checksum, DeviceError, Slot, Write};

/// The mistake that tests must find: what a device says of a request is not looked at.
const TRUSTS: bool = cfg!(feature = "broken-trust-disk");

/// Faults that are told.
const MOST_TOLD: u64 = 8;

/// A disk that carries the signature, at work.
pub struct DiskSwap<D: Device<Page = SwapPage>> {
    disk: Disk<D, SwapClock>,
    name: String,
    windows: PageWindows,
    /// Requests that failed.
    failed: u64,
    /// Faults that were told.
    told: u64,
    death_told: bool,
}

impl<D: Device<Page = SwapPage>> DiskSwap<D> {
    /// A disk of this name with room for so many slots, the header among them.
    ///
    /// # Errors
    /// [`NoDisk`] with so much room.
    pub fn new(
        disk: Disk<D, SwapClock>,
        name: String,
        windows: PageWindows,
        slots: usize,
    ) -> Result<Self, NoDisk> {
        let pages = disk.header().pages();
        if slots > pages as usize {
            let wanted = format!("{name} has {pages} pages of swap, {slots} are needed");
            return Err(NoDisk::new(wanted));
        }
        log!("swap: '{}' of {pages} pages on {name}", disk.header().name());
        Ok(Self { disk, name, windows, failed: 0, told: 0, death_told: false })
    }

    /// What people know the disk by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Writes frames to their slots, and says of each how that went.
    ///
    /// # Safety
    /// The frames hold pages of programs.
    pub unsafe fn write(&mut self, cpu: &impl Cpu, writes: &mut [Write]) {
        for writes in writes.chunks_mut(WINDOWS) {
            // SAFETY: the caller's promise.
            unsafe { self.write_shown(cpu, writes) }
        }
    }

    /// # Safety
    /// As for [`DiskSwap::write`].
    unsafe fn write_shown(&mut self, cpu: &impl Cpu, writes: &mut [Write]) {
        let slots: Vec<u32, WINDOWS> = writes.iter().map(|write| write.slot.number()).collect();
        // SAFETY: the caller's promise; the device is done with them before they are hidden.
        let show = |(number, write): (usize, &Write)| unsafe {
            self.windows.show(cpu, number, write.frame)
        };
        let pages: Vec<SwapPage, WINDOWS> = writes.iter().enumerate().map(show).collect();
        let mut outcomes = [Ok(()); WINDOWS];
        let outcomes = &mut outcomes[..writes.len()];
        let meanwhile = || {
            for (write, page) in writes.iter_mut().zip(&pages) {
                // SAFETY: the window shows the page.
                write.outcome = Ok(Checksum::of(unsafe { &*page.at }));
            }
        };
        self.disk.write(&slots, &pages, outcomes, meanwhile);
        for (number, (write, outcome)) in writes.iter_mut().zip(outcomes).enumerate() {
            self.windows.hide(cpu, number);
            if let (Err(fault), false) = (*outcome, TRUSTS) {
                self.tell(write.slot, "written", fault);
                write.outcome = Err(DeviceError);
            }
        }
    }

    /// Reads a slot into a frame.
    ///
    /// # Safety
    /// Nobody relies on what the frame holds.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub unsafe fn read(
        &mut self,
        cpu: &impl Cpu,
        slot: Slot,
        frame: PhysFrame,
    ) -> Result<Checksum, DeviceError> {
        // SAFETY: the caller's promise.
        let page = unsafe { self.windows.show(cpu, 0, frame) };
        let outcome = self.disk.read(slot.number(), page);
        // SAFETY: the window shows the page, and the device is done with it.
        let checksum = Checksum::of(unsafe { &*page.at });
        self.windows.hide(cpu, 0);
        match outcome {
            _ if TRUSTS => Ok(checksum),
            Ok(()) => Ok(checksum),
            Err(fault) => {
                self.tell(slot, "read", fault);
                Err(DeviceError)
            }
        }
    }

    /// Counts what went wrong, and says it as long as that is news.
    fn tell(&mut self, slot: Slot, what: &str, fault: Fault) {
        self.failed += 1;
        let (number, name) = (slot.number(), &self.name);
        match fault {
            Fault::Dead => {}
            Fault::Stuck if core::mem::replace(&mut self.death_told, true) => {}
            Fault::Stuck => {
                log!("swap: {name} does not answer: it counts as dead and is not asked again");
            }
            Fault::Failed | Fault::Beyond => {
                self.told += 1;
                if self.told <= MOST_TOLD {
                    log!("swap: slot {number} of {name} cannot be {what}: {fault}");
                }
            }
        }
    }
}
