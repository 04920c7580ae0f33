//! `cargo xtask image`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use loadphys_plan::command_line::Plan;

use super::options::refused;
use crate::build::Programs;
use crate::iso::{self, Entry};
use crate::machines::Path;
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

/// Seconds in which people can choose from the menu.
const MENU_SECONDS: u32 = 10;

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let plan: Plan = self.append.parse().map_err(refused)?;
        tools::ensure(&[tools::Need::Image, tools::Need::UefiImage])?;
        let programs = Programs::build(&Path::ALL)?;
        let image = self.out.unwrap_or_else(|| workspace::target().join("loadphys.iso"));
        if let Some(directory) = image.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        iso::write(&image, &menu(&programs, &plan.to_string()), MENU_SECONDS)?;
        println!("{}", image.display());
        Ok(())
    }
}

fn menu(programs: &Programs, line: &str) -> [Entry; 2] {
    let guest = (programs.guest.clone(), line.to_owned());
    let bare =
        Entry { title: "loadphys guest on bare metal".into(), kernel: guest.clone(), module: None };
    let vmx = Entry {
        title: "loadphys guest under the VT-x hypervisor".into(),
        kernel: (programs.stub().to_owned(), line.to_owned()),
        module: Some(guest),
    };
    [bare, vmx]
}
