//! The stub's words on COM1; each line begins with `stub: `.

use core::fmt::{self, Write};
use core::hint::spin_loop;
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

/// A CPU is writing a line.
static WRITING: AtomicBool = AtomicBool::new(false);

/// How often it is looked whether the line of another CPU has ended, which takes some ten thousand ticks. One that does not end
/// is of a CPU that was stopped in it, and what this one has to say is more important.
const PATIENCE: usize = 10_000_000;

/// See [`say!`].
pub fn line(words: fmt::Arguments<'_>) {
    let mut patience = 0..PATIENCE;
    while WRITING.swap(true, Ordering::Acquire) && patience.next().is_some() {
        spin_loop();
    }
    write_line(words);
    WRITING.store(false, Ordering::Release);
}

fn write_line(words: fmt::Arguments<'_>) {
    let fresh_line = if SHARED_WITH_GUEST.load(Ordering::Relaxed) { "\n" } else { "" };
    // Writing to COM1 cannot fail.
    let _ = writeln!(Console::com1(), "{fresh_line}stub: {words}");
}
