//! Entries at real addresses.
#![expect(unsafe_code, reason = "raw memory accesses")]

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::VirtAddr;

use crate::entry::Entry;

/// # Safety
/// The address is mapped and 8-byte aligned.
#[inline]
unsafe fn place<'a>(address: VirtAddr) -> &'a AtomicU64 {
    // SAFETY: mapped and aligned, says the caller; entries are shared with the walker, hence
    // atomic.
    unsafe { AtomicU64::from_ptr(address.as_mut_ptr()) }
}

/// # Safety
/// As [`super::Cpu::load`].
#[inline]
pub unsafe fn load(address: VirtAddr) -> Entry {
    // SAFETY: the caller's duty is the same.
    Entry(unsafe { place(address) }.load(Ordering::Relaxed))
}

/// # Safety
/// As [`super::Cpu::exchange`].
#[inline]
pub unsafe fn exchange(address: VirtAddr, new: Entry) -> Entry {
    // SAFETY: the caller's duty is the same.
    Entry(unsafe { place(address) }.swap(new.0, Ordering::SeqCst))
}

/// # Safety
/// As [`super::Cpu::compare_exchange`].
#[inline]
pub unsafe fn compare_exchange(
    address: VirtAddr,
    expected: Entry,
    new: Entry,
) -> Result<Entry, Entry> {
    // SAFETY: the caller's duty is the same.
    unsafe { place(address) }
        .compare_exchange(expected.0, new.0, Ordering::SeqCst, Ordering::SeqCst)
        .map(Entry)
        .map_err(Entry)
}
