//! Where a program begins.
#![expect(unsafe_code, reason = "the first instructions of a program")]

use core::arch::naked_asm;

use loadphys_apps::course::Route;
use loadphys_apps::{Program, Start};

use crate::{kernel, run};

/// The kernel enters here with [`Start`] in registers and RSP at the top of the stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "call {begin}", "ud2", begin = sym begin)
}

extern "C" fn begin(
    number: u64,
    index: u64,
    sharers: u64,
    shared_pages: u64,
    private_pages: u64,
    route: u64,
) -> ! {
    let Some(program) = Program::from_number(number) else { kernel::exit() };
    let route = Some(route).filter(|word| *word != 0).and_then(Route::from_word);
    run(&Start { program, index, sharers, shared_pages, private_pages, route })
}
