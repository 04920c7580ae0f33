//! Nested paging by EPT: the guest's memory 1:1 without the stub's, and the alias of its tables, once for each view.

pub mod alias;
pub mod entry;
pub mod layout;
pub mod root_view;
#[cfg(test)]
mod walker;
