//! Which machine runs which path.

use anyhow::Result;

use super::kvm::{self, Trial};
use super::{MachineName, Path};
use crate::outcome::bad_input;
use crate::tools::{self, Need};

/// A machine, and why it.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The machine.
    pub machine: MachineName,
    /// Why.
    pub reason: String,
}

/// Refuses a machine that cannot run a path, as far as that is known before anything is built.
pub fn check(path: Path, asked: Option<MachineName>) -> Result<()> {
    match asked {
        Some(MachineName::QemuKvm) => vouch(path, None),
        Some(MachineName::QemuTcg) if path == Path::Vmx => Err(bad_input(
            "machine 'qemu-tcg' cannot run path 'vmx': it has no VMX; there is bochs, qemu-kvm",
        )),
        _ => Ok(()),
    }
}

/// The machine that was asked for, or the best for the path. A trial has to vouch for KVM: it is of the programs that
/// will be booted, on as many CPUs.
pub fn choose(path: Path, asked: Option<MachineName>, trial: Trial<'_>) -> Result<Choice> {
    check(path, asked)?;
    // The probe boot needs QEMU: where it is missing, that must not count against KVM.
    if matches!(asked, None | Some(MachineName::QemuKvm)) && kvm::usable(path, None).is_ok() {
        tools::ensure(Need::of(MachineName::QemuKvm))?;
    }
    match asked {
        Some(MachineName::QemuKvm) => {
            vouch(path, Some(trial)).map(|()| by_request(MachineName::QemuKvm))
        }
        Some(machine) => Ok(by_request(machine)),
        None => Ok(best(path, kvm::usable(path, Some(trial)))),
    }
}

fn vouch(path: Path, trial: Option<Trial<'_>>) -> Result<()> {
    kvm::usable(path, trial).map_err(|reason| {
        bad_input(format!("machine 'qemu-kvm' cannot run path '{path}': {reason}"))
    })
}

fn by_request(machine: MachineName) -> Choice {
    Choice { machine, reason: "asked for".into() }
}

fn best(path: Path, kvm: std::result::Result<(), String>) -> Choice {
    match kvm {
        Ok(()) => Choice {
            machine: MachineName::QemuKvm,
            reason: "the host's KVM offers what the path needs".into(),
        },
        Err(reason) => {
            Choice { machine: emulator(path), reason: format!("not qemu-kvm: {reason}") }
        }
    }
}

/// What runs the path on any host.
pub const fn emulator(path: Path) -> MachineName {
    match path {
        Path::Bare | Path::Svm => MachineName::QemuTcg,
        Path::Vmx => MachineName::Bochs,
    }
}

#[cfg(test)]
mod tests {
    use super::{MachineName, Path, best};

    #[test]
    fn kvm_is_taken_only_where_it_is_usable() {
        assert_eq!(best(Path::Vmx, Ok(())).machine, MachineName::QemuKvm);
        let without = |path| best(path, Err("no".into())).machine;
        assert_eq!(without(Path::Vmx), MachineName::Bochs);
        assert_eq!(without(Path::Bare), MachineName::QemuTcg);
        assert_eq!(without(Path::Svm), MachineName::QemuTcg);
    }
}
