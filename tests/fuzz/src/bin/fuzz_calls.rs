//! The courses that libFuzzer thinks of. From time to time it says what has been done so far.
#![no_main]

use std::sync::Mutex;

use loadphys_abi::Status;
use loadphys_fuzz::Done;

static ALL: Mutex<Done> = Mutex::new(Done::NOTHING);

/// Calls between two lines.
const OFTEN: u64 = 1 << 16;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let done = loadphys_fuzz::all(data);
    let mut all = ALL.lock().expect("who panics ends it");
    let before = all.calls();
    all.add(&done);
    if before / OFTEN != all.calls() / OFTEN {
        tell(&all);
    }
});

/// For `cargo xtask fuzz`.
fn tell(done: &Done) {
    let by_status = Status::ALL.iter().zip(done.by_status);
    let words: Vec<String> =
        by_status.map(|(status, count)| format!("{status:?}={count}")).collect();
    println!("calls {} {}", done.calls(), words.join(" "));
}
