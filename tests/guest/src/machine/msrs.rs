//! Model-specific registers: which are there, what they hold, which values they take.

use loadphys_test_guests::say;

use crate::attempt::{Outcome, read_msr, write_msr};
use crate::seen::Digest;
use crate::{identity, seen};

/// Those that change by themselves: the time stamp, what counts cycles, the timers of the local APIC.
const CHANGE: [u64; 8] = [0x10, 0xe7, 0xe8, 0x6e0, 0x839, 0xc000_00e7, 0xc000_00e8, 0xc000_0104];

/// Those that a stub keeps: whether there is VT-x, VT-x, precise events, processor trace, the debug store; SVM.
const KEPT: [(u64, u64); 7] = [
    (0x3a, 0x3a),
    (0x480, 0x491),
    (0x3f1, 0x3f1),
    (0x560, 0x571),
    (0x600, 0x600),
    (0xc001_0114, 0xc001_0119),
    (0xc001_0130, 0xc001_0131),
];

/// What is read and written here by name.
const PAT: u64 = 0x277;
const MISC_ENABLE: u64 = 0x1a0;
const EFER: u64 = 0xc000_0080;

/// IA32_BIOS_UPDT_TRIG and PATCH_LOADER.
const INTELS_UPDATE: u64 = 0x79;
const AMDS_UPDATE: u64 = 0xc001_0020;

/// EFER.SVME.
const SVME: u64 = 1 << 12;

/// Looks.
pub fn look() {
    read_all();
    PAIRS.iter().for_each(|(number, value)| write_and_back(*number, *value));
    misc_enable();
    let update = if identity::is_intels() { INTELS_UPDATE } else { AMDS_UPDATE };
    seen!("microcode update {}", write_msr(update, 0x1000));
    // Nothing is there; the emulators take it all the same.
    for number in [0x4000_0000, 0xdead_beef] {
        say!("changed: msr {number:x} {} {}", read_msr(number), write_msr(number, 0));
    }
}

fn read_all() {
    let mut digest = Digest::NONE;
    // AMD's third range, which VT-x cannot leave to the guest: on Intel's CPUs nothing is there.
    let third = if identity::is_intels() { 0 } else { 0x2000 };
    let thirds = 0xc001_0000..0xc001_0000 + third;
    for number in (0..0x2000).chain(0xc000_0000..0xc000_2000).chain(thirds) {
        let kept = KEPT.iter().any(|(first, last)| (*first..=*last).contains(&number));
        if kept || CHANGE.contains(&number) {
            continue;
        }
        let outcome = read_msr(number);
        let ours = if number == EFER { SVME } else { 0 };
        digest = digest.with(outcome.number() & !ours);
        if matches!(outcome, Outcome::Done(value) if value & !ours != 0) {
            seen!("msr {number:x} {:x}", outcome.number() & !ours);
        }
    }
    seen!("msrs {:x}", digest.0);
}

/// Values that kernels store, and some that no CPU takes.
const PAIRS: [(u64, u64); 34] = [
    (PAT, 0x0007_0406_0007_0406),
    (PAT, 0x0007_0406_0001_0502),
    (PAT, 0x0007_0406_0007_0408),
    (0x200, 0x1234_5006),
    (0x201, 0xf_fffc_0800),
    (0x200, 0x1234_5003),
    (0x201, 1 << 63),
    (0x250, 0x0606_0606_0606_0000),
    (0x250, 0x0606_0606_0606_0002),
    (0x2ff, 0xc00),
    (0x2ff, 0xc02),
    (0x2ff, 0x1_0c06),
    (0xfe, 0x508),
    (0x174, 8),
    (0x175, 0xffff_8000_1234_5678),
    (0x175, 0x0000_8000_0000_0000),
    (0x176, 0x7fff_ffff_ffff),
    (0xc000_0081, 0x0023_0008_0000_0000),
    (0xc000_0082, 0xffff_8000_0000_1000),
    (0xc000_0082, 0x1234_8000_0000_1000),
    (0xc000_0083, 0x0000_7fff_0000_1000),
    (0xc000_0084, 0x4_7700),
    (0xc000_0100, 0x0000_8000_0000_0000),
    (0xc000_0100, 0x1234),
    (0xc000_0101, 0xffff_8000_0000_0000),
    (0xc000_0102, 0x5678),
    (0xc000_0103, 0xabcd),
    (0x1d9, 2),
    (0x1d9, 1 << 40),
    (0x8b, 0),
    (0x48, 0),
    (0x49, 0),
    (0x17a, 0),
    (0x400, 0),
];

/// Writes, reads back, and puts back what was there.
fn write_and_back(number: u64, value: u64) {
    let Outcome::Done(before) = read_msr(number) else {
        return seen!("msr {number:x} none, {value:x} {}", write_msr(number, value));
    };
    let written = write_msr(number, value);
    let back = read_msr(number);
    // What was there may be what cannot be written.
    let restored = write_msr(number, before);
    seen!("msr {number:x} {value:x} {written} {back} {restored}");
}

/// What the firmware has chosen may be written again, and fast strings may change.
fn misc_enable() {
    let Outcome::Done(now) = read_msr(MISC_ENABLE) else {
        return seen!("misc-enable none");
    };
    let same = write_msr(MISC_ENABLE, now);
    let strings = write_msr(MISC_ENABLE, now ^ 1);
    let kept = read_msr(MISC_ENABLE).number() ^ now;
    seen!("misc-enable {same} {strings} {kept:x} {}", write_msr(MISC_ENABLE, now));
    say!("changed: misc-enable no-execute {}", write_msr(MISC_ENABLE, now ^ 1 << 34));
    let _ = write_msr(MISC_ENABLE, now);
}
