//! Kernels that are not ours, under the stub and without it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::boot::{Job, Module};
use crate::machines::MachineName;

/// A kernel, and what it is handed.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Its file.
    pub image: PathBuf,
    /// Its command line.
    pub line: String,
    /// Its initial RAM disk, or first module.
    pub initrd: Option<PathBuf>,
}

impl Foreign {
    /// Boots it under this stub. GRUB loads it, on every machine: only so it gets a line and a module of its own.
    pub fn under(self, stub: &Path, machine: MachineName, limit: Duration) -> Job {
        let guest = Module { file: self.image, line: self.line };
        let line = format!("exit={}", machine.exit());
        let name = format!("a kernel under the stub on {machine}");
        let job = Job::new(name, machine, stub.to_owned(), line, Some(guest), limit);
        Job { initrd: self.initrd, disc: true, counted: false, ..job }
    }

    /// Boots it without a stub, loaded by GRUB too.
    pub fn alone(self, machine: MachineName, limit: Duration) -> Job {
        let module = self.initrd.map(|file| Module { file, line: String::new() });
        let name = format!("a kernel on {machine}");
        let job = Job::new(name, machine, self.image, self.line, module, limit);
        Job { disc: true, counted: false, ..job }
    }
}
