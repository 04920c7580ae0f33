//! Edit the page tables of a space that is not loaded.
//!
//! A kernel names entries ([`EntryName`]), says what to do with each ([`Operation`]), and hands a
//! batch of them to a [`Method`]. How the method reaches the entries (a recursive slot lent to a
//! foreign root, a hypercall, an alias of physical memory) is its own affair; what comes back is
//! the same for all.
//!
//! Editing and flushing are separate: no method flushes the TLB entries of the pages whose entries
//! it edits. The caller does so once for a whole batch.
//!
//! Four levels of tables; five (CR4.LA57) are out of scope.
#![no_std]

pub mod cpu;
pub mod entry;
mod fresh;
mod lend;
pub mod methods;
mod operation;
pub mod space;
pub mod walk;

pub use cpu::Cpu;
pub use entry::Entry;
pub use operation::{Action, EntryName, Method, Operation, Refusal, Stopped};
pub use space::ForeignSpace;
