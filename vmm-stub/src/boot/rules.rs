//! The rules that the guest asked for, over the memory that it gets.

use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::Region;
use loadphys_rules::{Tables, Typed};
use spin::Mutex;

use super::memory::{Frames, Memory};
use crate::rules::{Guarded, Rules};

/// The rules with this name, for a processor whose physical addresses have `width` bits. All usable memory is the guest's.
pub fn make(memory: &mut Memory, width: u32, map: &[Region], name: RuleSet) -> Rules {
    let usable = map.iter().filter(|region| region.usable);
    let granted = usable.map(|region| region.start..region.end);
    match &mut memory.frames {
        Frames::Tables(frames) => {
            let tables = Tables::new(frames);
            granted.for_each(|range| tables.grant(range));
            Rules::Tables(tables)
        }
        Frames::Typed(frames) => {
            let preset = name == RuleSet::TypedPreset;
            let mut typed = Typed::new(core::mem::take(frames), width, preset);
            granted.for_each(|range| typed.grant(range));
            Rules::Typed(Mutex::new(Guarded::new(typed, memory.usual)), name)
        }
    }
}
