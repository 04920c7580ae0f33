//! The methods of `foreign_access` as this kernel can have them.
#![expect(unsafe_code, reason = "vouches for what methods rely on")]

use foreign_access::methods::{Alias, AnyMethod, Hypercall, Recursive};
use heapless::Vec;
use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_plan::command_line::{MethodName, Methods, Plan};

use crate::cpu::Features;
use crate::layout::{ALIAS_SLOT, FOREIGN_SLOTS, MOST_CPUS, SELF_SLOT, slot, slot_base};

/// Where batches are laid out for the stub. It lies in the image, so its physical address is known.
static mut ITEMS: [Item; MOST_ITEMS] =
    [Item { entry: 0, action: 0, found: 0, value: 0 }; MOST_ITEMS];

/// The method of this name, or why this machine cannot have it.
///
/// # Errors
/// What is missing.
pub fn make(name: MethodName, features: &Features) -> Result<AnyMethod<'static>, &'static str> {
    match name {
        MethodName::Recursive => Ok(recursive()),
        MethodName::Hypercall if features.stub.is_none() => Err("no stub below"),
        MethodName::Hypercall => Ok(hypercall()),
        MethodName::Alias => match features.stub {
            None => Err("no stub below"),
            Some(stub) if stub.alias_shift.is_none() => Err("the stub below has no alias"),
            // SAFETY: the alias is mapped in that slot of every root.
            Some(_) => Ok(AnyMethod::Alias(unsafe { Alias::new(slot_base(ALIAS_SLOT)) })),
        },
    }
}

fn hypercall() -> AnyMethod<'static> {
    let items = &raw mut ITEMS;
    // SAFETY: there is a stub; one CPU runs, with one method at a time, so nobody else has them.
    AnyMethod::Hypercall(unsafe { Hypercall::new(&mut *items) })
}

/// The one that needs nothing below.
pub fn recursive() -> AnyMethod<'static> {
    // SAFETY: `roots` puts the self entry into every root; the foreign slots are empty and used
    // by nothing else; entries that lead to tables are made by `page_reclaim`; LA57 is clear.
    AnyMethod::Recursive(unsafe { Recursive::new(slot(SELF_SLOT), slot(FOREIGN_SLOTS), MOST_CPUS) })
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
