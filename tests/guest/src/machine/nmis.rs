//! NMIs: one that comes while they are blocked is delivered after the IRET, once, however many came.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_test_guests::apic;
use raw_cpuid::cpuid;

use crate::seen;

/// NMIs that came, and that are to be sent from the handler of the next one.
static CAME: AtomicU64 = AtomicU64::new(0);
static TO_SEND: AtomicU64 = AtomicU64::new(0);
/// How many had come when the handler of the first one was about to end.
static IN_FIRST: AtomicU64 = AtomicU64::new(0);

/// One is here; others are blocked until this comes back.
pub extern "C" fn came() {
    CAME.fetch_add(1, Ordering::SeqCst);
    let to_send = TO_SEND.swap(0, Ordering::SeqCst);
    for _ in 0..to_send {
        apic::nmi(apic::id());
        // Under a stub this makes it run, in vain.
        let _exits = cpuid!(0);
    }
    if to_send > 0 {
        pass_time();
        IN_FIRST.store(CAME.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Enough for an NMI to arrive.
fn pass_time() {
    (0..1000).for_each(|_| core::hint::spin_loop());
}

/// Looks.
pub fn look() {
    for sent in [0, 1, 3] {
        CAME.store(0, Ordering::SeqCst);
        IN_FIRST.store(0, Ordering::SeqCst);
        TO_SEND.store(sent, Ordering::SeqCst);
        apic::nmi(apic::id());
        pass_time();
        let (all, first) = (CAME.load(Ordering::SeqCst), IN_FIRST.load(Ordering::SeqCst));
        seen!("nmi and {sent} while blocked: {all} came, {first} in the first");
    }
}
