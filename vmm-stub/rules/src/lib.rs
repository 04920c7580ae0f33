//! Which physical load or store is allowed.
//!
//! The stub touches guest memory only through what this crate hands out: an [`EntryAt`] for one entry, a
//! [`TableAt`] for a frame, a [`MemoryAt`] for an array. None of them can be made anywhere else, so holding
//! one is the proof of the check.
//!
//! There is one rule set, [`Tables`]: entries of registered table frames can be touched, whole and
//! aligned, and nothing else. A stricter rule set answers the same questions ([`Tables::register`],
//! [`Tables::release`], [`Tables::operation`], [`Tables::memory`]); what it has to say about the value that is
//! stored belongs into `operation`, through which every store passes, alone or in a batch.
//!
//! What a call asks for is decoded here too ([`Request`]): from the guest's registers to the answer of the rules all that
//! decides is in this crate, and can be tried with any registers.
//!
//! The crate never touches the memory it judges, so it runs on a host as it does in the stub.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod level;
mod operation;
mod request;
mod tables;

pub use level::Level;
pub use operation::{Operation, Wish};
pub use request::Request;
pub use tables::{EntryAt, MemoryAt, TableAt, Tables};
