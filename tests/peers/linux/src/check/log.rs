//! What the kernel's log warns of.

use core::fmt::Write;
use core::str;

use heapless::String;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::{File, NO_WAIT, READ};
use loadphys_peer_linux::kernel_log::{self, WARNING};
use loadphys_peer_linux::report;

/// The most that the kernel gives as one record, and what is told of it.
const RECORD: usize = 8192;
const TOLD: usize = 512;

/// Writes all warnings, and what is worse, one a line.
pub fn tell() -> Result<(), Failure> {
    let log = File::open(c"/dev/kmsg", READ | NO_WAIT)?;
    let mut room = [0; RECORD];
    let (mut warnings, mut records) = (0, 0);
    // At the end there is an error, since reading would wait.
    while let Ok(bytes) = log.read(&mut room) {
        records += 1;
        let record = str::from_utf8(&room[..bytes]).ok().and_then(kernel_log::read);
        if let Some((level, text)) = record.filter(|(level, _)| *level <= WARNING) {
            let mut line: String<TOLD> = String::new();
            // What does not fit is left out.
            let _ = write!(line, "kernel warns: {level} {text}");
            report::line(&line);
            warnings += 1;
        }
    }
    report::count("log-records", records);
    report::count("log-warnings", warnings);
    Ok(())
}
