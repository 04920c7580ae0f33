//! Debian's Linux with a program that tries CPUs, memory and a disk: a kernel that knows nothing of ours, with or without the stub.

use anyhow::Result;

use super::{directory, initial_files, package};
use crate::build;
use crate::foreign::Foreign;
use crate::machines::MachineName;

/// A console that is read, few words on it, and an end if it panics. All else is as it comes, but for clocks.
const LINE: &str = "console=ttyS0 quiet panic=-1";

/// How fast the time-stamp counter runs: Bochs's CPU says 3.5 GHz, and each wait of the kernel's would take as many more
/// instructions.
const ON_BOCHS: &str = "tsc_early_khz=50000";

/// QEMU's clocks run with the host's: where that is busy the kernel finds that a timer does not tick.
const ON_QEMU: &str = "no_timer_check";

/// The modules that disks need, in the places that the package has them in. The program loads them.
const DRIVERS: [&str; 11] = [
    "scsi/scsi_common.ko",
    "scsi/scsi_mod.ko",
    "ata/libata.ko",
    "ata/ata_piix.ko",
    "scsi/sd_mod.ko",
    "virtio/virtio_ring.ko",
    "virtio/virtio.ko",
    "virtio/virtio_pci_modern_dev.ko",
    "virtio/virtio_pci_legacy_dev.ko",
    "virtio/virtio_pci.ko",
    "block/virtio_blk.ko",
];

/// Fetches it unless it is there, and builds the program.
///
/// # Errors
/// Bad input if it cannot be fetched; what is missing.
pub fn check(machine: MachineName) -> Result<Foreign> {
    let directory = directory();
    let kernel = package::kernel(&directory)?;
    let drivers =
        DRIVERS.into_iter().map(|place| kernel.driver(place)).collect::<Result<Vec<_>>>()?;
    let initrd = initial_files(&directory.join("check.cpio"), &build::linux_check()?, &drivers)?;
    let clocks = if machine == MachineName::Bochs { ON_BOCHS } else { ON_QEMU };
    Ok(Foreign { image: kernel.image, line: format!("{LINE} {clocks}"), initrd: Some(initrd) })
}
