//! The guest as a file, in one of three formats, and what it is handed at its entry.
//!
//! | format | told by | described in |
//! |---|---|---|
//! | PVH | an ELF note | Xen, "x86/HVM direct boot ABI" |
//! | multiboot 1 | a header in the first 8 KiB | "Multiboot Specification", version 0.6.96 |
//! | Linux | `HdrS` in the boot sector | Linux, `Documentation/x86/boot.rst`, "32-bit Boot Protocol" |

pub mod block;
pub mod elf_file;
pub mod handover;
pub mod image;
pub mod linux;
pub mod multiboot1;
pub mod pvh;
pub mod screen;
