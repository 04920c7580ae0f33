//! A copy with the checksum of `page_reclaim`, four lanes at a time. The kernel's target has no vectors, so the compiler
//! writes none; hence this assembly. `tests/tests/copies.rs` compiles this file for the host and compares.
#![expect(unsafe_code, reason = "a naked function")]

use core::arch::naked_asm;

/// Words of a page.
type Words = [u64; 512];

/// Which byte goes where when the lanes of the first vector are turned left by 0, 16, 32 and 48 bits; bytes of each half count
/// from 0.
static FIRST_TURNED: [u8; 32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 8, 9, 10, 11, 12, 13, //
    4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 8, 9,
];

/// The same for the second vector: by 8, 24, 40 and 56 bits.
static SECOND_TURNED: [u8; 32] = [
    7, 0, 1, 2, 3, 4, 5, 6, 13, 14, 15, 8, 9, 10, 11, 12, //
    3, 4, 5, 6, 7, 0, 1, 2, 9, 10, 11, 12, 13, 14, 15, 8,
];

/// Copies a page; gives back its checksum.
///
/// # Safety
/// The CPU has AVX2 and its registers may be used: their contents are lost. Both pages are whole and aligned to 32 bytes.
#[unsafe(naked)]
pub unsafe extern "C" fn copy_and_sum(from: *const Words, to: *mut Words) -> u64 {
    naked_asm!(
        // YMM0 and YMM1 have the sums, YMM2 and YMM3 the sums of sums. RAX counts up to 0, from 4 KiB below.
        "vpxor xmm0, xmm0, xmm0",
        "vpxor xmm1, xmm1, xmm1",
        "vpxor xmm2, xmm2, xmm2",
        "vpxor xmm3, xmm3, xmm3",
        "add rdi, 4096",
        "add rsi, 4096",
        "mov rax, -4096",
        "2:",
        ".irp block, 0,128,256,384,512,640,768,896,1024,1152,1280,1408,1536,1664,1792,1920",
        ".irp half, 0,64",
        "vmovdqa ymm4, [rdi + rax + \\block + \\half]",
        "vmovdqa ymm5, [rdi + rax + \\block + \\half + 32]",
        "vmovdqa [rsi + rax + \\block + \\half], ymm4",
        "vmovdqa [rsi + rax + \\block + \\half + 32], ymm5",
        "vpaddq ymm0, ymm0, ymm4",
        "vpaddq ymm1, ymm1, ymm5",
        ".endr",
        "vpaddq ymm2, ymm2, ymm0",
        "vpaddq ymm3, ymm3, ymm1",
        ".endr",
        "add rax, 2048",
        "jne 2b",
        // Sums of sums turned by half, added; lanes turned, and laid over each other.
        "vpshufd ymm2, ymm2, 0xb1",
        "vpshufd ymm3, ymm3, 0xb1",
        "vpaddq ymm0, ymm0, ymm2",
        "vpaddq ymm1, ymm1, ymm3",
        "vpshufb ymm0, ymm0, [rip + {first_turned}]",
        "vpshufb ymm1, ymm1, [rip + {second_turned}]",
        "vpxor ymm0, ymm0, ymm1",
        "vextracti128 xmm1, ymm0, 1",
        "vpxor xmm0, xmm0, xmm1",
        "vpshufd xmm1, xmm0, 0x4e",
        "vpxor xmm0, xmm0, xmm1",
        "vmovq rax, xmm0",
        "ret",
        first_turned = sym FIRST_TURNED,
        second_turned = sym SECOND_TURNED,
    )
}
