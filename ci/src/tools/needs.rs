//! What commands need on the host, and which Debian packages have it.

use std::path::Path;

use crate::machines::MachineName;

/// Something that a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// QEMU.
    Qemu,
    /// Bochs with its BIOSes.
    Bochs,
    /// Making images that GRUB boots by BIOS.
    Image,
    /// Making images that GRUB boots by UEFI.
    UefiImage,
    /// A C++ compiler, for libFuzzer.
    CxxCompiler,
}

impl Need {
    /// What it takes to boot on a machine.
    pub const fn of(machine: MachineName) -> &'static [Self] {
        match machine {
            MachineName::QemuKvm | MachineName::QemuTcg => &[Self::Qemu],
            MachineName::Bochs => &[Self::Bochs, Self::Image],
        }
    }

    /// The Debian packages that have it.
    pub const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Qemu => &["qemu-system-x86"],
            Self::Bochs => &["bochs", "bochsbios", "vgabios"],
            Self::Image => &["grub-pc-bin", "grub-common", "xorriso", "mtools"],
            Self::UefiImage => &["grub-efi-amd64-bin"],
            Self::CxxCompiler => &["g++"],
        }
    }

    /// Whether it is installed.
    pub fn is_there(self) -> bool {
        let programs = |names: &[&str]| names.iter().all(|name| which::which(name).is_ok());
        let files = |names: &[&str]| names.iter().all(|name| Path::new(name).exists());
        match self {
            Self::Qemu => programs(&["qemu-system-x86_64"]),
            Self::Bochs => programs(&["bochs"]) && files(&crate::machines::BOCHS_FIRMWARE),
            Self::Image => {
                programs(&["grub-mkrescue", "xorriso", "mformat"])
                    && files(&["/usr/lib/grub/i386-pc"])
            }
            Self::CxxCompiler => programs(&["c++"]),
            Self::UefiImage => files(&["/usr/lib/grub/x86_64-efi"]),
        }
    }
}
