//! Calls of any guest, against what the stub runs: the decoder of registers and the rules.
//!
//! Bytes become a course of calls ([`input`]), which are answered as the stub answers them ([`stub`]), by any rule set
//! ([`rules::Judge`]) over a few frames of memory. A rule set is judged by a [`mod@reference`] that says every status and every
//! word, or by what must hold whatever was called.
#![forbid(unsafe_code)]

pub mod course;
pub mod input;
pub mod memory;
pub mod reference;
pub mod rules;
pub mod stub;

pub use course::Done;

/// One course under each rule set.
///
/// # Panics
/// If a rule set does what it must not.
pub fn all(data: &[u8]) -> Done {
    let mut done = rules::by_tables(data);
    done.add(&rules::by_typed(data, false));
    done.add(&rules::by_typed(data, true));
    done
}
