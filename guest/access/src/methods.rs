//! The methods, one file each, and the one list of them.
//!
//! A method is added by writing its file and one line in the list at the end.

use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::cpu::{Cpu, Paging, Unsupported};
use crate::operation::{Method, Operation, Refusal, Stopped};

mod bindings;
mod frame_array;
mod items;
mod loaded;
mod registration;
pub(crate) mod self_slot;

pub use bindings::Bindings;
pub use frame_array::FrameArray;

/// Declares the methods and the closed enum of them.
macro_rules! methods {
    ($($(#[$doc:meta])* $module:ident: $method:ident $(<$life:lifetime>)? = $name:literal,)*) => {
        $(mod $module;)*
        $(pub use $module::$method;)*

        /// Any of the methods, chosen once when the kernel starts: one match a batch, static
        /// dispatch inside.
        #[derive(Debug)]
        pub enum AnyMethod<'a> { $($(#[$doc])* $method($method $(<$life>)?),)* }

        impl AnyMethod<'_> {
            /// The names of all methods, in the order of the list.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// Its name.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$method(_) => $name,)* }
            }
        }

        #[expect(unsafe_code, reason = "hands on to the methods")]
        // SAFETY: each arm hands everything on to a method that keeps the contract.
        unsafe impl<C: Cpu> Method<C> for AnyMethod<'_> {
            #[inline]
            unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
                match self {
                    // SAFETY: the caller's duty is the same.
                    $(Self::$method(method) => unsafe { method.apply(cpu, operations) },)*
                }
            }

            fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
                match self { $(Self::$method(method) => method.adopt(cpu, table, level),)* }
            }

            fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
                match self { $(Self::$method(method) => method.release(cpu, table),)* }
            }

            fn detach(&mut self, cpu: &C) {
                match self { $(Self::$method(method) => method.detach(cpu),)* }
            }

            fn supports(&self, paging: Paging) -> Result<(), Unsupported> {
                match self { $(Self::$method(method) => Method::<C>::supports(method, paging),)* }
            }
        }
    };
}

methods! {
    /// The self slot for the own space, a slot lent to a foreign root for others.
    recursive: Recursive = "recursive",
    /// All physical memory, mapped at an offset.
    direct_map: DirectMap = "direct-map",
    /// A window that is pointed at the table.
    temp_map: TempMap = "temp-map",
    /// Physical mode.
    paging_off: PagingOff<'a> = "paging-off",
    /// The other root in CR3.
    space_switch: SpaceSwitch = "space-switch",
    /// Every table mapped as an ordinary page too.
    mirror: Mirror = "mirror",
    /// The roots of all spaces, and our self slot.
    root_array: RootArray = "root-array",
    /// In the context of the space itself.
    in_context: InContext = "in-context",
    /// Checked calls of the stub.
    hypercall: Hypercall<'a> = "hypercall",
    /// The stub's alias of registered tables.
    alias: Alias<'a> = "alias",
    /// The alias in a view of its own.
    gate: Gate = "gate",
    /// Views in which the other root stands in the place of ours.
    root_view: RootView<'a> = "root-view",
}
