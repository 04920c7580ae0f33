//! Packages of Debian and Ubuntu.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

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

/// What it takes to fetch a package and unpack it, without installing it.
const FETCHING: [&str; 3] = ["apt-get", "apt-cache", "dpkg-deb"];

/// Whether packages can be fetched here; if not, what is missing.
pub fn fetchable() -> Result<(), String> {
    let missing: Vec<&str> =
        FETCHING.into_iter().filter(|name| which::which(name).is_err()).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("there is no {}", missing.join(", no "))) }
}

/// The first package on which another one depends; `None` if there is no package of that name. Lists of packages are fetched
/// where they lack it.
pub fn depends(package: &str) -> Result<Option<String>> {
    if let Some(name) = first_dependency(&dependencies(package)?) {
        return Ok(Some(name));
    }
    if let Some(prefix) = privilege() {
        eprintln!("xtask: apt-get update, since {package} is not in the lists");
        // A failure shows in the next step.
        let _ = apt_get(prefix, &["update"]);
    }
    Ok(first_dependency(&dependencies(package)?))
}

fn dependencies(package: &str) -> Result<String> {
    let output = children::output(Command::new("apt-cache").args(["depends", "--", package]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads what apt-cache says of dependencies.
fn first_dependency(text: &str) -> Option<String> {
    let name = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "))?.trim();
    // In angle brackets it is a name that no package has.
    (!name.starts_with('<')).then(|| name.to_owned())
}

/// Fetches a package and unpacks it, after saying so; `unpacked` lies in `directory`, and is complete or not there at all. The
/// package is not installed, and nothing of it is run.
pub fn unpack(package: &str, directory: &Path, unpacked: &Path) -> Result<()> {
    eprintln!(
        "xtask: fetching the package {package} by apt-get, to unpack it in {}",
        unpacked.display()
    );
    eprintln!("xtask: nothing of it is installed");
    let cannot = || format!("cannot write to {}", directory.display());
    std::fs::create_dir_all(directory).with_context(cannot)?;
    let place = tempfile::tempdir_in(directory).with_context(cannot)?;
    download(package, place.path())?;
    std::fs::rename(place.keep(), unpacked).with_context(cannot)
}

fn download(package: &str, directory: &Path) -> Result<()> {
    let place = tempfile::tempdir_in(directory)?;
    let mut fetch = Command::new("apt-get");
    fetch.args(["download", "--", package]).current_dir(place.path());
    run(&mut fetch, &format!("apt-get could not download the package {package}"))?;
    let files = std::fs::read_dir(place.path())?.flatten().map(|entry| entry.path());
    let Some(file) = files.into_iter().find(|file| file.extension().is_some_and(|it| it == "deb"))
    else {
        bail!("apt-get download left no file of the package {package}");
    };
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--extract").arg(file).arg(directory);
    run(&mut unpack, &format!("dpkg-deb could not unpack the package {package}"))
}

/// Runs a program that is quiet if it goes well.
fn run(command: &mut Command, failed: &str) -> Result<()> {
    let output = children::output(command.stdin(Stdio::null()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason was given");
    Err(bad_input(format!("{failed}: {last}")))
}

#[cfg(test)]
mod tests {
    use super::first_dependency;

    #[test]
    fn the_first_dependency_is_a_package_that_there_is() {
        let text =
            "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Suggests: x\n";
        assert_eq!(first_dependency(text).as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(first_dependency("  Depends: <linux-image>\n"), None);
        assert_eq!(first_dependency("x\n  Suggests: y\n"), None);
    }
}
