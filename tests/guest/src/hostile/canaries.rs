//! Pages of this guest that nobody may change: it is never said of them that they are tables, nor that an answer goes there.
#![expect(
    unsafe_code,
    reason = "memory that is touched in no other way, under a name that is known outside"
)]

use core::cell::UnsafeCell;

/// Words of a page.
const WORDS: usize = 512;

/// A page, aligned.
#[repr(C, align(4096))]
pub struct Page(UnsafeCell<[u64; WORDS]>);

// SAFETY: words are touched by volatile loads and stores of 8 bytes, as the hardware would.
unsafe impl Sync for Page {}

/// What a canary holds at an address.
const fn sung(address: u64) -> u64 {
    address ^ 0xca4a_2175_ca4a_2175
}

impl Page {
    /// Zeroes.
    pub const fn zero() -> Self {
        Self(UnsafeCell::new([0; WORDS]))
    }

    /// Its address, which is the physical one too.
    pub fn address(&self) -> u64 {
        self.0.get() as u64
    }

    fn words(&self) -> impl Iterator<Item = *mut u64> {
        (0..WORDS).map(|word| self.0.get().cast::<u64>().wrapping_add(word))
    }

    /// Stores bytes from an offset on.
    pub fn store(&self, offset: u64, bytes: impl Iterator<Item = u8>) {
        for (at, byte) in (self.address() + offset..self.address() + 0x1000).zip(bytes) {
            // SAFETY: a byte of this page.
            unsafe { (at as *mut u8).write_volatile(byte) };
        }
    }

    /// Makes it a canary.
    pub fn fill(&self) {
        // SAFETY: memory of this guest that is used in no other way.
        self.words().for_each(|word| unsafe { word.write_volatile(sung(word as u64)) });
    }

    /// Dies if it was changed.
    pub fn check(&self) {
        for word in self.words() {
            // SAFETY: as in `fill`.
            let found = unsafe { word.read_volatile() };
            assert_eq!(found, sung(word as u64), "the canary at {word:?} was changed");
        }
    }
}

/// Canaries that are looked at from outside too.
#[unsafe(no_mangle)]
pub static HOSTILE_CANARIES: [Page; 2] = [const { Page::zero() }; 2];

/// Fills these.
pub fn fill() {
    HOSTILE_CANARIES.iter().for_each(Page::fill);
}

/// Dies if one of these was changed.
pub fn check() {
    HOSTILE_CANARIES.iter().for_each(Page::check);
}
