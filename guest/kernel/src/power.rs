//! The end of a boot: the last record, then the machine is told.

use core::fmt::{self, Write};

use loadphys_boot::power::{bochs_shutdown, halt, isa_debug_exit};
use loadphys_plan::command_line::Exit;
use loadphys_plan::exit_code;
use loadphys_plan::records::{End, Record, Sentence};
use spin::Once;

use crate::firmware::PowerOff;
use crate::measure::report;

/// How this boot ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// What the command line asks for.
    pub exit: Exit,
    /// How to power off, if ACPI says.
    pub power_off: Option<PowerOff>,
}

/// Turns of a loop that a machine may take to power off.
const PATIENCE: u32 = 100_000_000;

static ENDING: Once<Ending> = Once::new();

/// Keeps how this boot ends.
pub fn prepare(ending: Ending) {
    ENDING.call_once(|| ending);
}

/// Writes the last record and ends the machine.
pub fn end(ok: bool, reason: fmt::Arguments<'_>) -> ! {
    report::last(&Record::End(End { ok, reason: sentence(reason) }));
    match ENDING.get() {
        Some(Ending { exit: Exit::IsaDebug, .. }) => {
            isa_debug_exit(u32::from(if ok { exit_code::OK } else { exit_code::FAILED }));
        }
        Some(Ending { exit: Exit::Bochs, .. }) => bochs_shutdown(),
        Some(Ending { power_off: Some(power_off), .. }) => {
            power_off.now();
            (0..PATIENCE).for_each(|_| core::hint::spin_loop());
        }
        _ => {}
    }
    crate::console::write_last_words(format_args!(
        "guest: the machine stays on; it is safe to turn it off\n"
    ));
    halt()
}

/// As much of the words as a record holds.
pub fn sentence(words: fmt::Arguments<'_>) -> Sentence {
    struct Cut(Sentence);
    impl Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars().try_for_each(|c| self.0.push(c).map_err(|_| fmt::Error))
        }
    }
    let mut cut = Cut(Sentence::new());
    // Too long is no error: the log line before has all of it.
    let _ = cut.write_fmt(words);
    cut.0
}
