//! Boots in which methods are attacked: no cell is silent, and cells that must be so are.

use anyhow::{Context, Result, ensure};
use loadphys_plan::command_line::{AttackName, MethodName, Methods, Plan, PlanName, Rules};
use loadphys_plan::records::{Attack, NO_RULES, Record, counts};
use xtask::boot::Report;
use xtask::machines::Path;
use xtask::machines::choose::emulator;

use crate::case::{Case, Expected, of_plan};
use crate::counted::nothing_lost;

/// Pages that the programs share.
const PAGES: u32 = 16;

/// A cell: the method, the attack, whether it is stopped, and a part of what is said of it.
type Cell = (MethodName, AttackName, bool, &'static str);

/// Cells of all paths. Wherever a method has tables mapped, a stray store reaches them; what is open for a batch only, a handler
/// finds open; and an address that was lent goes on leading to the table until the TLB forgets it.
const EVERYWHERE: [Cell; 13] = [
    (MethodName::DirectMap, AttackName::StrayWriteForeign, false, "by the map of all memory"),
    (MethodName::DirectMap, AttackName::StaleUse, false, "by the map of all memory"),
    (MethodName::TempMap, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::TempMap, AttackName::InterruptUse, false, "by a window"),
    (MethodName::TempMap, AttackName::StaleUse, true, "page fault"),
    (MethodName::PagingOff, AttackName::StrayWriteOwn, true, "not mapped anywhere"),
    (MethodName::PagingOff, AttackName::InterruptUse, true, "held until afterwards"),
    (MethodName::SpaceSwitch, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::SpaceSwitch, AttackName::StrayWriteOwn, false, "by the self slot"),
    (MethodName::SpaceSwitch, AttackName::InterruptUse, true, "then page fault"),
    (
        MethodName::Recursive,
        AttackName::StrayWriteForeign,
        false,
        "once the method has let go: not mapped anywhere",
    ),
    (MethodName::Mirror, AttackName::StrayWriteForeign, false, "by the array of frames"),
    (MethodName::Mirror, AttackName::StaleUse, true, "page fault"),
];

/// The stub is told of tables that end; under QEMU's SVM the TLB forgets all then, and otherwise it does not.
const REMEMBERED: Cell =
    (MethodName::Recursive, AttackName::StaleUse, false, "which the TLB still has");

/// Cells of the stub's methods on AMD's CPUs, which have no views.
const ON_AMD: [Cell; 7] = [
    (MethodName::Hypercall, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::Hypercall, AttackName::StrayWriteOwn, true, "not mapped anywhere"),
    (MethodName::Hypercall, AttackName::InterruptUse, true, "not mapped anywhere"),
    (MethodName::Alias, AttackName::StrayWriteForeign, false, "by the alias"),
    (MethodName::Alias, AttackName::StaleUse, true, "nested page fault, the stub"),
    (MethodName::Alias, AttackName::InterruptUse, false, "by the alias"),
    (MethodName::Recursive, AttackName::StaleUse, true, "page fault"),
];

/// Cells of the stub's methods.
const OF_STUB: [Cell; 15] = [
    REMEMBERED,
    (MethodName::Hypercall, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::Hypercall, AttackName::StrayWriteOwn, true, "not mapped anywhere"),
    (MethodName::Hypercall, AttackName::InterruptUse, true, "not mapped anywhere"),
    (MethodName::Alias, AttackName::StrayWriteForeign, false, "by the alias"),
    (MethodName::Alias, AttackName::StaleUse, true, "EPT violation"),
    (MethodName::Alias, AttackName::InterruptUse, false, "by the alias"),
    (MethodName::Gate, AttackName::StrayWriteForeign, true, "EPT violation"),
    (MethodName::Gate, AttackName::StrayWriteOwn, true, "EPT violation"),
    (MethodName::Gate, AttackName::StaleUse, true, "EPT violation"),
    (MethodName::Gate, AttackName::InterruptUse, true, "EPT violation"),
    (MethodName::RootView, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::RootView, AttackName::StrayWriteOwn, false, "by the self slot"),
    (MethodName::RootView, AttackName::StaleUse, true, "never mapped"),
    (MethodName::RootView, AttackName::InterruptUse, true, "not mapped anywhere"),
];

/// Cells of the stub's methods with typed rules, which look at what is stored and let nobody else store to a table. They do not know
/// one program's pages from another's: that is the kernel's to know.
const TYPED: [Cell; 12] = [
    REMEMBERED,
    (MethodName::Hypercall, AttackName::StrayWriteForeign, true, "not mapped anywhere"),
    (MethodName::Hypercall, AttackName::ForgedEntryTable, true, "MapsTable"),
    (MethodName::Hypercall, AttackName::ForgedEntryStub, true, "OutsideMemory"),
    (MethodName::Hypercall, AttackName::ForgedEntryForeign, false, "by its page"),
    (MethodName::Alias, AttackName::StrayWriteForeign, true, "EPT violation"),
    (MethodName::Alias, AttackName::StrayWriteOwn, true, "EPT violation"),
    (MethodName::Alias, AttackName::ForgedEntryTable, true, "MapsTable"),
    (MethodName::Alias, AttackName::ForgedEntryStub, true, "OutsideMemory"),
    (MethodName::Alias, AttackName::ForgedEntryForeign, false, "by its page"),
    (MethodName::Alias, AttackName::StaleUse, true, "EPT violation"),
    (MethodName::Alias, AttackName::InterruptUse, true, "EPT violation"),
];

/// All of them.
pub fn cases() -> Vec<Case> {
    vec![
        attacked(Path::Bare, Rules::Tables, &[REMEMBERED]),
        attacked(Path::Vmx, Rules::Tables, &OF_STUB),
        attacked(Path::Svm, Rules::Tables, &ON_AMD),
        attacked(Path::Vmx, Rules::Typed, &TYPED),
        attacked(Path::Vmx, Rules::TypedPreset, &TYPED),
    ]
}

fn attacked(path: Path, rules: Rules, cells: &'static [Cell]) -> Case {
    let job = move || {
        let (plan, methods, pages) = (PlanName::Attack, Methods::All, PAGES);
        of_plan(path, emulator(path), Plan { plan, methods, pages, rules, ..Plan::default() })
    };
    let check = move |report: &Report| {
        no_cell_is_silent(path, rules, report)?;
        EVERYWHERE.iter().chain(cells).try_for_each(|cell| holds(report, cell))?;
        attacks(report).try_for_each(|attack| whatever_the_method(path, rules, attack))?;
        ensure!(report.count(counts::AUDITS).unwrap_or(0) > 0, "there was no audit");
        nothing_lost(report)
    };
    let with = if rules == Rules::Tables { String::new() } else { format!("-{rules}") };
    Case::new(format!("{path}/attacks{with}"), job, Expected::good(check))
}

fn attacks(report: &Report) -> impl Iterator<Item = &Attack> {
    report.records.iter().filter_map(|record| match record {
        Record::Attack(attack) => Some(attack),
        _ => None,
    })
}

fn cell(report: &Report, method: MethodName, attack: AttackName) -> Result<&Attack> {
    let mut cells = attacks(report);
    let cell = cells.find(|it| (&*it.method, &*it.attack) == (method.name(), attack.name()));
    cell.with_context(|| format!("nothing is said of {attack} under {method}"))
}

/// Every method was attacked in every way, or is not here and this is said.
fn no_cell_is_silent(path: Path, rules: Rules, report: &Report) -> Result<()> {
    for method in MethodName::ALL {
        let skipped = |it: &Record| matches!(it, Record::Skipped(it) if it.method == method.name());
        if may_be_skipped(path, rules, *method) && report.records.iter().any(skipped) {
            continue;
        }
        for attack in AttackName::ALL {
            let cell = cell(report, *method, *attack)?;
            ensure!(!cell.by.is_empty(), "{attack} under {method}: nobody knows why");
            ensure!(
                cell.stopped.is_some() || may_be_untested(path, *attack),
                "{attack} under {method} is untested: {}",
                cell.by
            );
        }
    }
    Ok(())
}

/// QEMU's emulated CPU has no PCIDs; views are for rules that let the guest store.
fn may_be_skipped(path: Path, rules: Rules, method: MethodName) -> bool {
    let by_machine = match path {
        Path::Bare | Path::Svm => method == MethodName::SpaceSwitchPcid,
        Path::Vmx => {
            rules != Rules::Tables && matches!(method, MethodName::Gate | MethodName::RootView)
        }
    };
    by_machine || !path.may_have(method)
}

fn may_be_untested(path: Path, attack: AttackName) -> bool {
    attack == AttackName::Dma || (path == Path::Bare && attack == AttackName::ForgedEntryStub)
}

fn holds(report: &Report, &(method, attack, stopped, says): &Cell) -> Result<()> {
    let cell = cell(report, method, attack)?;
    ensure!(
        cell.stopped == Some(stopped) && cell.by.contains(says),
        "{attack} under {method}: {:?}, {}",
        cell.stopped,
        cell.by
    );
    Ok(())
}

/// What programs try is the same for all methods; so are forged entries where only their place is checked: the stub is kept out of
/// reach by its nested tables alone.
fn whatever_the_method(path: Path, rules: Rules, attack: &Attack) -> Result<()> {
    let wanted = match (path, rules, attack.attack.parse()?) {
        (_, Rules::Tables, AttackName::ForgedEntryTable | AttackName::ForgedEntryForeign) => {
            (false, "by its page")
        }
        (Path::Vmx, Rules::Tables, AttackName::ForgedEntryStub) => (true, "EPT violation"),
        (Path::Svm, _, AttackName::ForgedEntryStub) => (true, "nested page fault, the stub"),
        (Path::Vmx | Path::Svm, _, AttackName::Ring3Vmcall) => (true, "NotPrivileged"),
        (Path::Vmx, _, AttackName::Ring3Vmfunc) => (true, "the stub, which counts it"),
        (Path::Svm, _, AttackName::Ring3Vmfunc)
        | (Path::Bare, _, AttackName::Ring3Vmcall | AttackName::Ring3Vmfunc) => {
            (true, "invalid opcode")
        }
        _ => return Ok(()),
    };
    let Attack { method, rules: told, attack, stopped, by, .. } = attack;
    let rules = if path == Path::Bare { NO_RULES } else { rules.name() };
    ensure!(told == rules, "{method} was attacked with rules {told}");
    let is_so = *stopped == Some(wanted.0) && by.contains(wanted.1);
    ensure!(is_so, "{attack} under {method}: {stopped:?}, {by}");
    Ok(())
}
