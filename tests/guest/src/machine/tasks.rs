//! Task switches in 32-bit protected mode, without paging and with two kinds of it: each task notes its registers when it is
//! entered, and in the end the TSSs are looked at.
//!
//! The main task goes to a second one by JMP, CALL, a task gate and INT, to one of 16 bits, and makes mistakes that end in a
//! third one, the handler, by task gates of the IDT.

mod code;
mod memory;

use code::{run, steps};
use memory::{LOG, Root, TSS, tables};

use crate::seen::Digest;
use crate::{identity, seen};

/// CR4 and bits of CR0.
const PSE: u64 = 1 << 4;
const PAE: u64 = 1 << 5;
const PG: u64 = 1 << 31;

/// Words of a record.
const RECORD: usize = 24;

/// Looks.
pub fn look() {
    for (name, cr0, cr4, roots) in [
        ("no paging", 0, 0, [Root::Bits32, Root::Small]),
        ("32-bit paging", PG, PSE, [Root::Bits32, Root::Small]),
        ("pae paging", PG, PAE, [Root::Pae, Root::OtherPae]),
    ] {
        memory::prepare(roots);
        let [first, _] = roots.map(tables);
        // QEMU raises the exceptions of a task that cannot be loaded in one that is neither the old nor the new.
        run(first, cr4, cr0, identity::is_intels());
        tell(name);
    }
}

/// A line for each record, and one for each TSS.
fn tell(name: &str) {
    let words = LOG.words();
    let count = words[0] as usize;
    for (number, record) in words[1..].chunks_exact(RECORD).take(count).enumerate() {
        let digest = Digest::NONE.with_all(record.iter().map(|word| u64::from(*word)));
        let [step, task, eflags] = [record[0], record[6], record[1]];
        seen!("tasks, {name} {number}: step {step} tr {task:x} eflags {eflags:x} {:x}", digest.0);
        if cfg!(feature = "details") {
            seen!("{record:x?}");
        }
    }
    for (tss, what) in TSS.iter().zip(["main", "second", "handler", "16 bits", "without code"]) {
        let digest = Digest::NONE.with_all(tss.words().iter().map(|word| u64::from(*word)));
        seen!("tasks, {name}: {what} {:x}", digest.0);
        if cfg!(feature = "details") {
            seen!("{:x?}", tss.words());
        }
    }
    seen!("tasks, {name}: {:x?}", memory::left_by_small());
    assert_eq!(steps(), code::STEPS, "every step was done");
}
