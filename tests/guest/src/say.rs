//! Lines on COM1.

use core::fmt::{self, Write};

use loadphys_boot::console::Console;
use spin::Mutex;

/// Writes a line.
#[macro_export]
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

/// See [`say!`](crate::say!).
pub fn line(words: fmt::Arguments<'_>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock();
    // Writing to COM1 cannot fail.
    let _ = writeln!(Console::com1(), "{words}");
}
