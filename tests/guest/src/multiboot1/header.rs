//! What tells a loader that this is a kernel for multiboot 1 ("Multiboot Specification", version 0.6.96, section 3.1).
#![expect(unsafe_code, reason = "a place in the file is asked for")]

const MAGIC: u32 = 0x1bad_b002;

/// Modules at whole pages, and word of memory.
const WANTED: u32 = 1 << 0 | 1 << 1;

// SAFETY: the section is made of headers that loaders read; nothing else does.
#[used]
#[unsafe(link_section = ".boot.header")]
static HEADER: [u32; 3] = [MAGIC, WANTED, 0_u32.wrapping_sub(MAGIC).wrapping_sub(WANTED)];
