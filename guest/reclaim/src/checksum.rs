//! The sum by which a page is known again when it comes back from swap.
//!
//! Fletcher's sum in four lanes: the words of a page fall to lanes 0, 1, 2, 3, 0, 1 and so on; each lane adds
//! up its words, and adds up the sums that it had on the way, so that words which change places are noticed
//! too. Four lanes are the width of one vector, and all that is added to a copy by vectors are two additions for each 32 bytes.
//! In the end the lanes are turned by different amounts and laid over each other.

/// Words of a page.
const WORDS: usize = 512;

/// Lanes.
const LANES: usize = 4;

/// The sum of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(pub u64);

impl Checksum {
    /// Adds up a page, word by word.
    pub fn of(page: &[u64; WORDS]) -> Self {
        let (mut sums, mut sums_of_sums) = ([0_u64; LANES], [0_u64; LANES]);
        for words in page.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                sums[lane] = sums[lane].wrapping_add(words[lane]);
                sums_of_sums[lane] = sums_of_sums[lane].wrapping_add(sums[lane]);
            }
        }
        Self::of_sums(sums, sums_of_sums)
    }

    /// Lays the lanes over each other, each turned by 16 bits more than the one before it.
    fn of_sums(sums: [u64; LANES], sums_of_sums: [u64; LANES]) -> Self {
        let lanes = sums.into_iter().zip(sums_of_sums).zip([0, 16, 32, 48]);
        Self(lanes.fold(0, |all, ((sum, of_sums), turn)| {
            all ^ sum.wrapping_add(of_sums.rotate_left(32)).rotate_left(turn)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Checksum, WORDS};

    /// A page that has no word twice.
    fn page() -> [u64; WORDS] {
        core::array::from_fn(|at| (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn every_bit_counts() {
        let (good, mut bad) = (Checksum::of(&page()), page());
        for (word, bit) in (0..WORDS).flat_map(|word| (0..64).map(move |bit| (word, bit))) {
            bad[word] ^= 1 << bit;
            assert_ne!(Checksum::of(&bad), good, "word {word}, bit {bit}");
            bad[word] ^= 1 << bit;
        }
    }

    #[test]
    fn words_and_sectors_that_change_places_are_noticed() {
        let good = Checksum::of(&page());
        for (one, other) in [(0, 1), (0, 4), (5, 505), (3, 511)] {
            let mut bad = page();
            bad.swap(one, other);
            assert_ne!(Checksum::of(&bad), good, "words {one} and {other}");
        }
        let mut bad = page();
        bad.rotate_left(64);
        assert_ne!(Checksum::of(&bad), good, "sectors");
    }

    #[test]
    fn the_sum_is_what_it_always_was() {
        // Slots of a disk may outlive a build.
        assert_eq!(Checksum::of(&[0; WORDS]), Checksum(0));
        // A lane: 128 words, and 128 * 129 / 2 = 0x2040 turned by half; so 0x80 and 0x2040 meet in every 16 bits.
        assert_eq!(Checksum::of(&[1; WORDS]), Checksum(0x20c0_20c0_20c0_20c0));
    }
}
