//! What each method needs: entries of every root, and what it asks of space, memory and hardware.

use foreign_access::Entry;
use foreign_access::methods::AnyMethod;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Property;
use x86_64::structures::paging::PhysFrame;

use super::reach::{Reach, SlotEntry};
use crate::layout::{ALIAS_SLOT, DIRECT_SLOT, PLACES_SLOT, SELF_SLOT, SLOT_BYTES};
use crate::measure::report::name;

/// Bytes of an entry.
const ENTRY: u64 = 8;

/// What the slots of methods hold in a root while this method is in use.
pub fn own_entries(method: &AnyMethod<'_>, reach: &Reach, root: PhysFrame) -> [SlotEntry; 4] {
    let own = match method {
        AnyMethod::Recursive(method) => method.self_entry(root).1,
        AnyMethod::SpaceSwitch(method) => method.self_entry(root).1,
        AnyMethod::RootArray(method) => method.self_entry(root).1,
        AnyMethod::InContext(method) => method.self_entry(root).1,
        _ => Entry::EMPTY,
    };
    let places = reach.places.map(|(slot, _)| slot);
    let shows_frames = matches!(method, AnyMethod::Mirror(_) | AnyMethod::RootArray(_));
    [
        SlotEntry { slot: SELF_SLOT, entry: own },
        used(ALIAS_SLOT, reach.alias, matches!(method, AnyMethod::Alias(_))),
        used(DIRECT_SLOT, reach.direct, matches!(method, AnyMethod::DirectMap(_))),
        used(PLACES_SLOT, places, shows_frames),
    ]
}

fn used(slot: u16, prepared: Option<SlotEntry>, used: bool) -> SlotEntry {
    prepared.filter(|_| used).unwrap_or(SlotEntry { slot, entry: Entry::EMPTY })
}

/// What a method takes and asks for; how long it kept interrupts off and waited is what was measured.
pub fn property(method: MethodName, reach: &Reach, irq_off_max: u64, latency: u64) -> Property {
    // Places come with a table of 4 KiB for each 2 MiB, which is mapped too.
    let places = reach.bytes + reach.bytes / 512;
    let (virtual_bytes, bytes_per_space) = match method {
        MethodName::PagingOff | MethodName::Hypercall => (0, 0),
        MethodName::TempMap => (4096, 0),
        MethodName::DirectMap | MethodName::Alias => (reach.bytes, 0),
        MethodName::SpaceSwitch | MethodName::SpaceSwitchPcid | MethodName::InContext => {
            (SLOT_BYTES, ENTRY)
        }
        // The self slot and one CPU's foreign slot.
        MethodName::Recursive => (2 * SLOT_BYTES, ENTRY),
        // An entry for each table; a small space has four.
        MethodName::Mirror => (places, 4 * ENTRY),
        MethodName::RootArray => (2 * SLOT_BYTES + places, 2 * ENTRY),
    };
    Property {
        method: name(method.name()),
        virtual_bytes,
        bytes_per_space,
        irqs_off: irq_off_max > 0,
        recursive_format: is_recursive(method),
        above_4gib: method != MethodName::PagingOff,
        irq_off_max,
        context_latency_max: latency,
    }
}

/// Whether a table must be usable one level higher than it stands.
fn is_recursive(method: MethodName) -> bool {
    matches!(
        method,
        MethodName::SpaceSwitch
            | MethodName::SpaceSwitchPcid
            | MethodName::Recursive
            | MethodName::RootArray
            | MethodName::InContext
    )
}
