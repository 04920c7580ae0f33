//! The registers of whoever was interrupted, in the order in which [`crate::interrupts`] saves them.

use loadphys_apps::Start;
use loadphys_apps::course::Route;
use loadphys_apps::places::STACK_TOP;
use x86_64::registers::rflags::RFlags;

use crate::cpu::Selectors;
use crate::interrupts::vector;

/// All registers, and why the program came back. Aligned to 16 bytes at both ends, because the
/// CPU aligns RSP before it pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Context {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rbp: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    /// Why the program came back, see [`vector`].
    pub vector: u64,
    /// Error code, 0 where there is none.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const _: () = assert!(size_of::<Context>() == 22 * 8 && size_of::<Context>().is_multiple_of(16));

impl Context {
    /// A program that is still to begin.
    pub fn start(entry: u64, start: &Start) -> Self {
        Self {
            rdi: start.program as u64,
            rsi: start.index,
            rdx: start.sharers,
            rcx: start.shared_pages,
            r8: start.private_pages,
            r9: start.route.map_or(0, Route::word),
            rip: entry,
            cs: u64::from(Selectors::USER_CODE.0),
            rflags: RFlags::INTERRUPT_FLAG.bits(),
            rsp: STACK_TOP,
            ss: u64::from(Selectors::USER_DATA.0),
            // Not by SYSCALL, so by IRET.
            vector: vector::TIMER,
            ..Self::ZERO
        }
    }

    const ZERO: Self = Self {
        rax: 0,
        rbx: 0,
        rcx: 0,
        rdx: 0,
        rsi: 0,
        rdi: 0,
        rbp: 0,
        r8: 0,
        r9: 0,
        r10: 0,
        r11: 0,
        r12: 0,
        r13: 0,
        r14: 0,
        r15: 0,
        vector: 0,
        error: 0,
        rip: 0,
        cs: 0,
        rflags: 0,
        rsp: 0,
        ss: 0,
    };
}
