//! How the stub ends the machine, when it cannot go on.

use core::fmt;
use core::panic::PanicInfo;

use loadphys_boot::power;
use loadphys_plan::command_line::Exit;
use loadphys_plan::exit_code;
use spin::Once;

use crate::say::say;

static EXIT: Once<Exit> = Once::new();

/// Says why, and ends the machine as failed.
macro_rules! fatal {
    ($($words:tt)*) => { $crate::ending::fail(format_args!($($words)*)) };
}
pub(crate) use fatal;

/// Sets the way in which [`fail`] ends the machine.
pub(crate) fn choose(exit: Exit) {
    EXIT.call_once(|| exit);
}

/// See [`fatal!`]. Where the machine has no way to be told, or nothing was chosen, this CPU stops.
pub(crate) fn fail(why: fmt::Arguments<'_>) -> ! {
    say!("{why}");
    match EXIT.get() {
        Some(Exit::IsaDebug) => power::isa_debug_exit(u32::from(exit_code::FAILED)),
        Some(Exit::Bochs) => power::bochs_shutdown(),
        Some(Exit::Acpi) | None => {}
    }
    power::halt()
}

/// Says why, and resets the machine. Where that cannot be done it ends as failed.
pub(crate) fn reset(why: fmt::Arguments<'_>) -> ! {
    /// Turns of a loop that a reset may take.
    const PATIENCE: u32 = 10_000_000;
    say!("{why}");
    power::reset();
    (0..PATIENCE).for_each(|_| core::hint::spin_loop());
    fatal!("the machine does not let itself be reset")
}

/// What a panic of the stub comes to.
pub fn panicked(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => fatal!("panic at {}:{}: {}", at.file(), at.line(), info.message()),
        None => fatal!("panic: {}", info.message()),
    }
}
