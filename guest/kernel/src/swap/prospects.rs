//! Which disks there may be, looked for while memory can still be mapped; and memory for them.

use heapless::Vec;
use loadphys_plan::command_line::{Plan, Swap};
use virtio_drivers::transport::pci::bus::DeviceFunction;
use x86_64::PhysAddr;

use super::ata;
use super::hal::MOST_RANGES;
use crate::early::{KernelMap, Range, TooLittle};
use crate::pci;

/// Controllers that are looked at.
pub const MOST_CONTROLLERS: usize = 8;

/// Drives of an IDE controller.
pub const DRIVES: u64 = 4;

/// The vendor of virtio devices, and its block devices: of both kinds, and modern (VIRTIO 1.2, section 4.1.2.1).
const VIRTIO: u16 = 0x1af4;
const BLOCK_DEVICES: [u16; 2] = [0x1001, 0x1042];

/// Mass storage with ATA command ports (PCI Code and ID Assignment, class 01h, subclass 01h).
const IDE: (u8, u8) = (0x01, 0x01);

/// Pages that a virtio disk takes: two for its ring, one for what requests say.
const VIRTIO_PAGES: u64 = 3;

/// Registers larger than this are not a disk's.
const MOST_REGISTER_BYTES: u64 = 1 << 20;

/// Whether a function of this vendor, number and class is wanted.
type IsWanted = fn(u16, u16, (u8, u8)) -> bool;

/// A function that may be a disk or have some.
#[derive(Clone, Copy, Debug)]
pub struct Controller {
    /// Where it is.
    pub at: DeviceFunction,
    /// Its programming interface.
    pub interface: u8,
}

/// What was found.
#[derive(Debug)]
pub struct Prospects {
    /// Of the kind that was asked for.
    pub controllers: Vec<Controller, MOST_CONTROLLERS>,
    /// How many more there are.
    pub left_out: usize,
    /// Memory for them.
    pub memory: Range,
    /// Their registers in memory.
    pub registers: Vec<Range, MOST_RANGES>,
}

impl Prospects {
    /// Looks for controllers of the kind that the plan asks for; `None` if it asks for none.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn look(map: &mut KernelMap, plan: &Plan) -> Result<Option<Self>, TooLittle> {
        let (pages, wanted): (u64, IsWanted) = match plan.swap {
            Swap::Ram => return Ok(None),
            Swap::Virtio => {
                (VIRTIO_PAGES, |vendor, id, _| vendor == VIRTIO && BLOCK_DEVICES.contains(&id))
            }
            Swap::Ata => (DRIVES * ata::MEMORY_PAGES, |_, _, class| class == IDE),
        };
        let (mut controllers, mut left_out) = (Vec::new(), 0);
        for (at, info) in pci::functions() {
            if wanted(info.vendor_id, info.device_id, (info.class, info.subclass)) {
                let controller = Controller { at, interface: info.prog_if };
                left_out += usize::from(controllers.push(controller).is_err());
            }
        }
        // A page for the header that is looked at, and memory for each.
        let memory = map.shared_area((1 + pages * controllers.len() as u64) * 4096)?;
        let registers = registers(map, plan, &controllers)?;
        Ok(Some(Self { controllers, left_out, memory, registers }))
    }
}

/// Maps the registers of virtio disks; IDE controllers are reached by ports.
fn registers(
    map: &mut KernelMap,
    plan: &Plan,
    controllers: &[Controller],
) -> Result<Vec<Range, MOST_RANGES>, TooLittle> {
    let mut ranges = Vec::new();
    for controller in controllers.iter().filter(|_| plan.swap == Swap::Virtio) {
        for (physical, bytes) in pci::memory_bars(controller.at) {
            if bytes <= MOST_REGISTER_BYTES && !ranges.is_full() {
                let physical = PhysAddr::new_truncate(physical);
                let at = map.registers(physical, bytes)?;
                // There was room.
                let _ = ranges.push(Range { physical, at, bytes });
            }
        }
    }
    Ok(ranges)
}
