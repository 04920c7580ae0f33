//! The first program of a Linux: it tries all CPUs, most of the memory and a disk, says what the kernel's log warns of, and turns the
//! machine off.
//!
//! Each result is a record of a count on the console: what is there, how much was right, and sums over the work, which are the
//! same wherever it is done. Warnings are lines that begin with `kernel warns: `.
#![no_std]
#![no_main]

mod cpus;
mod disk;
mod log;
mod memory;

use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::mount;
use loadphys_peer_linux::{report, system};

loadphys_peer_linux::entry!(run);

/// Does all of it, says how that went, and turns the machine off.
fn run() -> ! {
    let outcome = check();
    report::end(outcome.err());
    system::power_off()
}

fn check() -> Result<(), Failure> {
    mount(c"devtmpfs", c"/dev")?;
    mount(c"proc", c"/proc")?;
    mount(c"sysfs", c"/sys")?;
    cpus::check()?;
    memory::check()?;
    disk::check()?;
    log::tell()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    report::end(Some(Failure::new(format_args!("{info}"))));
    system::power_off()
}
