//! What would run on a CPU that is not here: recorded CPUs, asked as the stub asks the CPU it is on.

use std::fs;

use anyhow::{Result, bail};
use loadphys_plan::command_line::MethodName;
use loadphys_stub::fixtures::{ALL, Extension, Fixture, Unrecorded, VM_CR, find};
use loadphys_stub::svm::offer::{self, Offer};
use loadphys_stub::vmx::capability::Capabilities;
use loadphys_stub::vmx::controls::{self, Controls, VIEWS};

use crate::machines::Path;
use crate::outcome::bad_input;

/// The word that lists them.
pub const LIST: &str = "list";

/// Prints what would run on the CPU of this name, or in this file; or what names there are.
pub fn tell(name: &str) -> Result<()> {
    if name == LIST {
        list().iter().for_each(|line| println!("{line}"));
        return Ok(());
    }
    let text = text(name)?;
    let fixture = Fixture::parse(&text).map_err(|error| bad_input(format!("{name}: {error}")))?;
    let Verdict { lines, runs } =
        verdict(&fixture).map_err(|error| bad_input(format!("{name}: {error}")))?;
    println!("{}", fixture.title());
    lines.iter().for_each(|line| println!("{line}"));
    if !runs {
        bail!("no path with a stub runs on {name}");
    }
    Ok(())
}

fn list() -> Vec<String> {
    let title = |text| Fixture::parse(text).map_or("", |fixture| fixture.title());
    ALL.iter().map(|(name, text)| format!("{name:21} {}", title(text))).collect()
}

fn text(name: &str) -> Result<String> {
    if let Some(text) = find(name) {
        return Ok(text.to_owned());
    }
    fs::read_to_string(name).map_err(|error| {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        bad_input(format!(
            "CPU '{name}' is not recorded, nor a file ({error}); there is {LIST}, {names}"
        ))
    })
}

/// How far a path goes.
const ON_ALL: &str = "on one CPU and on several";

/// What would run, in words.
struct Verdict {
    lines: Vec<String>,
    runs: bool,
}

fn verdict(fixture: &Fixture<'_>) -> Result<Verdict, Unrecorded> {
    let lines = match fixture.extension() {
        Extension::Vmx => vmx(&fixture.capabilities()?),
        Extension::Svm => svm(&fixture.offer()?, fixture.msr(VM_CR).is_some()),
    };
    let runs = lines.is_ok();
    Ok(Verdict { lines: lines.unwrap_or_else(|missing| vec![missing]), runs })
}

fn vmx(capabilities: &Capabilities) -> Result<Vec<String>, String> {
    let controls = controls::negotiate(capabilities, true);
    controls.map(|controls| vmx_lines(&controls)).map_err(|missing| format!("vmx: no: {missing}"))
}

fn svm(offer: &Offer, knows_vm_cr: bool) -> Result<Vec<String>, String> {
    let setup = offer::negotiate(offer).map_err(|missing| format!("svm: no: {missing}"))?;
    let proviso =
        if knows_vm_cr { "" } else { ", if VM_CR, which is not recorded, does not switch SVM off" };
    let views =
        Path::Svm.lacks_method(MethodName::Gate).map_or("yes".into(), |why| format!("no: {why}"));
    let mut lines = vec![format!("svm: runs, {ON_ALL}{proviso}")];
    lines.extend(methods(&views));
    lines.extend(setup.absent.iter().map(ToString::to_string));
    Ok(lines)
}

/// The methods that need a stub, and whether they are there.
fn methods(views: &str) -> [String; 4] {
    let there = [("hypercall", "yes"), ("alias", "yes"), ("gate", views), ("root-view", views)];
    there.map(|(method, whether)| format!("{method}: {whether}"))
}

fn vmx_lines(controls: &Controls) -> Vec<String> {
    let cpus = if controls.several { ON_ALL } else { "on one CPU only" };
    let of_views = controls.absent.iter().find(|absent| VIEWS.contains(&absent.control));
    let views = match of_views {
        Some(absent) if !controls.views => format!("no, for want of '{}'", absent.control.2),
        _ => "yes, by VMFUNC".into(),
    };
    let mut lines = vec![format!("vmx: runs, {cpus}")];
    lines.extend(methods(&views));
    lines.extend(controls.absent.iter().map(ToString::to_string));
    lines
}

#[cfg(test)]
mod tests {
    use super::{list, tell, text, verdict};
    use crate::outcome::BadInput;
    use loadphys_stub::fixtures::{ALL, Fixture};

    fn told(name: &str) -> (bool, Vec<String>) {
        let text = text(name).unwrap();
        let verdict = verdict(&Fixture::parse(&text).unwrap()).unwrap();
        (verdict.runs, verdict.lines)
    }

    #[test]
    fn under_kvm_everything_runs_on_several_cpus() {
        let (runs, lines) = told("kvm-nested");
        assert!(runs);
        assert_eq!(lines[0], "vmx: runs, on one CPU and on several");
        assert_eq!(lines[1..3], ["hypercall: yes", "alias: yes"]);
        assert_eq!(lines[3..5], ["gate: yes, by VMFUNC", "root-view: yes, by VMFUNC"]);
        assert_eq!(lines.len(), 6, "user wait and pause, which is hidden");
        assert_eq!(told("kvm-nested-2020").1[0], "vmx: runs, on one CPU only");
    }

    #[test]
    fn what_is_absent_and_what_is_missing_is_told() {
        let (runs, lines) = told("intel-i5-3570");
        assert!(runs);
        assert_eq!(lines[3], "gate: no, for want of 'enable VM functions'");
        assert_eq!(lines[4], "root-view: no, for want of 'enable VM functions'");
        let small =
            "no 'EPT 1 GiB pages' (IA32_VMX_EPT_VPID_CAP bit 17): nested paging uses 2 MiB pages";
        assert!(lines[5..].iter().any(|line| line == small), "{lines:?}");
        let (runs, lines) = told("intel-xeon-x5482");
        assert!(!runs);
        assert_eq!(
            lines,
            [
                "vmx: no: the CPU's IA32_VMX_PROCBASED_CTLS2 bit 1, 'enable EPT', is needed and not offered"
            ]
        );
    }

    #[test]
    fn on_amd_there_are_no_views() {
        let (runs, lines) = told("amd-fx-8150");
        assert!(runs && lines.len() == 5, "{lines:?}");
        assert_eq!(
            lines[..3],
            ["svm: runs, on one CPU and on several", "hypercall: yes", "alias: yes"]
        );
        assert!(lines[3].starts_with("gate: no: AMD's CPUs have no VMFUNC"), "{lines:?}");
        assert!(lines[4].starts_with("root-view: no: AMD's CPUs have no VMFUNC"), "{lines:?}");
        let (runs, lines) = told("qemu-tcg");
        assert!(runs && lines.len() == 7, "{lines:?}");
        assert!(lines[5].starts_with("no 'next RIP saved' (CPUID leaf 0x8000000a, EDX bit 3): "));
        assert!(
            told("amd-ryzen-z1").1[0]
                .ends_with("several, if VM_CR, which is not recorded, does not switch SVM off")
        );
        let (runs, lines) = told("amd-athlon64-x2-4200");
        assert!(
            !runs && lines.len() == 1 && lines[0].starts_with("svm: no: the CPU's SVM bit 0"),
            "{lines:?}"
        );
    }

    #[test]
    fn names_files_and_mistakes() {
        let lines = list();
        assert_eq!(lines.len(), ALL.len());
        assert!(lines.iter().any(|line| line.starts_with("intel-n3530           Intel Pentium")));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cpu");
        let name = file.to_str().unwrap();
        let problem = |name: &str| {
            let error = tell(name).unwrap_err();
            (error.is::<BadInput>(), error.to_string())
        };
        let (bad, line) = problem(name);
        assert!(bad && line.contains("there is list, amd-"), "{line}");
        std::fs::write(&file, "# A\n# source: b\n0x480\n").unwrap();
        let (bad, line) = problem(name);
        assert!(bad && line.contains("line 3: neither"), "{line}");
        std::fs::write(&file, "# A\n# source: b\n0x480 0x0\n").unwrap();
        let (bad, line) = problem(name);
        assert!(
            bad && line.ends_with("MSR 0x482 is not recorded, and by the rest it counts"),
            "{line}"
        );
        std::fs::write(&file, text("kvm-nested").unwrap()).unwrap();
        assert!(tell(name).is_ok());
        let (bad, line) = problem("bochs-lynnfield");
        assert_eq!((bad, line.as_str()), (false, "no path with a stub runs on bochs-lynnfield"));
    }
}
