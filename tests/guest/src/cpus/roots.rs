//! Two roots that map one address to two words, and frames that may be roots.
#![expect(unsafe_code, reason = "tables")]

use core::cell::UnsafeCell;

use loadphys_abi::{Call, Kept, Status};

use loadphys_test_guests::calls;

#[repr(C, align(4096))]
struct Frame(UnsafeCell<[u64; 512]>);

// SAFETY: words are touched by volatile loads and stores of 8 bytes, as the hardware would.
unsafe impl Sync for Frame {}

const fn empty() -> Frame {
    Frame(UnsafeCell::new([0; 512]))
}

/// Roots: the last is a real one, the others are only registered.
static ROOTS: [Frame; 24] = [const { empty() }; 24];
/// For the usual root and for the other: tables of levels 3, 2 and 1, and a page.
static WAYS: [[Frame; 4]; 2] = [const { [const { empty() }; 4] }; 2];

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

/// How many frames there are that may be roots.
pub const COUNT: usize = ROOTS.len();

/// An address that both roots map, to words of their own.
pub const ADDRESS: u64 = SLOT << 39;
const SLOT: u64 = 100;
const PRESENT_WRITABLE: u64 = 0b11;

/// The usual root.
pub fn own() -> u64 {
    (&raw const boot_root) as u64
}

/// A frame that may be a root; the last is one.
pub fn root(number: usize) -> u64 {
    ROOTS[number].0.get() as u64
}

fn store(frame: u64, index: u64, word: u64) {
    // SAFETY: memory of this guest, which it touches in no other way.
    unsafe { ((frame + index * 8) as *mut u64).write_volatile(word) };
}

/// Builds both, with these words at [`ADDRESS`].
pub fn build(words: [u64; 2]) {
    let other = root(COUNT - 1);
    for i in 0..512 {
        // SAFETY: the entry code's root, at its own address.
        let entry = unsafe { ((own() + i * 8) as *const u64).read_volatile() };
        store(other, i, entry);
    }
    for ((root, way), word) in [own(), other].into_iter().zip(&WAYS).zip(words) {
        let [tables @ .., page] = way.each_ref().map(|frame| frame.0.get() as u64);
        let last = tables.into_iter().fold((root, SLOT), |(table, index), next| {
            store(table, index, next | PRESENT_WRITABLE);
            (next, 0)
        });
        store(last.0, last.1, page | PRESENT_WRITABLE);
        store(page, 0, word);
    }
}

/// Registers or releases a root.
pub fn set(root: u64, registered: bool) {
    let (status, _) = match registered {
        true => calls::call(Call::RegisterTable, root, 4, Kept::Calls.number()),
        false => calls::call(Call::ReleaseTable, root, 0, 0),
    };
    assert_eq!(status, Some(Status::Done), "root {root:#x}, registered: {registered}");
}
