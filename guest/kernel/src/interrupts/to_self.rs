//! An interrupt that the kernel sends to itself, to see what one finds: which root is loaded when it strikes, what comes
//! of it if whoever it interrupts is preempted, and what becomes of a stray store of its handler.
#![expect(unsafe_code, reason = "writes CR3, stores where it is told to")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foreign_access::Entry;
use x86_64::instructions::tlb;
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::try_store;

/// CR3 as it is when no method is at work.
static HOME: AtomicU64 = AtomicU64::new(0);

/// Whether the handler does what a scheduler does.
static PREEMPTS: AtomicBool = AtomicBool::new(false);

static TAKEN: AtomicU64 = AtomicU64::new(0);
static AWAY: AtomicU64 = AtomicU64::new(0);

/// Where the next one is to store, 0 is nowhere, and what.
static STORE_AT: AtomicU64 = AtomicU64::new(0);
static STORE_WORD: AtomicU64 = AtomicU64::new(0);

/// What came of that: a vector, or one of the two below.
static STORED: AtomicU64 = AtomicU64::new(NOT_YET);
const NOT_YET: u64 = u64::MAX;
const DONE: u64 = u64::MAX - 1;

/// The bits of CR3 that name the root.
const ROOT: u64 = Entry::FRAME_BITS;

/// Begins to count, with the loaded root as home. If it `preempts`, each interrupt ends as one does in which
/// another program ran: the root is loaded that the kernel believes loaded, home.
pub fn watch(preempts: bool) {
    HOME.store(root_register(), Ordering::Relaxed);
    PREEMPTS.store(preempts, Ordering::Relaxed);
    TAKEN.store(0, Ordering::Relaxed);
    AWAY.store(0, Ordering::Relaxed);
}

/// How many were taken since [`watch`].
pub fn count() -> u64 {
    TAKEN.load(Ordering::Relaxed)
}

/// How many of them found another root than home.
pub fn away() -> u64 {
    AWAY.load(Ordering::Relaxed)
}

/// The handler of the next one is to store a word at this address, once; what came of the store before is forgotten.
///
/// # Safety
/// As for [`try_store()`].
pub unsafe fn order_store(address: VirtAddr, word: u64) {
    STORED.store(NOT_YET, Ordering::Relaxed);
    STORE_WORD.store(word, Ordering::Relaxed);
    STORE_AT.store(address.as_u64(), Ordering::Relaxed);
}

/// What came of the store that was ordered; `None` if it has not been tried.
pub fn stored() -> Option<Result<(), u64>> {
    match STORED.load(Ordering::Relaxed) {
        NOT_YET => None,
        DONE => Some(Ok(())),
        vector => Some(Err(vector)),
    }
}

fn store_as_ordered() {
    let at = STORE_AT.swap(0, Ordering::Relaxed);
    if at != 0 {
        let at = VirtAddr::new_truncate(at);
        // What the tables say, and not what was cached before they did.
        tlb::flush(at);
        // SAFETY: who ordered it is ready for it.
        let stored = unsafe { try_store(at, STORE_WORD.load(Ordering::Relaxed)) };
        STORED.store(stored.map_or_else(|vector| vector, |()| DONE), Ordering::Relaxed);
    }
}

/// One was taken.
pub(super) fn taken() {
    store_as_ordered();
    let home = HOME.load(Ordering::Relaxed);
    let away = (root_register() ^ home) & ROOT != 0;
    AWAY.fetch_add(u64::from(away), Ordering::Relaxed);
    TAKEN.fetch_add(1, Ordering::Relaxed);
    if PREEMPTS.load(Ordering::Relaxed) {
        let root = PhysFrame::containing_address(PhysAddr::new(home & ROOT));
        // SAFETY: home has the kernel's half like every root; that whoever is interrupted may need another one is the
        // point, and only who is ready for that asks for it.
        unsafe { Cr3::write_raw(root, (home & !ROOT) as u16) };
    }
}

fn root_register() -> u64 {
    let (root, low) = Cr3::read_raw();
    root.start_address().as_u64() | u64::from(low)
}
