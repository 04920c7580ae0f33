//! Paths and machines by name.

use std::fmt;

use anyhow::Result;
use loadphys_plan::command_line::{Exit, MethodName};

use crate::outcome::bad_input;

/// What runs below the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Nothing.
    Bare,
    /// The stub, by VT-x.
    Vmx,
}

impl Path {
    /// Every path.
    pub const ALL: [Self; 2] = [Self::Bare, Self::Vmx];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Vmx => "vmx",
        }
    }

    /// The least memory that a machine must have: the stub lies at 96 MiB.
    pub const fn least_memory_mib(self) -> u32 {
        match self {
            Self::Bare => 16,
            Self::Vmx => 128,
        }
    }

    /// Whether a method can be there: calls, alias and views are the stub's.
    pub const fn may_have(self, method: MethodName) -> bool {
        match self {
            Self::Bare => !matches!(
                method,
                MethodName::Hypercall | MethodName::Alias | MethodName::Gate | MethodName::RootView
            ),
            Self::Vmx => true,
        }
    }

    /// The path of this name.
    pub fn named(name: &str) -> Result<Self> {
        let path = Self::ALL.into_iter().find(|path| path.name() == name);
        path.ok_or_else(|| match name {
            "svm" => bad_input("path 'svm' is not built yet: there is bare, vmx"),
            _ => bad_input(format!("unknown path '{name}': there is bare, vmx")),
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What runs below the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MachineName {
    /// QEMU with KVM.
    QemuKvm,
    /// QEMU that emulates every instruction.
    QemuTcg,
    /// Bochs, which emulates VT-x too.
    Bochs,
}

impl MachineName {
    /// Every machine.
    pub const ALL: [Self; 3] = [Self::QemuKvm, Self::QemuTcg, Self::Bochs];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QemuKvm => "qemu-kvm",
            Self::QemuTcg => "qemu-tcg",
            Self::Bochs => "bochs",
        }
    }

    /// The machine of this name; `None` is `auto`.
    pub fn named(name: &str) -> Result<Option<Self>> {
        if name == "auto" {
            return Ok(None);
        }
        let machine = Self::ALL.into_iter().find(|machine| machine.name() == name);
        machine.map(Some).ok_or_else(|| {
            let exist = "there is auto, qemu-kvm, qemu-tcg, bochs";
            bad_input(format!("unknown machine '{name}': {exist}"))
        })
    }

    /// What one step of the time stamp counter is.
    pub const fn tick(self) -> &'static str {
        match self {
            Self::QemuKvm => "cycle",
            Self::QemuTcg | Self::Bochs => "instruction",
        }
    }

    /// How the guest tells it that the boot is over.
    pub const fn exit(self) -> Exit {
        match self {
            Self::QemuKvm | Self::QemuTcg => Exit::IsaDebug,
            Self::Bochs => Exit::Bochs,
        }
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
