//! The boot tests: a program of their own, so that they can be run and listed alone.

use anyhow::Result;

use super::step::{Step, Tally};
use crate::boot::children;
use crate::build;
use crate::peers::{Peer, memtest};
use crate::workspace;

/// Builds the boot tests and says how they are run. Where Linux cannot be had, its boots are left out.
pub fn step(tally: &mut Tally) -> Result<Step> {
    let words =
        ["test", "--no-run", "-p", "loadphys-tests", "--features", "boots", "--test", "boot"];
    let program = build::host_executable("boot tests", "boot", &words)?;
    // Run by us and not by cargo: if we are ended, the emulators end with it.
    let mut command = children::mortal(&program.to_string_lossy());
    command.current_dir(workspace::root());
    if let Err(why) = Peer::Linux.fetch() {
        tally.skip(&format!(
            "boots of {} beside the guest and under the stub: {why:#}",
            Peer::Linux
        ));
        command.args(["--skip", "linux/", "--skip", "/linux"]);
    }
    if let Err(why) = memtest::fetch() {
        tally.skip(&format!("boots of memtest86+ under the stub: {why:#}"));
        command.args(["--skip", "/memtest"]);
    }
    Ok(Step { name: "boots", command, live: true })
}
