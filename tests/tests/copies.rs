//! The copy that the kernel does by vectors: the same bytes, and the same checksum as word by word.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "calls the kernel's copy")]

#[path = "../../guest/kernel/src/copy/summed.rs"]
mod summed;

use loadphys_tests::model::Random;
use page_reclaim::Checksum;
use proptest::prelude::{any, proptest};
use proptest::prop_assert_eq;

#[derive(Clone)]
#[repr(align(4096))]
struct Page([u64; 512]);

/// The copy of a page, and its checksum; nothing, if this CPU cannot do it.
fn copied(page: &Page) -> Option<(Page, Checksum)> {
    if !std::arch::is_x86_feature_detected!("avx2") {
        println!("skipped: this CPU has no AVX2");
        return None;
    }
    let mut copy = Page([0xbad; 512]);
    // SAFETY: there is AVX2, and pages are whole and aligned.
    let sum = unsafe { summed::copy_and_sum(&raw const page.0, &raw mut copy.0) };
    Some((copy, Checksum(sum)))
}

#[test]
fn every_word_counts_where_it_is() {
    for word in 0..512 {
        let mut page = Page([0; 512]);
        page.0[word] = 0x0123_4567_89ab_cdef;
        if let Some((copy, sum)) = copied(&page) {
            assert_eq!((copy.0, sum), (page.0, Checksum::of(&page.0)), "word {word}");
        }
    }
}

proptest! {
    #[test]
    fn vectors_and_words_agree(seed in any::<u64>()) {
        let random = Random::new(seed);
        let page = Page(std::array::from_fn(|_| {
            (random.below(1 << 32) as u64) << 32 | random.below(1 << 32) as u64
        }));
        if let Some((copy, sum)) = copied(&page) {
            prop_assert_eq!(copy.0, page.0);
            prop_assert_eq!(sum, Checksum::of(&page.0));
        }
    }
}
