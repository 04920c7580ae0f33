//! An interrupt that the kernel sends to itself, to see what one finds: which root is loaded when it strikes, and what comes
//! of it if whoever it interrupts is preempted.
#![expect(unsafe_code, reason = "writes CR3")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foreign_access::Entry;
use x86_64::PhysAddr;
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PhysFrame;

/// CR3 as it is when no method is at work.
static HOME: AtomicU64 = AtomicU64::new(0);

/// Whether the handler does what a scheduler does.
static PREEMPTS: AtomicBool = AtomicBool::new(false);

static TAKEN: AtomicU64 = AtomicU64::new(0);
static AWAY: AtomicU64 = AtomicU64::new(0);

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

/// One was taken.
pub(super) fn taken() {
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
