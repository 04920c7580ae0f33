//! Bochs: every argument and every line of configuration that it is ever given.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::boot::{Job, children};
use crate::disks::Made;
use crate::machines::{bochs_debugger, disc};

/// The emulator.
pub const PROGRAM: &str = "bochs";

/// What it needs on the host beside its program: system BIOS and VGA BIOS.
pub const FIRMWARE: [&str; 2] =
    ["/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/VGABIOS-lgpl-latest"];

/// Memory that the emulator takes of the host's at most; what a guest touches beyond that goes to a file.
const MOST_HOST_MIB: u32 = 1024;

/// A model that has VMX with EPT, VPID and VMFUNC.
const USUAL_CPU: &str = "corei7_skylake_x";

/// A model that has SVM with nested paging.
pub const CPU_WITH_SVM: &str = "trinity_apu";

/// The command that runs a job, with its files in `place` and its console in a file.
///
/// Debian's build has the debugger in it and waits at the first instruction: the debugger is told what to do.
pub fn command(job: &Job, place: &Path, console: &Path, disks: &[Made]) -> Result<Command> {
    let image = match &job.image {
        Some(image) => image.clone(),
        None => disc::written(job, place)?,
    };
    let disks: String = disks.iter().enumerate().map(|(at, disk)| disk_line(at, disk)).collect();
    fs::write(place.join("bochsrc"), configuration(job, &image, console) + &disks)?;
    fs::write(place.join("go"), bochs_debugger::script(job.looks.as_ref()))?;
    let mut bochs = children::mortal(PROGRAM);
    bochs.args(["-q", "-f"]).arg(place.join("bochsrc")).arg("-rc").arg(place.join("go"));
    Ok(bochs)
}

fn configuration(job: &Job, image: &Path, console: &Path) -> String {
    let Job { cpus, memory_mib, .. } = job;
    let host_mib = MOST_HOST_MIB.min(*memory_mib);
    let cpu = job.cpu.unwrap_or(USUAL_CPU);
    let [bios, vga_bios] = FIRMWARE;
    let (image, console) = (image.display(), console.display());
    // The sound driver is named since the default one looks for a sound card and may die of it.
    format!(
        "config_interface: textconfig\n\
         display_library: rfb, options=\"timeout=0\"\n\
         romimage: file={bios}\n\
         vgaromimage: file={vga_bios}\n\
         cpu: model={cpu}, count={cpus}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1\n\
         memory: guest={memory_mib}, host={host_mib}\n\
         ata1-master: type=cdrom, path=\"{image}\", status=inserted\n\
         boot: cdrom\n\
         com1: enabled=1, mode=file, dev={console}\n\
         port_e9_hack: enabled=1\n\
         speaker: enabled=0\n\
         sound: driver=dummy\n\
         log: bochs.log\n\
         panic: action=fatal\n\
         error: action=report\n"
    )
}

/// Where a disk is; the disc that is booted is where the second channel begins.
fn disk_line(at: usize, disk: &Made) -> String {
    let place = ["ata0-master", "ata0-slave"][at];
    // Without a geometry Bochs takes one of 16 heads and 63 sectors, by the size of the file.
    format!("{place}: type=disk, mode=flat, path=\"{}\"\n", disk.file().display())
}

/// What Bochs says of itself, shortened to the number.
pub fn version() -> String {
    let output = Command::new(PROGRAM).arg("--help").stdin(Stdio::null()).output();
    let text = output.map(|output| {
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&both).into_owned()
    });
    let text = text.unwrap_or_default();
    let number = text.split_whitespace().skip_while(|word| *word != "Emulator").nth(1);
    number.unwrap_or("unknown").to_owned()
}
