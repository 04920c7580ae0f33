//! Nested paging: the guest's memory 1:1 without the stub's, and the alias of its tables; with EPT once for each view.
//!
//! One layout and one loop over levels ([`crate::tree`]) serve two formats of entries, VT-x's and AMD's ([`format`]).

pub mod alias;
pub mod ept;
pub mod format;
pub mod layout;
pub mod npt;
pub mod root_view;
pub mod sizes;
#[cfg(test)]
mod walker;
