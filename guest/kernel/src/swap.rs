//! Where evicted pages go: memory, or a disk that carries the swap signature.
//!
//! | module | what |
//! |---|---|
//! | [`prospects`] | before the kernel's own tables are loaded: which disks there may be, and memory for them |
//! | [`faulty`] | swap in memory that fails at random |
//! | [`find`] | which of them carries the signature |
//! | [`disk_swap`] | a disk at work: windows on the pages, checksums meanwhile, messages |
//! | [`virtio`], [`ata`] | drivers behind `loadphys_disk::device::Device` |
//! | [`hal`], [`windows`] | memory that devices reach: physical addresses of what the kernel sees |
//! | [`clock`] | how long a device has been silent |
#![expect(unsafe_code, reason = "copies frames, or has devices move them")]

mod ata;
mod clock;
mod disk_swap;
mod faulty;
mod find;
mod hal;
mod prospects;
mod ram;
mod virtio;
mod windows;

use core::fmt;

use foreign_access::Cpu;
use loadphys_plan::command_line::Plan;
use page_reclaim::{Checksum, DeviceError, Slot, Write};
use spin::Mutex;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

pub use faulty::{Faults, FaultySwap};
pub use find::NoDisk;
pub use prospects::Prospects;
pub use ram::RamSwap;

use crate::copy::Copier;
use crate::firmware::PmTimer;
use crate::window::Window;
use ata::AtaDisk;
use disk_swap::DiskSwap;
use virtio::VirtioDisk;

/// Where evicted pages go. Every CPU has it; a disk is for one at a time.
#[derive(Clone, Copy)]
pub enum Swap {
    /// Memory.
    Ram(RamSwap),
    /// Memory that fails at random.
    Faulty(&'static FaultySwap),
    /// A virtio block device.
    Virtio(&'static Mutex<DiskSwap<VirtioDisk>>),
    /// An ATA disk.
    Ata(&'static Mutex<DiskSwap<AtaDisk>>),
}

impl Swap {
    /// The first disk that carries the signature, for so many slots.
    ///
    /// # Safety
    /// What the prospects name is mapped, and `windows` are the kernel's; this is called once.
    ///
    /// # Errors
    /// [`NoDisk`].
    pub unsafe fn find(
        prospects: Prospects,
        plan: &Plan,
        timer: Option<PmTimer>,
        windows: VirtAddr,
        slots: usize,
    ) -> Result<Self, NoDisk> {
        // SAFETY: the caller's promise.
        unsafe { find::find(prospects, plan, timer, windows, slots) }
    }

    /// What the device has not done as it was asked.
    pub fn faults(&self) -> Faults {
        let failed = |refused| Faults { refused, corrupted: 0 };
        match self {
            Self::Ram(_) => Faults::default(),
            Self::Faulty(faulty) => faulty.faults(),
            Self::Virtio(disk) => failed(disk.lock().failed()),
            Self::Ata(disk) => failed(disk.lock().failed()),
        }
    }

    /// Writes frames to their slots, and says of each how that went.
    ///
    /// # Safety
    /// The frames hold pages of programs.
    #[inline]
    pub unsafe fn write(&mut self, cpu: &impl Cpu, window: &mut Window, writes: &mut [Write]) {
        match self {
            Self::Ram(ram) => {
                let (copier, mut opened) = (Copier::begin(), window.open(cpu));
                for write in writes {
                    // SAFETY: the caller's promise.
                    let page = unsafe { opened.show(write.frame) };
                    write.outcome = Ok(ram.write(&copier, write.slot, page));
                }
            }
            Self::Faulty(faulty) => {
                let (copier, mut opened) = (Copier::begin(), window.open(cpu));
                for write in writes {
                    // SAFETY: the caller's promise.
                    let page = unsafe { opened.show(write.frame) };
                    write.outcome = faulty.write(&copier, write.slot, page);
                }
            }
            // SAFETY: the caller's promise.
            Self::Virtio(disk) => unsafe { disk.lock().write(cpu, writes) },
            // SAFETY: the caller's promise.
            Self::Ata(disk) => unsafe { disk.lock().write(cpu, writes) },
        }
    }

    /// Reads a slot into a frame.
    ///
    /// # Safety
    /// Nobody relies on what the frame holds.
    ///
    /// # Errors
    /// [`DeviceError`].
    #[inline]
    pub unsafe fn read(
        &mut self,
        cpu: &impl Cpu,
        window: &mut Window,
        slot: Slot,
        frame: PhysFrame,
    ) -> Result<Checksum, DeviceError> {
        match self {
            // SAFETY: the caller's promise.
            Self::Ram(ram) => Ok(unsafe {
                window.show(cpu, frame, |page| ram.read(&Copier::begin(), slot, page))
            }),
            // SAFETY: the caller's promise.
            Self::Faulty(faulty) => unsafe {
                window.show(cpu, frame, |page| faulty.read(&Copier::begin(), slot, page))
            },
            // SAFETY: the caller's promise.
            Self::Virtio(disk) => unsafe { disk.lock().read(cpu, slot, frame) },
            // SAFETY: the caller's promise.
            Self::Ata(disk) => unsafe { disk.lock().read(cpu, slot, frame) },
        }
    }
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ram(_) => f.write_str("swap in memory"),
            Self::Faulty(_) => f.write_str("swap in memory that fails at random"),
            Self::Virtio(disk) => f.write_str(disk.lock().name()),
            Self::Ata(disk) => f.write_str(disk.lock().name()),
        }
    }
}
