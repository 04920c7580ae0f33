//! The stub's own image in memory, as `link.ld` laid it out, and the stacks of its CPUs.
#![expect(unsafe_code, reason = "symbols that the linker script sets")]

use core::cell::UnsafeCell;
use core::ops::Range;

unsafe extern "C" {
    static stub_start: u8;
    static stub_text_start: u8;
    static stub_rodata_start: u8;
    static stub_data_start: u8;
    static stub_end: u8;
}

/// Where the parts of the image are.
#[derive(Clone, Debug)]
pub struct Image {
    /// All of it.
    pub all: Range<u64>,
    /// Code.
    pub text: Range<u64>,
    /// Constants.
    pub rodata: Range<u64>,
}

/// Where the parts of this image are.
pub fn image() -> Image {
    let [start, text, rodata, data, end] = [
        &raw const stub_start,
        &raw const stub_text_start,
        &raw const stub_rodata_start,
        &raw const stub_data_start,
        &raw const stub_end,
    ]
    .map(|symbol| symbol as u64);
    Image { all: start..end, text: text..rodata, rodata: rodata..data }
}

/// Bytes of the guard below a stack: never mapped.
const GUARD_BYTES: usize = 4096;

/// A stack above a page that is never mapped.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Stack<const BYTES: usize> {
    guard: [u8; GUARD_BYTES],
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: Rust code never touches the bytes; a CPU uses them as its stack.
unsafe impl<const BYTES: usize> Sync for Stack<BYTES> {}

impl<const BYTES: usize> Stack<BYTES> {
    const fn new() -> Self {
        Self { guard: [0; GUARD_BYTES], bytes: UnsafeCell::new([0; BYTES]) }
    }

    /// Where the stack begins: one byte above it.
    pub const fn top(&self) -> *const u8 {
        self.bytes.get().cast::<u8>().wrapping_add(BYTES)
    }

    /// The page that must not be mapped.
    pub fn guard(&self) -> Range<u64> {
        let start = self.guard.as_ptr() as u64;
        start..start + GUARD_BYTES as u64
    }
}

/// Where the stub runs.
pub static STACK: Stack<0x4_0000> = Stack::new();
/// For double faults and machine checks: the stub's stack may be what is broken.
pub static FAULT_STACK: Stack<0x4000> = Stack::new();
/// For NMIs, which may come anywhere.
pub static NMI_STACK: Stack<0x1000> = Stack::new();

/// The pages below the boot CPU's stacks.
pub fn guards() -> [Range<u64>; 3] {
    [STACK.guard(), FAULT_STACK.guard(), NMI_STACK.guard()]
}

/// The stacks of a CPU that is not the boot CPU: the same three. They come from the pool.
#[derive(Debug)]
#[repr(C)]
pub struct Stacks {
    /// Where the stub runs.
    pub run: Stack<0x1_0000>,
    /// For double faults and machine checks.
    pub fault: Stack<0x4000>,
    /// For NMIs.
    pub nmi: Stack<0x1000>,
}

impl Stacks {
    /// The pages below them.
    pub fn guards(&self) -> [Range<u64>; 3] {
        [self.run.guard(), self.fault.guard(), self.nmi.guard()]
    }
}
