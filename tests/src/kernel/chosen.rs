//! The methods, set up for this kernel.
#![expect(unsafe_code, reason = "makes methods; no address here is a real one")]

use foreign_access::methods::{Alias, AnyMethod, Hypercall, Recursive};
use loadphys_abi::batch::Item;

use super::{CPUS, FOREIGN_SLOTS, SELF_SLOT, alias_window};

/// The method with this name.
///
/// # Panics
/// If there is none.
pub fn chosen<'a>(name: &str, items: &'a mut [Item]) -> AnyMethod<'a> {
    // SAFETY: `fill_root` gives every root its self entry and leaves the foreign slots empty.
    let recursive = unsafe { Recursive::new(SELF_SLOT, FOREIGN_SLOTS, CPUS as u16) };
    // SAFETY: the model has a stub, and takes items where they are.
    let hypercall = unsafe { Hypercall::new(items) };
    // SAFETY: `fill_root` maps the alias there.
    let alias = unsafe { Alias::new(alias_window()) };
    let all =
        [AnyMethod::Recursive(recursive), AnyMethod::Hypercall(hypercall), AnyMethod::Alias(alias)];
    let found = all.into_iter().find(|method| method.name() == name);
    found.unwrap_or_else(|| panic!("{name} is not set up here"))
}
