//! IA32_APIC_BASE, and the local APIC in x2APIC mode. After this it is not where the rest of this program looks for it.

use loadphys_test_guests::say;
use raw_cpuid::cpuid;

use crate::attempt::{read_msr, write_msr};
use crate::interrupts::{TIMER, halt, ticks};
use crate::{identity, seen};

const BASE: u64 = 0x1b;
const X2APIC: u64 = 1 << 10;

/// Registers in x2APIC mode.
const ID: u64 = 0x802;
const VERSION: u64 = 0x803;
const END_OF_INTERRUPT: u64 = 0x80b;
const SPURIOUS: u64 = 0x80f;
const TIMER_VECTOR: u64 = 0x832;
const INITIAL_COUNT: u64 = 0x838;
const DIVIDE: u64 = 0x83e;

/// Looks.
pub fn look() {
    let now = read_msr(BASE).number();
    seen!("apic base {now:x} {}", write_msr(BASE, now));
    let reserved = [1, 1 << 9, 1 << 60].map(|bit| write_msr(BASE, now | bit).is_done());
    match identity::is_intels() {
        true => seen!("apic base reserved={reserved:?}"),
        // QEMU takes them.
        false => say!("changed: apic base reserved={reserved:?}"),
    }
    let offered = cpuid!(1).ecx & 1 << 21 != 0;
    seen!("x2apic before {} {}", read_msr(ID), write_msr(END_OF_INTERRUPT, 0));
    if !offered {
        return seen!("x2apic none");
    }
    let to = write_msr(BASE, now | X2APIC);
    seen!("x2apic {to} {}", read_msr(BASE));
    seen!("x2apic {} {} {}", read_msr(ID), read_msr(VERSION), read_msr(SPURIOUS));
    timer();
    let back = [now, now & !(X2APIC | 1 << 11) | 1].map(|value| write_msr(BASE, value));
    seen!("x2apic back {back:?} {}", read_msr(BASE));
}

/// One interrupt of the timer by its new registers.
fn timer() {
    let before = ticks();
    let started = [(DIVIDE, 0b1011), (TIMER_VECTOR, TIMER), (INITIAL_COUNT, 20_000)]
        .map(|(number, value)| write_msr(number, value));
    halt();
    let ended = write_msr(END_OF_INTERRUPT, 0);
    seen!("x2apic timer {started:?} {} {ended}", ticks() - before);
}
