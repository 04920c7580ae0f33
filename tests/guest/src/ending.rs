//! The record that ends a run, as `loadphys_plan` has it.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use loadphys_boot::power;
use loadphys_plan::exit_code;

use crate::{say, team};

static FAILED: AtomicBool = AtomicBool::new(false);

/// What is said now is not to mix with what other CPUs make the stub say: those that ask in time do nothing more.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    FAILED.store(true, Ordering::SeqCst);
    (0..20).for_each(|_| team::pause());
    say!("\n{info}");
    end(false)
}

/// Stops this CPU if another one has failed.
pub fn stop_if_failed() {
    if FAILED.load(Ordering::SeqCst) {
        power::halt();
    }
}

/// Says how it went.
pub fn record(good: bool) {
    let reason = if good { "" } else { "the line above says why" };
    say!("{{\"record\":\"end\",\"ok\":{good},\"reason\":\"{reason}\"}}");
}

/// Says how it went, and ends the machine, be it QEMU or Bochs.
pub fn end(good: bool) -> ! {
    record(good);
    let code = if good { exit_code::OK } else { exit_code::FAILED };
    power::isa_debug_exit(code.into());
    power::bochs_shutdown();
    power::halt()
}
