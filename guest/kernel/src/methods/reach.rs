//! What methods need of the virtual space: prepared at boot for those that are asked for, and put into roots while a method
//! that needs it is in use. No method profits from what another has mapped.

use foreign_access::Entry;
use loadphys_plan::command_line::{MethodName, Plan};
use x86_64::{PhysAddr, VirtAddr};

use crate::cpu::Features;
use crate::early::{KernelMap, TooLittle};
use crate::layout::{ALIAS_SLOT, DIRECT_SLOT, PLACES_SLOT, slot_base};

/// A slot of the root that methods use, and what it holds while one does.
#[derive(Clone, Copy, Debug)]
pub struct SlotEntry {
    /// The slot.
    pub slot: u16,
    /// What leads to its tables.
    pub entry: Entry,
}

/// What is prepared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// The alias.
    pub alias: Option<SlotEntry>,
    /// All physical memory.
    pub direct: Option<SlotEntry>,
    /// Places for frames, and where the first of their entries is.
    pub places: Option<(SlotEntry, VirtAddr)>,
    /// The first window.
    pub windows: Option<VirtAddr>,
    /// Bytes of memory that are reached.
    pub bytes: u64,
}

impl Reach {
    /// Maps what the methods of the plan need and takes it out of the root again.
    ///
    /// # Errors
    /// [`TooLittle`] memory for the tables.
    pub fn prepare(
        map: &mut KernelMap,
        bytes: u64,
        plan: &Plan,
        features: &Features,
    ) -> Result<Self, TooLittle> {
        let asked = super::asked(plan, features);
        let wanted = |names: &[MethodName]| names.iter().any(|name| asked.contains(name));
        let large = features.gigabyte_pages;
        let mut reach = Self { bytes, ..Self::default() };
        let through_alias = wanted(&[MethodName::Alias, MethodName::Gate]);
        if let (Some(base), true) = (super::alias_base(features), through_alias) {
            map.range(slot_base(ALIAS_SLOT), PhysAddr::new(base), bytes, large)?;
            reach.alias = Some(take(map, ALIAS_SLOT));
        }
        if wanted(&[MethodName::DirectMap]) {
            map.range(slot_base(DIRECT_SLOT), PhysAddr::zero(), bytes, large)?;
            reach.direct = Some(take(map, DIRECT_SLOT));
        }
        if wanted(&[MethodName::Mirror, MethodName::RootArray]) {
            let entries = map.places(slot_base(PLACES_SLOT), bytes)?;
            reach.places = Some((take(map, PLACES_SLOT), entries));
        }
        Ok(reach)
    }
}

fn take(map: &mut KernelMap, slot: u16) -> SlotEntry {
    SlotEntry { slot, entry: map.take_slot(slot) }
}
