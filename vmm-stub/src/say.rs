//! The stub's words on COM1; each line begins with `stub: `.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use loadphys_boot::console::Console;

/// The guest may have left a line unfinished.
static SHARED_WITH_GUEST: AtomicBool = AtomicBool::new(false);

/// Writes a line.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}
pub(crate) use say;

/// Sets up COM1.
pub fn start() {
    Console::com1().initialise();
}

/// From now on the guest uses COM1 too.
pub fn share_with_guest() {
    SHARED_WITH_GUEST.store(true, Ordering::Relaxed);
}

/// See [`say!`].
pub fn line(words: fmt::Arguments<'_>) {
    let fresh_line = if SHARED_WITH_GUEST.load(Ordering::Relaxed) { "\n" } else { "" };
    // Writing to COM1 cannot fail.
    let _ = writeln!(Console::com1(), "{fresh_line}stub: {words}");
}
