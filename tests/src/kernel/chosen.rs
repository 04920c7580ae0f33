//! The methods, set up for this kernel.
#![expect(unsafe_code, reason = "makes methods; no address here is a real one")]

use foreign_access::methods::{
    Alias, AnyMethod, DirectMap, FrameArray, Hypercall, InContext, Mirror, PagingOff, Recursive,
    RootArray, SpaceSwitch, TempMap,
};
use loadphys_abi::batch::Item;

use super::layout::{MOST_CPUS, direct_map, places, windows};
use super::{FOREIGN_SLOTS, SELF_SLOT, alias_window};

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
];

/// The method with this name.
///
/// # Panics
/// If there is none.
pub fn chosen<'a>(name: &str, items: &'a mut [Item]) -> AnyMethod<'a> {
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
