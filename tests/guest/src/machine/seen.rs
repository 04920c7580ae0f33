//! How things that were seen are told: short, and so that a difference can be found.

/// Says what was seen.
#[macro_export]
macro_rules! seen {
    ($($words:tt)*) => { loadphys_test_guests::say!("machine: {}", format_args!($($words)*)) };
}

/// A number that stands for many (FNV-1a).
#[derive(Clone, Copy)]
pub struct Digest(pub u64);

impl Digest {
    /// Of nothing.
    pub const NONE: Self = Self(0xcbf2_9ce4_8422_2325);

    /// With one more number.
    pub const fn with(self, number: u64) -> Self {
        let mut digest = self.0;
        let mut byte = 0;
        while byte < 8 {
            digest = (digest ^ (number >> (8 * byte) & 0xff)).wrapping_mul(0x100_0000_01b3);
            byte += 1;
        }
        Self(digest)
    }

    /// With all of these.
    pub fn with_all(self, numbers: impl IntoIterator<Item = u64>) -> Self {
        numbers.into_iter().fold(self, Self::with)
    }
}
