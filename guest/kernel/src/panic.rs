//! The end when the kernel itself is at fault: a report, and a machine that stops.

use core::fmt;
use core::panic::PanicInfo;

use crate::console::write_last_words;
use crate::power;

/// Reports why the kernel cannot go on and ends the machine.
pub fn die(why: fmt::Arguments<'_>) -> ! {
    write_last_words(format_args!("guest: {why}\n"));
    power::end(false, why)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => die(format_args!("panic: {} ({}:{})", info.message(), at.file(), at.line())),
        None => die(format_args!("panic: {}", info.message())),
    }
}
