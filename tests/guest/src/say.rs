//! Lines on COM1.

use core::fmt::{self, Write};

use loadphys_boot::console::Console;

/// Writes a line.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}
pub(crate) use say;

/// See [`say!`].
pub fn line(words: fmt::Arguments<'_>) {
    // Writing to COM1 cannot fail.
    let _ = writeln!(Console::com1(), "{words}");
}
