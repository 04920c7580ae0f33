//! The calls, as functions.
#![expect(unsafe_code, reason = "the SYSCALL instruction")]

use core::arch::asm;

use loadphys_apps::calls::{Call, Command, Generation};

fn call(call: Call, arguments: [u64; 4]) -> (u64, u64) {
    let (answer, second);
    // SAFETY: SYSCALL clobbers RCX and R11; the kernel touches no memory of the program.
    unsafe {
        asm!("syscall", inlateout("rax") call as u64 => answer, in("rdi") arguments[0],
             in("rsi") arguments[1], inlateout("rdx") arguments[2] => second,
             in("r10") arguments[3], out("rcx") _, out("r11") _, options(nostack));
    }
    (answer, second)
}

/// Sleeps until there is something to do, in some generation.
pub fn wait() -> (Command, Generation) {
    let (command, generation) = call(Call::Wait, [0; 4]);
    let command = Command::from_number(command).unwrap_or(Command::Exit);
    (command, Generation::from_word(generation))
}

/// So many pages held what they should.
pub fn verified(pages: u64) {
    call(Call::Verified, [pages, 0, 0, 0]);
}

/// A word of a page was wrong.
pub fn mismatch(segment: u64, page: u64, found: u64, word: u64) {
    call(Call::Mismatch, [segment, page, found, word]);
}

/// The stub answered ring 3.
pub fn stub_answered(status: u64) {
    call(Call::StubAnswered, [status, 0, 0, 0]);
}

/// The end of the program.
pub fn exit() -> ! {
    loop {
        call(Call::Exit, [0; 4]);
    }
}
