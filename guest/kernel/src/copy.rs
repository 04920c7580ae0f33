//! Copies of pages, with their checksums.
//!
//! Where the CPU has AVX2 both are done at once, 64 bytes at a time: two loads, two stores, and three additions. That is fewer
//! instructions than a copy alone takes by `rep movsq`, and the page is read once. Elsewhere it is copied first.
#![expect(unsafe_code, reason = "copies by vectors")]

mod summed;

use page_reclaim::Checksum;

use crate::cpu::Vectors;
use crate::window::{Words, copy};

/// A way to copy, for a run of pages.
#[derive(Debug)]
pub struct Copier(Option<Vectors>);

impl Copier {
    /// The best that this CPU has.
    #[inline]
    pub fn begin() -> Self {
        Self(Vectors::begin())
    }

    /// Copies a page and adds it up.
    #[inline]
    pub fn copy(&self, from: &Words, to: &mut Words) -> Checksum {
        match &self.0 {
            // SAFETY: vectors are usable as long as there is `Vectors`; references to pages are aligned as pages are.
            Some(_) => Checksum(unsafe { summed::copy_and_sum(from, to) }),
            None => {
                copy(from, to);
                Checksum::of(to)
            }
        }
    }
}
