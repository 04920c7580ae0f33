//! Paths and machines by name.

use std::fmt;

use anyhow::Result;
use loadphys_plan::command_line::{Exit, MethodName, Rules};

use crate::outcome::bad_input;

/// What runs below the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Nothing.
    Bare,
    /// The stub, by VT-x.
    Vmx,
    /// The stub, by AMD's SVM.
    Svm,
}

/// As the guest says it.
const NO_VMFUNC: &str = "AMD's CPUs have no VMFUNC: views cannot be switched without an exit";

/// Typed rules keep tables read-only for the guest.
const NO_READ_ONLY_TABLES: &str = "AMD's walker reads guest tables as if it wrote to them (AMD APM vol. 2, section \
    15.25.5), so read-only tables cannot be walked, but with 'read-only guest page tables', which the stub does not use";

impl Path {
    /// Every path.
    pub const ALL: [Self; 3] = [Self::Bare, Self::Vmx, Self::Svm];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Vmx => "vmx",
            Self::Svm => "svm",
        }
    }

    /// Whether the stub runs below the guest.
    pub const fn has_stub(self) -> bool {
        !matches!(self, Self::Bare)
    }

    /// Whether each store to the local APIC's registers exits: on AMD, where there are several CPUs, the stub has to see how they are started.
    pub const fn traps_apic(self, cpus: u32) -> bool {
        matches!(self, Self::Svm) && cpus > 1
    }

    /// The least memory that a machine must have: the stub lies at 96 MiB.
    pub const fn least_memory_mib(self) -> u32 {
        match self {
            Self::Bare => 16,
            Self::Vmx | Self::Svm => 128,
        }
    }

    /// Whether a method can be there.
    pub const fn may_have(self, method: MethodName) -> bool {
        self.lacks_method(method).is_none()
    }

    /// Why a method cannot be there; nothing if it may be. Calls, alias and views are the stub's.
    pub const fn lacks_method(self, method: MethodName) -> Option<&'static str> {
        use MethodName::{Alias, Gate, Hypercall, RootView};
        match (self, method) {
            (Self::Bare, Hypercall | Alias | Gate | RootView) => Some("the stub has it"),
            (Self::Svm, Gate | RootView) => Some(NO_VMFUNC),
            _ => None,
        }
    }

    /// Whether the stub can check by these rules.
    pub const fn has_rules(self, rules: Rules) -> bool {
        self.has_stub() && self.lacks_rules(rules).is_none()
    }

    /// Why the stub cannot check by these rules on a path that has one; nothing if it can.
    pub const fn lacks_rules(self, rules: Rules) -> Option<&'static str> {
        match (self, rules) {
            (Self::Svm, Rules::Typed | Rules::TypedPreset) => Some(NO_READ_ONLY_TABLES),
            _ => None,
        }
    }

    /// The path of this name.
    pub fn named(name: &str) -> Result<Self> {
        let path = Self::ALL.into_iter().find(|path| path.name() == name);
        path.ok_or_else(|| bad_input(format!("unknown path '{name}': there is bare, vmx, svm")))
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
