//! What is looked at, in order.
#![expect(unsafe_code, reason = "what the entry code passed on")]

use loadphys_boot::handoff::Handoff;

use crate::{
    breakpoints, control, counted, devices, identity, interrupts, msrs, nmis, resets, tasks, x2apic,
};

/// Begins here.
pub extern "C" fn start(loader: u32, info: u32) -> ! {
    // SAFETY: these are the entry code's values, and nothing has been written to what the loader handed over.
    let handoff = unsafe { Handoff::read(loader, info) }.expect("a good handoff");
    interrupts::prepare();
    resets::end_if_reset();
    match handoff.command_line.as_str() {
        line if line.contains("reset=keyboard") => resets::by_keyboard(),
        line if line.contains("reset=init") => resets::by_init(),
        _ => look(),
    }
    resets::by_port()
}

fn look() {
    identity::look();
    control::look();
    msrs::look();
    breakpoints::look();
    nmis::look();
    counted::look();
    tasks::look();
    devices::look();
    x2apic::look();
}
