//! The methods, set up for this kernel.
#![expect(unsafe_code, reason = "makes methods; no address here is a real one")]

use foreign_access::Cpu;
use foreign_access::methods::{
    Alias, AnyMethod, Bindings, DirectMap, FrameArray, Gate, Hypercall, InContext, Mirror,
    PagingOff, Recursive, RootArray, RootView, SpaceSwitch, TempMap,
};
use loadphys_abi::batch::Item;
use loadphys_abi::{Call, Kept, Status};

use super::layout::{MOST_CPUS, direct_map, places, windows};
use super::{BOOT_ROOT, FOREIGN_SLOTS, SELF_SLOT, alias_window};
use crate::model::{Model, ModelCpu};

/// A PCID that no space has.
const VISITS: u16 = 4095;

/// The names of all methods, as the guest's command line has them.
pub const METHODS: &[&str] = &[
    "recursive",
    "direct-map",
    "temp-map",
    "paging-off",
    "space-switch",
    "space-switch-pcid",
    "mirror",
    "root-array",
    "in-context",
    "hypercall",
    "alias",
    "gate",
    "root-view",
];

/// Views of roots; so few that some are taken from one pair of roots for another.
const ROOT_VIEWS: usize = 3;

/// A frame that is the kernel's and no table: the gate.
const GATE: u64 = 0;

/// Does at boot what a method with views of its own needs.
pub fn boot_views(model: &Model<'_>, name: &str) {
    let needs = matches!(name, "gate" | "root-view");
    if !needs {
        return;
    }
    model.offer_views(ROOT_VIEWS);
    let call = |call: Call, arguments| {
        // SAFETY: no address is a real one.
        let (status, _) = unsafe { ModelCpu::new(model, 0).vmcall(call.number(), arguments) };
        assert_eq!(Status::from_number(status), Some(Status::Done), "{call:?}");
    };
    call(Call::SetGate, [GATE, 0, 0]);
    if name == "root-view" {
        // The kernel's root is loaded too, and then another stands in its place.
        call(Call::RegisterTable, [BOOT_ROOT.start_address().as_u64(), 4, Kept::Calls.number()]);
    }
}

/// The method with this name; CPUs that use it at once have items each, and the same bindings.
///
/// # Panics
/// If there is none.
pub fn chosen<'a>(name: &str, items: &'a mut [Item], bindings: &'a Bindings) -> AnyMethod<'a> {
    // SAFETY: `fill_root` gives every root its self entry, leaves the foreign slots empty, and maps alias,
    // memory, windows and places; the model has a stub, and takes items where they are.
    unsafe {
        match name {
            "direct-map" => AnyMethod::DirectMap(DirectMap::new(direct_map())),
            "temp-map" => AnyMethod::TempMap(TempMap::new(windows().0, windows().1)),
            "paging-off" => AnyMethod::PagingOff(PagingOff::new(items)),
            "space-switch" => AnyMethod::SpaceSwitch(SpaceSwitch::new(SELF_SLOT, None)),
            "space-switch-pcid" => {
                AnyMethod::SpaceSwitch(SpaceSwitch::new(SELF_SLOT, Some(VISITS)))
            }
            "recursive" => {
                AnyMethod::Recursive(Recursive::new(SELF_SLOT, FOREIGN_SLOTS, MOST_CPUS as u16))
            }
            "mirror" => AnyMethod::Mirror(Mirror::new(array())),
            "root-array" => AnyMethod::RootArray(RootArray::new(array(), SELF_SLOT, FOREIGN_SLOTS)),
            "in-context" => AnyMethod::InContext(InContext::new(SELF_SLOT)),
            "hypercall" => AnyMethod::Hypercall(Hypercall::new(items)),
            "alias" => AnyMethod::Alias(Alias::new(alias_window())),
            "gate" => AnyMethod::Gate(Gate::new(alias_window())),
            "root-view" => AnyMethod::RootView(RootView::new(SELF_SLOT, bindings)),
            other => panic!("{other} is not set up here"),
        }
    }
}

/// The array that shows frames.
fn array() -> FrameArray {
    let (pages, entries) = places();
    // SAFETY: `boot` has built its tables, and `fill_root` maps them in every root.
    unsafe { FrameArray::new(pages, entries) }
}

#[cfg(test)]
mod tests {
    use loadphys_plan::command_line::MethodName;

    #[test]
    fn the_methods_are_those_of_the_guest() {
        let mut names: Vec<_> = MethodName::ALL.iter().map(|method| method.name()).collect();
        let mut ours = super::METHODS.to_vec();
        names.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, names);
    }
}
