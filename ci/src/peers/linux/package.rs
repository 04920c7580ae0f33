//! Debian's package of Linux: fetched and unpacked beside our own build products, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::boot::children;
use crate::outcome::bad_input;
use crate::tools;

/// The package that depends on the newest kernel for virtual machines.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// The module that has RAM disks, below the directory of a release.
const MODULE: &str = "kernel/drivers/block/brd.ko";

/// What is taken from the package.
#[derive(Debug, PartialEq)]
pub struct Kernel {
    /// The kernel.
    pub image: PathBuf,
    /// The module that has RAM disks.
    pub module: PathBuf,
}

impl Kernel {
    /// Another module, by its place below the directory of drivers.
    ///
    /// # Errors
    /// Bad input if the package has none such.
    pub fn driver(&self, place: &str) -> Result<PathBuf> {
        let drivers = self.module.ancestors().nth(2);
        let driver = drivers.map_or_else(PathBuf::new, |drivers| drivers.join(place));
        let missing = || bad_input(format!("the package of Linux has no {}", driver.display()));
        plain(driver.clone())?.ok_or_else(missing)
    }
}

/// The kernel in a directory; it is fetched if it is not there.
pub fn kernel(directory: &Path) -> Result<Kernel> {
    let unpacked = directory.join("package");
    if !unpacked.is_dir() {
        fetch(directory, &unpacked)?;
    }
    let missing = || {
        let place = unpacked.display();
        bad_input(format!(
            "{place} has no kernel with RAM disks: remove it, and it is fetched anew"
        ))
    };
    find(&unpacked)?.ok_or_else(missing)
}

fn fetch(directory: &Path, unpacked: &Path) -> Result<()> {
    fetchable()?;
    let Some(package) = tools::depends(PACKAGE)? else {
        return Err(bad_input(format!(
            "--peer linux: apt knows no package {PACKAGE}; Debian has it"
        )));
    };
    tools::unpack(&package, directory, unpacked)
}

fn fetchable() -> Result<()> {
    tools::fetchable().map_err(|why| {
        bad_input(format!("--peer linux: {why}, to fetch Debian's package {PACKAGE}"))
    })
}

/// The kernel in an unpacked package, with its module as Linux takes it.
fn find(unpacked: &Path) -> Result<Option<Kernel>> {
    let image = entries(&unpacked.join("boot")).into_iter().find(|file| named(file, "vmlinuz-"));
    let releases = ["lib/modules", "usr/lib/modules"].map(|place| entries(&unpacked.join(place)));
    let module = releases.into_iter().flatten().map(|release| release.join(MODULE));
    let module = module.map(plain).find_map(Result::transpose).transpose()?;
    Ok(image.zip(module).map(|(image, module)| Kernel { image, module }))
}

/// A module, made of a compressed one beside it if need be; Debian compresses them from its release 13 on.
fn plain(module: PathBuf) -> Result<Option<PathBuf>> {
    let compressed = module.with_extension("ko.xz");
    if !module.is_file() && compressed.is_file() {
        let mut xz = Command::new("xz");
        xz.args(["--decompress", "--keep"]).arg(&compressed).stdin(Stdio::null());
        let output = children::output(&mut xz);
        if !output.is_ok_and(|output| output.status.success()) {
            return Err(bad_input(format!("xz could not decompress {}", compressed.display())));
        }
    }
    Ok(module.is_file().then_some(module))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn named(file: &Path, prefix: &str) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Kernel, find, kernel};

    /// A directory with an empty file at each of these places.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary directory");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
            fs::write(path, "").expect("a file");
        }
        root
    }

    #[test]
    fn kernel_and_module_are_found_where_either_release_has_them() {
        for place in ["lib", "usr/lib"] {
            let module = format!("{place}/modules/6.1/kernel/drivers/block/brd.ko");
            let root = tree(&["boot/System.map-6.1", "boot/vmlinuz-6.1", &module]);
            let [image, module] = ["boot/vmlinuz-6.1", &module].map(|it| root.path().join(it));
            assert_eq!(find(root.path()).expect("it can be read"), Some(Kernel { image, module }));
        }
    }

    #[test]
    fn a_package_without_the_module_is_refused_by_name() {
        let root = tree(&["package/boot/vmlinuz-6.1"]);
        let refused = kernel(root.path()).expect_err("no module").to_string();
        assert!(
            refused.ends_with(
                "package has no kernel with RAM disks: remove it, and it is fetched anew"
            ),
            "{refused}"
        );
    }
}
