//! Where devices are, as far as the alias must know.
#![expect(unsafe_code, reason = "reads PCI configuration space by ports")]

use loadphys_boot::handoff::Region;
use x86_64::instructions::port::Port;

use crate::nested::alias::Window;
use crate::pci::{self, Place};
use crate::say::say;

/// PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2).
const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;

/// Finds a place for the alias, or says that there is none.
pub fn window(memory: &[Region], width: u32, top: u64) -> Option<Window> {
    let window = taken(memory).ok().and_then(|taken| Window::new(width, top, &taken));
    if window.is_none() {
        say!("no alias: no room between memory, devices and the CPU's last address 2^{width}");
    }
    window
}

/// What devices have, and what the firmware reserved.
fn taken(memory: &[Region]) -> Result<pci::Taken, pci::TooMany> {
    let mut taken = pci::taken(read)?;
    for region in memory.iter().filter(|region| !region.usable) {
        taken.push(region.start..region.end).map_err(|_| pci::TooMany)?;
    }
    Ok(taken)
}

fn read((bus, device, function): Place, register: u8) -> u32 {
    let place = u32::from(bus) << 16 | u32::from(device) << 11 | u32::from(function) << 8;
    // SAFETY: reading configuration space changes nothing; the guest, which shares the ports, does not run yet.
    unsafe {
        Port::<u32>::new(ADDRESS_PORT).write(1 << 31 | place | u32::from(register));
        Port::<u32>::new(DATA_PORT).read()
    }
}
