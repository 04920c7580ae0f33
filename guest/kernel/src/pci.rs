//! PCI functions: which there are, and their configuration space by ports.
#![expect(unsafe_code, reason = "reads and writes configuration space")]

use core::fmt;

use virtio_drivers::transport::pci::bus::{
    BarInfo, Command, ConfigurationAccess, DeviceFunction, DeviceFunctionInfo, PciRoot,
};
use x86_64::instructions::port::Port;

/// Configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2).
const ADDRESS_PORT: u16 = 0xcf8;
const DATA_PORT: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

/// Configuration space by ports. The boot CPU uses it, one function at a time, before anything else runs.
#[derive(Debug)]
pub struct ConfigurationPorts;

impl ConfigurationPorts {
    fn select(at: DeviceFunction, register: u8) {
        let place = u32::from(at.bus) << 16 | u32::from(at.device) << 11;
        let place = place | u32::from(at.function) << 8 | u32::from(register & !3);
        // SAFETY: this only says which register the other port shows.
        unsafe { Port::<u32>::new(ADDRESS_PORT).write(ENABLE | place) };
    }
}

impl ConfigurationAccess for ConfigurationPorts {
    fn read_word(&self, at: DeviceFunction, register: u8) -> u32 {
        Self::select(at, register);
        // SAFETY: reading configuration space changes nothing.
        unsafe { Port::<u32>::new(DATA_PORT).read() }
    }

    fn write_word(&mut self, at: DeviceFunction, register: u8, value: u32) {
        Self::select(at, register);
        // SAFETY: whoever has the function knows what the register does.
        unsafe { Port::<u32>::new(DATA_PORT).write(value) };
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

/// A function, as people write it: bus, device, function.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub DeviceFunction);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceFunction { bus, device, function } = self.0;
        write!(f, "{bus:02x}:{device:02x}.{function}")
    }
}

/// Every function of the machine.
pub fn functions() -> impl Iterator<Item = (DeviceFunction, DeviceFunctionInfo)> {
    let root = PciRoot::new(ConfigurationPorts);
    (0..=u8::MAX).flat_map(move |bus| root.enumerate_bus(bus).collect::<heapless::Vec<_, 64>>())
}

/// Memory in which a function has registers: where, and how many bytes.
pub fn memory_bars(at: DeviceFunction) -> heapless::Vec<(u64, u64), 6> {
    let bars = PciRoot::new(ConfigurationPorts).bars(at).unwrap_or_default();
    let memory = bars.into_iter().flatten().filter_map(|bar| bar.memory_address_size());
    memory.filter(|(address, _)| *address != 0).collect()
}

/// The port at which a function's registers of this number begin; `None` if it has none there.
pub fn port_bar(at: DeviceFunction, number: u8) -> Option<u16> {
    match PciRoot::new(ConfigurationPorts).bar_info(at, number) {
        Ok(Some(BarInfo::IO { address, .. })) if address != 0 => u16::try_from(address).ok(),
        _ => None,
    }
}

/// Lets a function answer, and move memory by itself; it sends no interrupts.
pub fn switch_on(at: DeviceFunction) {
    let mut root = PciRoot::new(ConfigurationPorts);
    let (_, command) = root.get_status_command(at);
    let on = Command::IO_SPACE | Command::MEMORY_SPACE | Command::BUS_MASTER;
    root.set_command(at, command | on | Command::INTERRUPT_DISABLE);
}

/// Keeps a function from moving memory.
pub fn take_memory_away(at: DeviceFunction) {
    let mut root = PciRoot::new(ConfigurationPorts);
    let (_, command) = root.get_status_command(at);
    root.set_command(at, command & !Command::BUS_MASTER);
}
