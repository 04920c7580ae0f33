//! Packages of Debian and Ubuntu.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::Need;
use crate::boot::children;
use crate::outcome::bad_input;

/// Installs what is needed, or names the packages.
pub fn install(missing: &[Need]) -> Result<()> {
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages()).copied().collect();
    let names = packages.join(" ");
    let Some(prefix) = privilege() else {
        return Err(bad_input(format!("missing tools: install the packages {names}")));
    };
    eprintln!("xtask: installing packages by apt-get: {names}");
    // Old lists may name files that are gone; a failure here shows in the next step.
    let _ = apt_get(prefix, &["update"]);
    let options = ["install", "--yes", "--no-install-recommends"];
    if apt_get(prefix, &[&options[..], &packages].concat())? && missing.iter().all(|n| n.is_there())
    {
        return Ok(());
    }
    Err(bad_input(format!("apt-get could not install the packages {names}")))
}

/// What to put before apt-get, if there is an apt-get that we may use.
fn privilege() -> Option<&'static [&'static str]> {
    which::which("apt-get").ok()?;
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    which::which("sudo").ok().map(|_| &["sudo"][..])
}

fn apt_get(prefix: &[&str], arguments: &[&str]) -> Result<bool> {
    let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let mut command = Command::new(words[0]);
    // What apt says goes where people read; our own output may be read by programs.
    command.args(&words[1..]).stdout(Stdio::from(std::io::stderr()));
    Ok(children::spawn(&mut command)?.wait()?.success())
}
