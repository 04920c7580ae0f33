//! A copy with the checksum of `page_reclaim`, four lanes at a time. The kernel's target has no vectors, so the compiler
//! writes none; hence this assembly. `tests/tests/copies.rs` compiles this file for the host and compares.
#![expect(unsafe_code, reason = "a naked function")]

use core::arch::naked_asm;

/// Words of a page.
type Words = [u64; 512];

/// Which byte goes where when the four lanes are turned left by 0, 16, 32 and 48 bits; bytes of each half count from 0.
static TURNED: [u8; 32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 8, 9, 10, 11, 12, 13, //
    4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 8, 9,
];

/// Copies a page; gives back its checksum.
///
/// # Safety
/// The CPU has AVX2 and its registers may be used: their contents are lost. Both pages are whole and aligned to 32 bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn copy_and_sum(from: *const Words, to: *mut Words) -> u64 {
    naked_asm!(
        // YMM0 has the sums, YMM1 the sums of sums. RAX counts up to 0, from 4 KiB below.
        "vpxor xmm0, xmm0, xmm0",
        "vpxor xmm1, xmm1, xmm1",
        "add rdi, 4096",
        "add rsi, 4096",
        "mov rax, -4096",
        "2:",
        ".irp at, 0,32,64,96,128,160,192,224,256,288,320,352,384,416,448,480",
        "vmovdqa ymm2, [rdi + rax + \\at]",
        "vmovdqa [rsi + rax + \\at], ymm2",
        "vpaddq ymm0, ymm0, ymm2",
        "vpaddq ymm1, ymm1, ymm0",
        ".endr",
        "add rax, 512",
        "jne 2b",
        // Sums of sums turned by half, added; lanes turned, and laid over each other.
        "vpshufd ymm1, ymm1, 0xb1",
        "vpaddq ymm0, ymm0, ymm1",
        "vpshufb ymm0, ymm0, [rip + {turned}]",
        "vextracti128 xmm1, ymm0, 1",
        "vpxor xmm0, xmm0, xmm1",
        "vpshufd xmm1, xmm0, 0x4e",
        "vpxor xmm0, xmm0, xmm1",
        "vmovq rax, xmm0",
        "ret",
        turned = sym TURNED,
    )
}
