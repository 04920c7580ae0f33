//! The alias at its own address, and frames that are shown in it.
#![expect(unsafe_code, reason = "tables, and words that other CPUs look at")]

use core::cell::UnsafeCell;

use crate::calls;

#[repr(C, align(4096))]
struct Frame(UnsafeCell<[u64; 512]>);

// SAFETY: words are touched by volatile loads and stores of 8 bytes, as the hardware would.
unsafe impl Sync for Frame {}

static POINTERS: Frame = Frame(UnsafeCell::new([0; 512]));

/// Frames that become tables, one for each CPU.
static FRAMES: [Frame; 4] = [const { Frame(UnsafeCell::new([0; 512])) }; 4];

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

/// Maps the first GiB of the alias at its own address, for all CPUs.
pub fn map() {
    const PRESENT_WRITABLE: u64 = 0b11;
    const LARGE: u64 = 1 << 7;
    let alias = calls::alias();
    let (pointers, root) = (POINTERS.0.get().cast::<u64>(), (&raw mut boot_root).cast::<u64>());
    // SAFETY: the tables are this guest's, and nothing was mapped there.
    unsafe {
        let entry = alias | PRESENT_WRITABLE | LARGE;
        pointers.add((alias >> 30 & 511) as usize).write_volatile(entry);
        let entry = pointers as u64 | PRESENT_WRITABLE;
        root.add((alias >> 39 & 511) as usize).write_volatile(entry);
    }
}

/// The address of a frame.
pub fn frame(number: usize) -> u64 {
    FRAMES[number].0.get() as u64
}

/// Stores the first word of a frame, not by way of the alias.
pub fn store(number: usize, word: u64) {
    // SAFETY: memory of this guest, which it touches in no other way.
    unsafe { (frame(number) as *mut u64).write_volatile(word) };
}

/// Where the alias shows the first word of a frame.
pub fn shown(number: usize) -> u64 {
    calls::alias() + frame(number)
}
