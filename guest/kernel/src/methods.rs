//! The methods of `foreign_access` as this kernel can have them.
#![expect(unsafe_code, reason = "vouches for what methods rely on")]

mod needs;
mod reach;

use foreign_access::cpu::CallInstruction;
use foreign_access::methods::{
    Alias, AnyMethod, Bindings, DirectMap, FrameArray, Gate, Hypercall, InContext, Mirror,
    PagingOff, Recursive, RootArray, RootView, SpaceSwitch, TempMap,
};
use heapless::Vec;
use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::discovery::RuleSet;
use loadphys_plan::command_line::{MethodName, Methods, Plan};
use x86_64::VirtAddr;

use crate::cpu::Features;
use crate::early::WINDOW_TABLE_SLOT;
use crate::layout::{ALIAS_SLOT, DIRECT_SLOT, FOREIGN_SLOTS, MOST_CPUS, PLACES_SLOT};
use crate::layout::{SELF_SLOT, slot, slot_base};

pub use needs::own_entries;
pub use reach::{Reach, SlotEntry};

/// The PCID under which foreign roots are visited; spaces have smaller ones.
pub const VISITS: u16 = 4095;

/// The window that `temp-map` uses on the boot CPU; other CPUs have the next, then come the kernel's own of these.
const TABLE_WINDOW: u64 = 1;

/// Where batches are laid out for the stub and for physical mode. It lies in the image, so its physical address
/// is known.
static mut ITEMS: [[Item; MOST_ITEMS]; MOST_CPUS as usize] =
    [[Item { entry: 0, action: 0, found: 0, value: 0 }; MOST_ITEMS]; MOST_CPUS as usize];

/// What all CPUs know of the stub's views of roots.
static BINDINGS: Bindings = Bindings::none();

/// The window of the kernel on a CPU.
pub const fn kernel_window(cpu: usize) -> u16 {
    // The boot CPU's is before those of methods.
    if cpu == 0 { 0 } else { MOST_CPUS + cpu as u16 }
}

/// The window that a CPU's kernel copies to.
pub const fn copy_window(cpu: usize) -> u16 {
    2 * MOST_CPUS + cpu as u16
}

/// The window of whoever looks on while a method is at work; those of disks come behind it.
pub const ONLOOKER_WINDOW: u16 = 3 * MOST_CPUS;

/// The method of this name for a CPU, which has one method at a time, or why this machine cannot have it.
///
/// # Errors
/// What is missing.
pub fn make(
    name: MethodName,
    cpu: usize,
    features: &Features,
    reach: &Reach,
) -> Result<AnyMethod<'static>, &'static str> {
    // SAFETY: `roots` puts what the method needs into every root before it is used: the self entry, the
    // slots of `reach`; foreign slots are empty and used by nothing else; entries that lead to tables are made
    // by `page_reclaim`; `gate::tell` has told the stub which page is the gate, and `Machine` has the kernel's root
    // adopted; `cpu::set_up_control_registers` has checked how paging is set up. Each CPU has items of its own,
    // and one method at a time, so nobody else has them.
    unsafe {
        let items = &raw mut ITEMS[cpu];
        match name {
            MethodName::DirectMap => {
                Ok(AnyMethod::DirectMap(DirectMap::new(slot_base(DIRECT_SLOT))))
            }
            MethodName::TempMap => Ok(AnyMethod::TempMap(temp_map(reach))),
            MethodName::PagingOff => Ok(AnyMethod::PagingOff(PagingOff::new(&mut *items))),
            MethodName::SpaceSwitch => Ok(space_switch(None)),
            MethodName::SpaceSwitchPcid if !features.pcid => Err("this CPU has no PCIDs"),
            MethodName::SpaceSwitchPcid => Ok(space_switch(Some(VISITS))),
            MethodName::Recursive => Ok(recursive()),
            MethodName::Mirror => Ok(AnyMethod::Mirror(Mirror::new(places(reach)))),
            MethodName::RootArray => {
                let slots = slot(FOREIGN_SLOTS);
                Ok(AnyMethod::RootArray(RootArray::new(places(reach), slot(SELF_SLOT), slots)))
            }
            MethodName::InContext => Ok(AnyMethod::InContext(InContext::new(slot(SELF_SLOT)))),
            MethodName::Hypercall if features.stub.is_none() => Err("no stub below"),
            MethodName::Hypercall => Ok(AnyMethod::Hypercall(calls(&mut *items, features))),
            MethodName::Alias if features.stub.is_none() => Err("no stub below"),
            MethodName::Alias if alias_base(features).is_none() => Err("the stub has no alias"),
            MethodName::Alias => {
                let alias = Alias::new(slot_base(ALIAS_SLOT));
                Ok(AnyMethod::Alias(match features.rules() {
                    RuleSet::Tables => alias,
                    _ => alias.read_only(calls(&mut *items, features)),
                }))
            }
            MethodName::Gate | MethodName::RootView if features.stub.is_none() => {
                Err("no stub below")
            }
            MethodName::Gate | MethodName::RootView
                if CallInstruction::read() == CallInstruction::Vmmcall =>
            {
                Err("AMD's CPUs have no VMFUNC: views cannot be switched without an exit")
            }
            MethodName::Gate if !features.stub.is_some_and(|stub| stub.gate) => {
                Err("the stub has no gate view")
            }
            MethodName::Gate => Ok(AnyMethod::Gate(Gate::new(slot_base(ALIAS_SLOT)))),
            MethodName::RootView if !features.stub.is_some_and(|stub| stub.root_views) => {
                Err("the stub has no views of other roots")
            }
            MethodName::RootView => {
                Ok(AnyMethod::RootView(RootView::new(slot(SELF_SLOT), &BINDINGS)))
            }
        }
    }
}

/// Calls, under which entries are as the stub's rules want them.
///
/// # Safety
/// As for [`Hypercall::new`].
unsafe fn calls<'i>(items: &'i mut [Item], features: &Features) -> Hypercall<'i> {
    // SAFETY: the caller's promise.
    let calls = unsafe { Hypercall::new(items) };
    if features.rules() == RuleSet::TypedPreset { calls.touched() } else { calls }
}

/// The one that needs nothing below.
pub fn recursive() -> AnyMethod<'static> {
    // SAFETY: as in `make`.
    AnyMethod::Recursive(unsafe { Recursive::new(slot(SELF_SLOT), slot(FOREIGN_SLOTS), MOST_CPUS) })
}

fn space_switch(visits: Option<u16>) -> AnyMethod<'static> {
    // SAFETY: as in `make`; spaces have smaller PCIDs.
    AnyMethod::SpaceSwitch(unsafe { SpaceSwitch::new(slot(SELF_SLOT), visits) })
}

fn temp_map(reach: &Reach) -> TempMap {
    let windows = reach.windows.expect("windows are made at boot");
    let entries = windows + 4096 * u64::from(WINDOW_TABLE_SLOT);
    // SAFETY: the table of windows leads to itself in that place, and this window is nobody else's.
    unsafe { TempMap::new(windows + 4096 * TABLE_WINDOW, entries + 8 * TABLE_WINDOW) }
}

fn places(reach: &Reach) -> FrameArray {
    let entries = reach.places.map_or(VirtAddr::zero(), |(_, entries)| entries);
    // SAFETY: `Reach::prepare` has made both for the methods that were asked for.
    unsafe { FrameArray::new(slot_base(PLACES_SLOT), entries) }
}

/// Where the alias begins, guest-physical, if there is one.
pub fn alias_base(features: &Features) -> Option<u64> {
    features.stub.and_then(|stub| stub.alias_base())
}

/// The methods that a plan asks for, by name.
pub fn asked(plan: &Plan, features: &Features) -> Vec<MethodName, 16> {
    match &plan.methods {
        Methods::Auto => Vec::from_iter([best(features)]),
        Methods::All => MethodName::ALL.iter().copied().collect(),
        Methods::Named(names) => names.iter().copied().collect(),
    }
}

/// What `auto` means here: the alias, or calls where there is none, or recursion on bare metal.
pub fn best(features: &Features) -> MethodName {
    match features.stub {
        None => MethodName::Recursive,
        Some(stub) if stub.alias_shift.is_none() => MethodName::Hypercall,
        Some(_) => MethodName::Alias,
    }
}
