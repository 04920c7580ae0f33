//! A disk is written past the page cache, and read again.

use core::ffi::CStr;

use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::{DIRECT, File, READ_WRITE, load_module};
use loadphys_peer_linux::{PAGE_BYTES, report, system};

/// The modules that disks need, each behind those that it needs itself; the initial file system has them.
const MODULES: [&CStr; 11] = [
    c"/scsi_common.ko",
    c"/scsi_mod.ko",
    c"/libata.ko",
    c"/ata_piix.ko",
    c"/sd_mod.ko",
    c"/virtio_ring.ko",
    c"/virtio.ko",
    c"/virtio_pci_modern_dev.ko",
    c"/virtio_pci_legacy_dev.ko",
    c"/virtio_pci.ko",
    c"/virtio_blk.ko",
];

/// The first disk, by the bus that it is on.
const DISKS: [(&CStr, &str); 2] = [(c"/dev/sda", "disk-ata"), (c"/dev/vda", "disk-virtio")];

/// Pages that are written.
const PAGES: usize = 256;

/// A disk is looked for so often, after so many milliseconds each: the kernel finds it in its own time.
const LOOKS: usize = 200;
const PAUSE: usize = 50;

/// A page that can be written past the page cache.
#[repr(align(4096))]
struct Aligned([u8; PAGE_BYTES]);

/// Writes and reads the first disk that there is; says how many pages were right.
pub fn check() -> Result<(), Failure> {
    for module in MODULES {
        load_module(module, c"")?;
    }
    let (disk, name) = find()?;
    for page in 0..PAGES {
        disk.write_at(&page_of(page).0, page * PAGE_BYTES)?;
    }
    disk.sync()?;
    let mut found = Aligned([0; PAGE_BYTES]);
    for page in 0..PAGES {
        let bytes = disk.read_at(&mut found.0, page * PAGE_BYTES)?;
        if bytes != PAGE_BYTES || found.0 != page_of(page).0 {
            return Err(Failure::new(format_args!("page {page} of the disk came back wrong")));
        }
    }
    report::count(name, PAGES as u64);
    Ok(())
}

fn find() -> Result<(File, &'static str), Failure> {
    for _ in 0..LOOKS {
        for (path, name) in DISKS {
            if let Ok(file) = File::open(path, READ_WRITE | DIRECT) {
                return Ok((file, name));
            }
        }
        system::sleep(PAUSE)?;
    }
    Err(Failure::new(format_args!("no disk")))
}

fn page_of(page: usize) -> Aligned {
    let mut bytes = [0; PAGE_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (at * 7 + page * 13 + at / 256) as u8;
    }
    Aligned(bytes)
}
