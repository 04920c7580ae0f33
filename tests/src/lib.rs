//! A computer for tests: a [`model`] of physical memory, MMUs and stub, and a small [`kernel`] on
//! it that runs the methods and the reclaim logic as the real one does.
//!
//! The model is an adversary. Its TLBs and paging-structure caches keep and use stale entries for
//! as long as the architecture allows, by a seed; a flush that is missing is a [`model::Violation`]
//! sooner or later. Nothing here panics on a violation: it is recorded, so that tests of
//! deliberately broken twins can ask for it.

pub mod flushes;
pub mod hit_rates;
// Miri cannot switch stacks.
#[cfg(not(miri))]
pub mod interleave;
pub mod kernel;
pub mod large;
pub mod model;
pub mod random_work;
pub mod scenario;
