//! What programs write: a pattern derived from segment, page and generation, so that a page that
//! is stale, lost or somebody else's is told from the right one by every word.

/// 64-bit words in a page.
pub const WORDS: u64 = 512;

/// The segment that all sharers attach.
pub const SHARED_SEGMENT: u64 = 1;

/// The segment of a program's own pages, by its index.
pub const fn private_segment(index: u64) -> u64 {
    SHARED_SEGMENT + 1 + index
}

/// The pattern of one page in one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    first: u64,
}

/// Steps from word to word; odd, so that all words of a page differ.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Pattern {
    /// Of page `page` (below 2^28) of segment `segment` (below 2^16) in a generation (below 2^20).
    pub const fn new(segment: u64, page: u64, generation: u64) -> Self {
        let name = segment << 48 ^ page << 20 ^ generation;
        Self { first: mix(mix(name)) }
    }

    /// The word at this index, 0 to [`WORDS`] - 1.
    pub const fn word(self, index: u64) -> u64 {
        self.first.wrapping_add(index.wrapping_mul(STEP))
    }
}

/// Spreads every bit over all (the finaliser of MurmurHash3 by Austin Appleby, public domain).
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, WORDS};
    use std::collections::HashSet;

    #[test]
    fn no_two_pages_or_generations_share_a_word() {
        let mut seen = HashSet::new();
        for segment in [1, 2, 4097] {
            for page in 0..8 {
                for generation in 0..4 {
                    let pattern = Pattern::new(segment, page, generation);
                    assert!((0..WORDS).all(|word| seen.insert(pattern.word(word))));
                }
            }
        }
        assert!(!seen.contains(&0), "a zeroed page must never pass for a written one");
    }
}
