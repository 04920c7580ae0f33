//! Records on the console, one JSON object a line.
#![expect(unsafe_code, reason = "a system call")]

use core::fmt::Write;

use crate::counters::counter;
use heapless::Vec;
use loadphys_plan::records::{Count, End, LINE_BYTES, Machine, Name, Record, Sentence};
use raw_cpuid::CpuId;

use crate::failure::Failure;
use crate::files::{File, get};
use crate::system::{Call, call};

/// Where the kernel has opened the console for the first program.
const CONSOLE: usize = 1;

/// Writes a record.
pub fn record(record: &Record) {
    let mut room = [0; LINE_BYTES];
    let used =
        serde_json_core::to_slice(record, &mut room[..LINE_BYTES - 1]).expect("it fits its line");
    room[used] = b'\n';
    write(&room[..=used]);
}

/// Writes a count.
pub fn count(name: &str, count: u64) {
    record(&Record::Count(Count { name: self::name(name), count }));
}

/// Writes a line that is no record.
pub fn line(text: &str) {
    let mut room: Vec<u8, LINE_BYTES> = text.bytes().take(LINE_BYTES - 1).collect();
    // There is room for one more.
    let _ = room.push(b'\n');
    write(&room);
}

/// In one piece, so that no message of the kernel comes between. There is nowhere to say that it failed.
fn write(line: &[u8]) {
    let console = core::mem::ManuallyDrop::new(File(CONSOLE));
    let _ = console.write(line);
}

/// Says that all is done, or why it is not.
pub fn end(failure: Option<Failure>) {
    let ok = failure.is_none();
    let mut reason = Sentence::new();
    if let Some(failure) = failure {
        // A failure has less room than a sentence.
        let _ = write!(reason, "{failure}");
    }
    record(&Record::End(End { ok, reason }));
    drain();
}

/// Waits until the console has said all: what it has not when the machine goes off is lost (`tcdrain(3)`).
fn drain() {
    const TCSBRK: usize = 0x5409;
    const WAIT: usize = 1;
    // SAFETY: the request takes a number. A console that cannot do it has nothing to wait for.
    let _ = unsafe { call(Call::Ioctl, [CONSOLE, TCSBRK, WAIT], "tcdrain") };
}

/// Says what Linux runs on.
pub fn machine() -> Result<(), Failure> {
    let cpuid = CpuId::new();
    let brand = cpuid.get_processor_brand_string();
    let brand = brand.as_ref().map_or("unnamed", |brand| brand.as_str().trim());
    let mut room = [0; 4096];
    let memory = counter(get(c"/proc/meminfo", &mut room)?, "MemTotal:");
    record(&Record::Machine(Machine {
        path: name("bare"),
        cpu: brand.chars().filter(char::is_ascii).take(64).collect(),
        cpus: 1,
        memory_mib: memory.unwrap_or(0) / 1024,
        pcid: cpuid.get_feature_info().is_some_and(|features| features.has_pcid()),
        loader: name("linux"),
    }));
    Ok(())
}

/// Which Linux it is.
pub fn release() -> Result<Name, Failure> {
    let mut room = [0; 64];
    let text = get(c"/proc/sys/kernel/osrelease", &mut room)?;
    Ok(text.trim().chars().take(32).collect())
}

/// A name in a record.
pub fn name(text: &str) -> Name {
    text.chars().take(32).collect()
}
