//! What each method needs of every root.

use foreign_access::Entry;
use foreign_access::methods::AnyMethod;
use x86_64::structures::paging::PhysFrame;

use super::reach::{Reach, SlotEntry};
use crate::layout::{ALIAS_SLOT, DIRECT_SLOT, PLACES_SLOT, SELF_SLOT};

/// What the slots of methods hold in a root while this method is in use.
pub fn own_entries(method: &AnyMethod<'_>, reach: &Reach, root: PhysFrame) -> [SlotEntry; 4] {
    let own = match method {
        AnyMethod::Recursive(method) => method.self_entry(root).1,
        AnyMethod::SpaceSwitch(method) => method.self_entry(root).1,
        AnyMethod::RootArray(method) => method.self_entry(root).1,
        AnyMethod::InContext(method) => method.self_entry(root).1,
        AnyMethod::RootView(method) => method.self_entry(root).1,
        _ => Entry::EMPTY,
    };
    let places = reach.places.map(|(slot, _)| slot);
    let shows_frames = matches!(method, AnyMethod::Mirror(_) | AnyMethod::RootArray(_));
    [
        SlotEntry { slot: SELF_SLOT, entry: own },
        used(ALIAS_SLOT, reach.alias, matches!(method, AnyMethod::Alias(_) | AnyMethod::Gate(_))),
        used(DIRECT_SLOT, reach.direct, matches!(method, AnyMethod::DirectMap(_))),
        used(PLACES_SLOT, places, shows_frames),
    ]
}

fn used(slot: u16, prepared: Option<SlotEntry>, used: bool) -> SlotEntry {
    prepared.filter(|_| used).unwrap_or(SlotEntry { slot, entry: Entry::EMPTY })
}
