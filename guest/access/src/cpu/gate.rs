//! The gate: the code that runs in other views than the usual one, where nothing but its page can be executed. So each of its
//! functions enters a view, works, and comes back to the usual one, without a call or a jump out of the page.
//!
//! It has a section of its own, `.gate`, which the kernel's linker script puts into one page and nothing else with it. No other
//! code of an image may hold the bytes of VMFUNC.
//!
//! RDI: operations; RSI: how many, at least one; RDX: where entries appear; ECX: the view. The answer is how many were not
//! done. VMFUNC takes leaf 0, "EPTP switching", in EAX, and the view in ECX (SDM volume 3, "VM Functions").
#![expect(unsafe_code, reason = "code that enters another view")]

use core::arch::naked_asm;

use loadphys_abi::discovery::USUAL_VIEW;
use x86_64::VirtAddr;

use super::Showing;
use crate::methods::self_slot::ADDRESS_BITS;
use crate::operation::{Operation, layout};

const _: () = assert!(USUAL_VIEW == 0);

/// Goes to a view, does the operations as far as the first that differs, and comes back; says how many were done.
///
/// # Safety
/// As for [`super::Cpu::through_view`].
#[inline]
pub unsafe fn pass(view: u32, showing: Showing, operations: &mut [Operation]) -> usize {
    let (first, count) = (operations.as_mut_ptr(), operations.len());
    // SAFETY: the caller's duty is the same.
    let left = unsafe {
        match showing {
            Showing::At(base) => at_distance(first, count, base, view),
            Showing::Below(pages) => below_slot(first, count, pages, view),
        }
    };
    count - left
}

/// A function of the gate. What comes before each operation sees to it that its entry is `at` that address; RSI, RDI, RDX and R8 are
/// kept for it, and R10 from one operation to the next.
macro_rules! passage {
    ($(#[$meta:meta])* $name:ident, first: [$($before:literal,)*], each: [$($address:literal,)*], at: $at:literal, $($operand:tt)*) => {
        $(#[$meta])*
        #[unsafe(naked)]
        #[unsafe(link_section = ".gate")]
        unsafe extern "C" fn $name(first: *mut Operation, count: usize, place: VirtAddr, view: u32) -> usize {
            naked_asm!(
                "xor eax, eax",
                vmfunc!(),
                $($before,)*
                "2:",
                $($address,)*
                "cmp qword ptr [rdi + {action}], {exchange}",
                "jne 5f",
                "mov rax, [rdi + {exchanged}]",
                concat!("xchg [", $at, "], rax"),
                "3:",
                "mov [rdi + {found}], rax",
                "add rdi, {bytes}",
                "dec rsi",
                "jnz 2b",
                "4:",
                "xor ecx, ecx", // the usual view
                "xor eax, eax",
                vmfunc!(),
                "mov rax, rsi",
                "ret",
                "5:",
                "jb 6f",
                "mov rax, [rdi + {expected}]",
                "mov r11, [rdi + {new}]",
                concat!("lock cmpxchg [", $at, "], r11"),
                "je 3b",
                "mov [rdi + {found}], rax",
                "jmp 4b",
                "6:",
                concat!("mov rax, [", $at, "]"),
                "jmp 3b",
                action = const layout::ACTION,
                exchange = const layout::EXCHANGE,
                exchanged = const layout::EXCHANGED,
                expected = const layout::EXPECTED,
                new = const layout::NEW,
                found = const layout::FOUND,
                bytes = const layout::BYTES,
                $($operand)*
            )
        }
    };
}

/// A host has no views.
#[cfg(not(test))]
macro_rules! vmfunc {
    () => {
        "vmfunc"
    };
}
#[cfg(test)]
macro_rules! vmfunc {
    () => {
        "nop"
    };
}

passage! {
    /// [`Showing::At`].
    at_distance,
    first: [],
    each: ["mov r9, [rdi + {physical}]",],
    at: "rdx + r9",
    physical = const layout::PHYSICAL,
}

passage! {
    /// [`Showing::Below`]: see `methods::self_slot` for the address. R10 is the page that was forgotten last.
    below_slot,
    first: [
        "mov r8, {sign}",
        "xor r10d, r10d",
    ],
    each: [
        "mov r9, [rdi + {page_and_level}]",
        // Nine bits a level.
        "mov ecx, r9d",
        "and ecx, 7",
        "lea ecx, [rcx + 8 * rcx]",
        "mov rax, r8",
        "sar rax, cl",
        "and rax, rdx",
        "shl r9, {beyond}",
        "shr r9, {beyond}",
        "shr r9, cl",
        "and r9, -8",
        "or r9, rax",
        "mov rax, r9",
        "and rax, -4096",
        "cmp rax, r10",
        "je 7f",
        "mov r10, rax",
        "invlpg [r9]",
        "7:",
    ],
    at: "r9",
    page_and_level = const layout::PAGE_AND_LEVEL,
    sign = const -1_i64 << ADDRESS_BITS,
    beyond = const u64::BITS - ADDRESS_BITS,
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use x86_64::PhysAddr;
    use x86_64::structures::paging::PhysFrame;
    use x86_64::structures::paging::page_table::PageTableLevel;

    use super::{Operation, Showing, VirtAddr, pass};
    use crate::entry::Entry;
    use crate::operation::{Action, EntryName};

    /// Does the operations on words, the first on the first; says how many were done.
    fn on_words(words: &mut [u64], actions: &[Action]) -> (usize, Vec<u64>) {
        let root = PhysFrame::containing_address(PhysAddr::zero());
        let operation = |(at, action): (usize, &Action)| {
            let name =
                EntryName::at(0x7000 + 8 * at as u64, root, 0x1234_5000, PageTableLevel::One);
            Operation::new(name, *action)
        };
        let mut operations: Vec<_> = actions.iter().enumerate().map(operation).collect();
        let base = VirtAddr::from_ptr(words.as_mut_ptr()) - 0x7000;
        // SAFETY: each entry is one of the words, and a host has no views.
        let done = unsafe { pass(1, Showing::At(base), &mut operations) };
        (done, operations.iter().map(|it| it.found.0).collect())
    }

    fn compare(expected: u64, new: u64) -> Action {
        Action::CompareExchange { expected: Entry(expected), new: Entry(new) }
    }

    #[test]
    fn every_action_is_done_and_what_was_there_is_told() {
        let mut words = [10, 20, 30, 40];
        let actions = [Action::Load, Action::Exchange(Entry(21)), compare(30, 31), Action::Load];
        assert_eq!(on_words(&mut words, &actions), (4, vec![10, 20, 30, 40]));
        assert_eq!(words, [10, 21, 31, 40]);
    }

    #[test]
    fn it_stops_at_what_differs_and_tells_what_was_there() {
        for differs in 0..4 {
            let mut words = [10, 20, 30, 40];
            let mut actions = [compare(10, 1), compare(20, 2), compare(30, 3), compare(40, 4)];
            actions[differs] = compare(99, 98);
            let found: Vec<_> =
                (0..4).map(|at| if at <= differs { 10 * (at as u64 + 1) } else { 0 }).collect();
            assert_eq!(on_words(&mut words, &actions), (differs, found));
            let after = |at| if at < differs { at as u64 + 1 } else { 10 * (at as u64 + 1) };
            assert_eq!(words, [0, 1, 2, 3].map(after));
        }
    }
}
