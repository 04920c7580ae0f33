//! Where another CPU begins: from real mode, in a page below 1 MiB, to a function on a stack of its own.
//!
//! A CPU that is started (SDM volume 3, section 10.4 "Multiple-Processor (MP) Initialization") begins in real mode at
//! a page whose number is sent to it. What is there, [`trampoline::code`], leads to 64-bit mode under the boot tables, under which
//! the image is at both its places; then the kernel's own root is loaded, whose stacks are mapped nowhere else. One CPU is
//! started at a time, so that there is one [`Start`].
#![expect(unsafe_code, reason = "writes low memory, and the first instructions of a CPU")]

use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_boot::handoff::Handoff;
use loadphys_boot::trampoline;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Real mode reaches what is below.
const REAL_MODE_END: u64 = 1 << 20;

/// What the CPU being started takes.
#[repr(C)]
struct Start {
    root: AtomicU64,
    stack: AtomicU64,
    number: AtomicU64,
    begin: AtomicU64,
}

static START: Start = Start {
    root: AtomicU64::new(0),
    stack: AtomicU64::new(0),
    number: AtomicU64::new(0),
    begin: AtomicU64::new(0),
};

/// The page at which CPUs begin.
#[derive(Clone, Copy, Debug)]
pub struct Trampoline(u64);

impl Trampoline {
    /// Copies the first instructions to the highest usable page that real mode reaches; `None` if there is none.
    ///
    /// # Safety
    /// The identity map is in place, and what the loader left in low memory is no longer needed.
    pub unsafe fn prepare(handoff: &Handoff) -> Option<Self> {
        let last = |start: u64, end: u64| {
            (end.min(REAL_MODE_END) & !(PAGE - 1))
                .checked_sub(PAGE)
                .filter(|p| *p >= start.max(PAGE))
        };
        let page = handoff.usable().filter_map(|r| last(r.start, r.end)).max()?;
        let code = trampoline::code();
        // SAFETY: usable memory, mapped at itself; the kernel grants none below its image to anybody.
        unsafe { code.as_ptr().copy_to(page as *mut u8, code.len()) };
        Some(Self(page))
    }

    /// What the start-up interrupt carries.
    pub const fn vector(self) -> u8 {
        (self.0 / PAGE) as u8
    }

    /// What the next CPU finds: it calls `begin` with its number.
    pub fn set(root: PhysFrame, stack: VirtAddr, number: usize, begin: extern "C" fn(usize) -> !) {
        START.root.store(root.start_address().as_u64(), Ordering::Relaxed);
        START.stack.store(stack.as_u64(), Ordering::Relaxed);
        START.number.store(number as u64, Ordering::Relaxed);
        START.begin.store(begin as *const () as u64, Ordering::Relaxed);
        let top = LANDING.0.as_ptr_range().end.cast_mut().cast();
        // SAFETY: aligned; the words are those of the one CPU that is started now, and the image is mapped in the boot tables.
        unsafe { trampoline::offer(top, land, &START) };
    }
}

/// Where a CPU that is started finds what it calls, and with what: two words that every table maps.
#[repr(align(16))]
struct Landing([AtomicU64; 2]);

static LANDING: Landing = Landing([const { AtomicU64::new(0) }; 2]);

/// Under the boot tables, at the image's high place: loads the kernel's root, and goes on with the stack that is mapped there.
#[unsafe(naked)]
extern "C" fn land(_: &'static Start) -> ! {
    naked_asm!(
        "mov rcx, [rdi]",
        "mov rsp, [rdi + {stack}]",
        "mov rax, [rdi + {begin}]",
        "mov rdi, [rdi + {number}]",
        "mov cr3, rcx",
        "xor ebp, ebp",
        "call rax",
        "ud2",
        stack = const offset_of!(Start, stack),
        begin = const offset_of!(Start, begin),
        number = const offset_of!(Start, number),
    )
}

const _: () = assert!(offset_of!(Start, root) == 0);
