//! ISO images that GRUB boots, by BIOS and by UEFI.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::boot::children;

/// How GRUB loads a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// By multiboot2.
    Multiboot2,
    /// As Linux.
    Linux,
}

impl Protocol {
    /// GRUB's commands for the kernel and for a module.
    const fn words(self) -> [&'static str; 2] {
        match self {
            Self::Multiboot2 => ["multiboot2", "module2"],
            Self::Linux => ["linux", "initrd"],
        }
    }
}

/// One entry of the menu: a kernel, perhaps with modules.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What people read in the menu.
    pub title: String,
    /// How the kernel is loaded.
    pub protocol: Protocol,
    /// The kernel's file and its command line.
    pub kernel: (PathBuf, String),
    /// The modules' files and their command lines.
    pub modules: Vec<(PathBuf, String)>,
}

/// What people choose from.
#[derive(Clone, Debug)]
pub struct Menu<'a> {
    /// What can be started.
    pub entries: &'a [Entry],
    /// Which entry starts if nobody chooses.
    pub chosen: usize,
    /// Seconds in which to choose; with 0 there is no menu.
    pub seconds: u32,
}

/// Writes an image.
///
/// GRUB speaks on COM1 too, so that its own errors are seen where the guest's words are.
pub fn write(image: &Path, menu: &Menu<'_>) -> Result<()> {
    let tree = tempfile::tempdir().context("no temporary directory")?;
    let boot = tree.path().join("boot");
    fs::create_dir_all(boot.join("grub"))?;
    let mut text = preamble(menu);
    for (number, entry) in menu.entries.iter().enumerate() {
        text.push_str(&place(&boot, number, entry, menu.seconds == 0)?);
    }
    fs::write(boot.join("grub/grub.cfg"), text)?;
    grub_mkrescue(image, tree.path())
}

fn preamble(menu: &Menu<'_>) -> String {
    let Menu { chosen, seconds, .. } = menu;
    // With a menu that people wait at, the screen shows it as well.
    let terminals = if *seconds == 0 { "serial" } else { "console serial" };
    format!(
        "serial --unit=0 --speed=115200\n\
         terminal_input {terminals}\nterminal_output {terminals}\n\
         set timeout={seconds}\nset default={chosen}\n"
    )
}

/// Puts an entry's files into the tree and says how the menu starts them.
fn place(boot: &Path, number: usize, entry: &Entry, unattended: bool) -> Result<String> {
    let mut lines = format!("menuentry \"{}\" {{\n", entry.title);
    let [kernel, module] = entry.protocol.words();
    let modules = entry.modules.iter().map(|file| (module, file));
    for (place, (word, (file, line))) in
        iter::once((kernel, &entry.kernel)).chain(modules).enumerate()
    {
        let name = format!("{number}-{place}-{word}");
        fs::copy(file, boot.join(&name))
            .with_context(|| format!("cannot read {}", file.display()))?;
        lines.push_str(&format!("  {word} /boot/{name} {line}\n"));
    }
    lines.push_str("  boot\n");
    if unattended {
        // This is reached only when the boot loader has failed, and has said why.
        lines.push_str("  halt\n");
    }
    lines.push_str("}\n");
    Ok(lines)
}

fn grub_mkrescue(image: &Path, tree: &Path) -> Result<()> {
    let mut mkrescue = Command::new("grub-mkrescue");
    mkrescue.arg("-o").arg(image).arg(tree).stdin(Stdio::null());
    let output = children::output(&mut mkrescue)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = words.lines().last().unwrap_or("it gave no reason");
        bail!("grub-mkrescue could not write {}: {last}", image.display());
    }
    Ok(())
}
