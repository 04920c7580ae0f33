//! The sum by which a page is known again when it comes back from swap.
//!
//! Fletcher's sum in eight lanes, which are two vectors wide: the words of a page fall to lanes 0 to 7, 0 to 7 and so on. Each lane
//! adds up its words, and after every 128 bytes it adds up the sum that it has. So it is noticed if a bit is another, if bytes come
//! from elsewhere, and if words change places, unless they are 64 bytes apart between two such additions. In the end the lanes are
//! turned by different amounts and laid over each other. By vectors it costs three additions for 64 bytes that are copied anyway.

/// Words of a page.
const WORDS: usize = 512;

/// Lanes.
const LANES: usize = 8;

/// Words after which sums are added up.
const BLOCK: usize = 2 * LANES;

/// By how many bits each lane is turned.
const TURNS: [u32; LANES] = [0, 16, 32, 48, 8, 24, 40, 56];

/// The sum of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(pub u64);

impl Checksum {
    /// Adds up a page, word by word.
    pub fn of(page: &[u64; WORDS]) -> Self {
        let mut lanes = [Lane::default(); LANES];
        for block in page.as_chunks::<BLOCK>().0 {
            for (lane, number) in lanes.iter_mut().zip(0..) {
                lane.sum = lane.sum.wrapping_add(block[number]).wrapping_add(block[LANES + number]);
                lane.of_sums = lane.of_sums.wrapping_add(lane.sum);
            }
        }
        let turned = lanes.iter().zip(TURNS).map(|(lane, turn)| lane.both().rotate_left(turn));
        Self(turned.fold(0, |all, lane| all ^ lane))
    }
}

/// Every eighth word.
#[derive(Clone, Copy, Default)]
struct Lane {
    /// Of its words.
    sum: u64,
    /// Of the sums that it had.
    of_sums: u64,
}

impl Lane {
    const fn both(&self) -> u64 {
        self.sum.wrapping_add(self.of_sums.rotate_left(32))
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
        let bits = (0..WORDS).flat_map(|word| (0..64).map(move |bit| (word, bit)));
        // Miri takes a second for a few; here it is a matter of sums, not of memory.
        for (word, bit) in bits.step_by(if cfg!(miri) { 997 } else { 1 }) {
            bad[word] ^= 1 << bit;
            assert_ne!(Checksum::of(&bad), good, "word {word}, bit {bit}");
            bad[word] ^= 1 << bit;
        }
    }

    #[test]
    fn words_and_sectors_that_change_places_are_noticed() {
        let good = Checksum::of(&page());
        for (one, other) in [(0, 1), (0, 4), (0, 16), (5, 505), (3, 511)] {
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
        // A lane: 0x40 words; sums 2, 4 .. 0x40, which are 0x420, turned by half. Four lanes lay both over each other in each 16
        // bits, 0x0460; the other four are turned by 8 bits more, 0x6004.
        assert_eq!(Checksum::of(&[1; WORDS]), Checksum(0x6464_6464_6464_6464));
    }
}
