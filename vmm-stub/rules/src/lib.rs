//! Which physical load or store is allowed.
//!
//! The stub touches guest memory only through what this crate hands out: an [`EntryAt`] for one entry, a
//! [`TableAt`] for a frame, a [`MemoryAt`] for an array. None of them can be made anywhere else, so holding
//! one is the proof of the check.
//!
//! There are two rule sets. [`Tables`]: entries of registered table frames can be touched, whole and aligned, and nothing
//! else. [`Typed`]: what is stored is checked too. Both answer the same questions, by the same names where they can.
//!
//! What a call asks for is decoded here too ([`Request`]): from the guest's registers to the answer of the rules all that
//! decides is in this crate, and can be tried with any registers.
//!
//! The crate has no memory of its own: it loads and stores through [`Entries`], so it runs on a host as it does in the stub.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "twins")]
extern crate std;

pub mod typed;

mod allowed;
mod entries;
mod in_order;
mod level;
mod operation;
mod request;
mod tables;
mod twin;
mod unmap;
mod words;

pub use allowed::{EntryAt, MemoryAt, TableAt, WordAt};
pub use entries::{Entries, Found};
pub use in_order::in_order;
pub use level::Level;
pub use operation::{Operation, Wish};
pub use request::Request;
pub use tables::Tables;
#[cfg(feature = "twins")]
pub use twin::{Twin, choose};
pub use typed::Typed;
pub use unmap::Mapping;
