//! `cargo xtask image`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use loadphys_plan::command_line::Plan;

use super::options::refused;
use crate::build::Programs;
use crate::iso::{self, Entry, Menu, Protocol};
use crate::machines::Path;
use crate::outcome::bad_input;
use crate::{tools, workspace};

/// Write an image for a USB stick or CD that boots the guest alone, and under the hypervisor.
///
/// The image starts by BIOS and by UEFI; copy it to a whole stick, for example with dd. Results
/// come on the first serial port (115200 baud).
#[derive(Args)]
pub struct Arguments {
    /// Where to write the image [default: target/loadphys.iso]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The guest's command line, for example "methods=all sharers=1,8 pages=1024"
    #[arg(long, value_name = "WORDS", default_value = "")]
    append: String,
}

/// Where the image goes; a directory that was named must be there.
fn place(out: Option<PathBuf>) -> Result<PathBuf> {
    let Some(image) = out else {
        let target = workspace::target();
        std::fs::create_dir_all(&target)?;
        return Ok(target.join("loadphys.iso"));
    };
    let image = std::path::absolute(image)?;
    let why = match image.parent() {
        _ if image.is_dir() => "is a directory, and the image is a file",
        Some(directory) if directory.is_dir() => return Ok(image),
        _ => "no such directory",
    };
    Err(bad_input(format!("--out {}: {why}", image.display())))
}

/// Seconds in which people can choose from the menu.
const MENU_SECONDS: u32 = 10;

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let plan: Plan = self.append.parse().map_err(refused)?;
        let image = place(self.out)?;
        tools::ensure(&[tools::Need::Image, tools::Need::UefiImage])?;
        let programs = Programs::build(&Path::ALL)?;
        let entries = entries(&programs, &plan.to_string());
        iso::write(&image, &Menu { entries: &entries, chosen: 0, seconds: MENU_SECONDS })?;
        println!("{}", image.display());
        Ok(())
    }
}

/// What the image offers: the guest alone, then under the hypervisor.
pub fn entries(programs: &Programs, line: &str) -> [Entry; 2] {
    let guest = (programs.guest.clone(), line.to_owned());
    let bare = Entry {
        title: "loadphys guest on bare metal".into(),
        protocol: Protocol::Multiboot2,
        kernel: guest.clone(),
        modules: Vec::new(),
    };
    let under_stub = Entry {
        title: "loadphys guest under the hypervisor (VT-x or SVM)".into(),
        kernel: (programs.stub().to_owned(), line.to_owned()),
        protocol: Protocol::Multiboot2,
        modules: vec![guest],
    };
    [bare, under_stub]
}
