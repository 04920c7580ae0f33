//! Resets of the machine, by the port of the chip set, the keyboard controller or an INIT. That this is the boot after one stands in
//! the memory of the clock, which a reset keeps.
#![expect(unsafe_code, reason = "ports that reset the machine")]

use loadphys_boot::power;
use loadphys_test_guests::{apic, ending};
use x86_64::instructions::port::Port;

use crate::seen;

/// A byte of the clock's memory that no firmware uses, and what stands there after a reset.
const PLACE: u8 = 0x75;
const RESET: u8 = 0xa1;

/// Ends this boot, if a reset was before it; the next one is the first again.
pub fn end_if_reset() {
    let found = memory(None);
    memory(Some(0));
    if found == RESET {
        seen!("came back after the reset");
        ending::end(true);
    }
}

fn memory(new: Option<u8>) -> u8 {
    let mut data = Port::<u8>::new(0x71);
    // SAFETY: a byte that nothing else uses.
    unsafe {
        Port::<u8>::new(0x70).write(PLACE);
        if let Some(new) = new {
            data.write(new);
        }
        Port::<u8>::new(0x70).write(PLACE);
        data.read()
    }
}

/// Resets everything by the chip set.
pub fn by_port() -> ! {
    memory(Some(RESET));
    seen!("reset by port");
    power::reset();
    power::halt()
}

/// The same by an INIT to the boot CPU, which this is.
pub fn by_init() -> ! {
    memory(Some(RESET));
    seen!("reset by an init");
    apic::init(apic::id());
    power::halt()
}

/// The same by the keyboard controller.
pub fn by_keyboard() -> ! {
    memory(Some(RESET));
    seen!("reset by the keyboard controller");
    // SAFETY: nothing of this boot is needed any more.
    unsafe { Port::<u8>::new(0x64).write(0xfe) };
    power::halt()
}
