//! The only place where the stub touches the guest's memory while the guest runs.
#![expect(unsafe_code, reason = "loads and stores in guest memory that the rules allow")]

use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::counters::Counters;
use loadphys_rules::{Entries, EntryAt, MemoryAt, WordAt};

/// The guest's memory.
#[derive(Debug)]
pub struct Guest;

/// The word itself, to be touched atomically only: the walker and other CPUs write to it too.
fn word(address: u64) -> &'static AtomicU64 {
    // SAFETY: the callers have the address from the rules, so it is aligned and lies in memory of the guest. The stub maps
    // that memory 1:1 and writable for good, keeps nothing of its own there, and touches it through atomics only.
    unsafe { AtomicU64::from_ptr(address as *mut u64) }
}

impl Entries for Guest {
    #[inline]
    fn load(&self, at: WordAt) -> u64 {
        word(at.address()).load(Ordering::SeqCst)
    }

    #[inline]
    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        word(at.address()).swap(new, Ordering::SeqCst)
    }

    #[inline]
    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64> {
        word(at.address()).compare_exchange(expected, new, Ordering::SeqCst, Ordering::SeqCst)
    }
}

/// An array in the guest's memory as words. The guest may change them at any time.
pub fn words(at: MemoryAt) -> &'static [AtomicU64] {
    let words = (at.bytes() / 8) as usize;
    if words == 0 {
        // It may begin at address 0, where no slice does.
        return &[];
    }
    // SAFETY: as in `word`, for every word.
    unsafe { slice::from_raw_parts(at.address() as *const AtomicU64, words) }
}

/// Copies the counters to the guest's memory.
pub fn store_counters(at: MemoryAt, counters: &Counters) {
    const WORDS: usize = size_of::<Counters>() / 8;
    // SAFETY: the counters are numbers of 8 bytes and nothing else, so they are so many words.
    let from = unsafe { &*(&raw const *counters).cast::<[u64; WORDS]>() };
    for (to, word) in words(at).iter().zip(from) {
        to.store(*word, Ordering::Relaxed);
    }
}
