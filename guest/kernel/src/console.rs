//! Log lines on COM1. Records are lines too, see [`crate::measure::report`].

use core::fmt::{self, Write};

use loadphys_boot::console::Console;
use spin::Mutex;

static CONSOLE: Mutex<Console> = Mutex::new(Console::com1());

/// Sets the port up.
pub fn initialise() {
    CONSOLE.lock().initialise();
}

/// Writes without regard to other writers: for reports after which nothing comes.
pub fn write_last_words(words: fmt::Arguments<'_>) {
    // A UART cannot fail; there would be nowhere to tell.
    let _ = Console::com1().write_fmt(words);
}

/// Writes whole.
pub fn write(words: fmt::Arguments<'_>) {
    let _ = CONSOLE.lock().write_fmt(words);
}

/// A log line.
macro_rules! log {
    ($($words:tt)*) => {
        $crate::console::write(format_args!("guest: {}\n", format_args!($($words)*)))
    };
}
pub(crate) use log;
