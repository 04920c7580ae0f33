//! Vector registers: nobody has them but the kernel, while it copies pages.
//!
//! The kernel is compiled without them, and programs have none, so nothing saves them. CR0.TS is set except between
//! [`Vectors::begin`] and the end of that; with it set, whatever touches x87, SSE or AVX state is a #NM (SDM volume 3,
//! section 2.5 "Control Registers"), and ends a program. Interrupts may come in between: no handler uses vectors, and
//! no program runs before the kernel has ended what it does.
#![expect(unsafe_code, reason = "turns vectors on and off")]

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::features::Features;

/// Whether CPUs have AVX2, and are set up for it.
static READY: AtomicBool = AtomicBool::new(false);

/// Sets CR0.TS on this CPU and, where there is AVX2, makes its registers usable by whoever clears that.
pub fn set_up(features: &Features) {
    if features.avx2 {
        // SAFETY: the CPU has XSAVE, since it has AVX2 and Features looks for both; nobody has vector state to lose.
        unsafe {
            Cr4::update(|cr4| cr4.insert(Cr4Flags::OSFXSR | Cr4Flags::OSXSAVE));
            XCr0::write(XCr0Flags::X87 | XCr0Flags::SSE | XCr0Flags::AVX);
        }
    }
    READY.store(features.avx2, Ordering::Relaxed);
    // SAFETY: the kernel uses no floating point.
    unsafe { Cr0::update(|cr0| cr0.insert(Cr0Flags::TASK_SWITCHED)) };
}

/// Vector registers, to be used until this is dropped.
#[derive(Debug)]
pub struct Vectors(());

impl Vectors {
    /// Makes them usable, if this CPU has AVX2.
    #[inline]
    pub fn begin() -> Option<Self> {
        if !READY.load(Ordering::Relaxed) {
            return None;
        }
        // SAFETY: nobody relies on CR0.TS meanwhile: no program runs.
        unsafe { asm!("clts", options(nostack, preserves_flags)) };
        Some(Self(()))
    }
}

impl Drop for Vectors {
    /// Takes them away, with all that is in them.
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `begin` has made them usable, and nobody keeps anything in them.
        unsafe {
            asm!("vzeroall", options(nostack, preserves_flags));
            Cr0::update(|cr0| cr0.insert(Cr0Flags::TASK_SWITCHED));
        }
    }
}
