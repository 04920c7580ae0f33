//! A spin lock that an interrupt handler may take too: interrupts are off while it is held.
#![expect(unsafe_code, reason = "implements a raw lock")]

use core::sync::atomic::{AtomicBool, Ordering};

use lock_api::{GuardNoSend, RawMutex};
use spin::mutex::SpinMutex;
use x86_64::instructions::interrupts;

/// The raw lock. Whether interrupts were on is kept beside it, written by the holder only.
pub struct MaskingLock {
    lock: SpinMutex<()>,
    were_on: AtomicBool,
}

// SAFETY: the inner lock excludes; interrupts are put back by the holder before it lets go.
unsafe impl RawMutex for MaskingLock {
    const INIT: Self = Self { lock: SpinMutex::new(()), were_on: AtomicBool::new(false) };

    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            core::hint::spin_loop();
        }
    }

    fn try_lock(&self) -> bool {
        let were_on = interrupts::are_enabled();
        interrupts::disable();
        let taken = self.lock.try_lock().map(core::mem::forget).is_some();
        if taken {
            self.were_on.store(were_on, Ordering::Relaxed);
        } else if were_on {
            interrupts::enable();
        }
        taken
    }

    unsafe fn unlock(&self) {
        let were_on = self.were_on.load(Ordering::Relaxed);
        // SAFETY: `try_lock` took it and forgot the guard.
        unsafe { self.lock.force_unlock() };
        if were_on {
            interrupts::enable();
        }
    }
}
