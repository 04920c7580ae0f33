//! The only place where the stub touches the guest's memory while the guest runs.
#![expect(unsafe_code, reason = "loads and stores in guest memory that the rules allow")]

use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::counters::Counters;
use loadphys_rules::{EntryAt, MemoryAt, Operation, Wish};

/// The entry itself, to be touched atomically only: the walker and other CPUs write to it too.
fn entry(at: EntryAt) -> &'static AtomicU64 {
    // SAFETY: the rules made `at`, so it is aligned and lies in memory of the guest. The stub maps that memory
    // 1:1 and writable for good, keeps nothing of its own there, and touches it through atomics only.
    unsafe { AtomicU64::from_ptr(at.address() as *mut u64) }
}

/// An array in the guest's memory as words. The guest may change them at any time.
pub fn words(at: MemoryAt) -> &'static [AtomicU64] {
    let words = (at.bytes() / 8) as usize;
    // SAFETY: as in `entry`, for every word.
    unsafe { slice::from_raw_parts(at.address() as *const AtomicU64, words) }
}

/// What was found, and whether it differs from what was expected.
pub struct Found {
    /// What was there.
    pub entry: u64,
    /// Nothing was stored because of it.
    pub differs: bool,
}

/// Does what the rules allowed.
pub fn apply(operation: Operation) -> Found {
    let there = entry(operation.entry());
    let order = Ordering::SeqCst;
    let found = |entry| Found { entry, differs: false };
    match operation.wish() {
        Wish::Load => found(there.load(order)),
        Wish::Exchange(new) => found(there.swap(new, order)),
        Wish::CompareExchange { expected, new } => {
            match there.compare_exchange(expected, new, order, order) {
                Ok(entry) => found(entry),
                Err(entry) => Found { entry, differs: true },
            }
        }
    }
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
