//! What is to be compared.

use std::time::Duration;

use loadphys_plan::command_line::{
    List, MethodName, Methods, NestedPage, Plan, PlanName, Rules, Swap,
};
use loadphys_plan::work;

use crate::machines::{MachineName, Path};

/// Which methods are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Those that each path is known for.
    Usual,
    /// All that each path has.
    All,
    /// These, where a path has them.
    Named(List<MethodName>),
}

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Request {
    /// On which paths.
    pub paths: Vec<Path>,
    /// By which methods.
    pub methods: Asked,
    /// With how many sharers.
    pub sharers: List<u32>,
    /// In batches of how many pages.
    pub batch: List<u32>,
    /// Pages for each row.
    pub pages: u32,
    /// Where patterns and orders begin.
    pub seed: u64,
    /// CPUs of the machine, all of which are used.
    pub cpus: u32,
    /// Spaces that exist while a row is measured; 0 is those of its sharers.
    pub spaces: u32,
    /// Where evicted pages go.
    pub swap: Swap,
    /// What the stub checks, one boot each.
    pub rules: Vec<Rules>,
    /// The largest pages of the stub's nested tables.
    pub nested_page: NestedPage,
}

/// How long a boot may take however little it has to do.
const LEAST_TIME: Duration = Duration::from_secs(600);

/// Pages that the slowest machine's programs surely check in a second; five times as many is usual.
const PAGES_A_SECOND: u64 = 2000;

/// Hardware is noisy: rows measured in cycles are measured that often.
const ROUNDS_ON_HARDWARE: u32 = 16;

impl Request {
    /// What the stub checks on a path; where there is none, one boot will do.
    pub fn rules_on(&self, path: Path) -> Vec<Rules> {
        if !path.has_stub() {
            return vec![Rules::Tables];
        }
        self.rules.iter().copied().filter(|rules| path.has_rules(*rules)).collect()
    }

    /// Rules that the stub cannot check on a path, and why.
    pub fn rules_skipped(&self) -> impl Iterator<Item = (Path, Rules, &'static str)> {
        let on = |path: Path| {
            self.rules
                .iter()
                .filter_map(move |rules| Some((path, *rules, path.lacks_rules(*rules)?)))
        };
        self.paths.iter().copied().flat_map(on)
    }

    /// The plan of the boot on this path and machine, under these rules.
    pub fn plan(&self, path: Path, machine: MachineName, rules: Rules) -> Plan {
        Plan {
            plan: PlanName::Compare,
            methods: self.methods_on(path),
            sharers: self.sharers.clone(),
            batch: self.batch.clone(),
            pages: self.pages,
            rounds: rounds(machine),
            seed: self.seed,
            cpus: self.cpus,
            spaces: self.spaces,
            swap: self.swap,
            rules,
            nested_page: self.nested_page,
            exit: machine.exit(),
            ..Plan::default()
        }
    }

    fn methods_on(&self, path: Path) -> Methods {
        let named = |names: &[MethodName]| {
            Methods::Named(List::new(names.iter().copied()).expect("different names"))
        };
        match &self.methods {
            Asked::All => Methods::All,
            Asked::Named(names) => Methods::Named(names.clone()),
            Asked::Usual => named(usual(path)),
        }
    }

    /// A method that was asked for by name, on paths none of which has it.
    pub fn impossible(&self) -> Option<MethodName> {
        let Asked::Named(names) = &self.methods else { return None };
        let nowhere = |name: &&MethodName| !self.paths.iter().any(|path| path.may_have(**name));
        names.iter().find(nowhere).copied()
    }

    /// How many rows a method has on a path.
    pub fn rows_for_each_method(&self) -> usize {
        self.sharers.len() * self.batch.len()
    }

    /// How many rows a path has, at most.
    pub fn most_rows(&self, path: Path) -> usize {
        let methods = match &self.methods {
            Asked::All => MethodName::ALL.len(),
            Asked::Named(names) => names.len(),
            Asked::Usual => usual(path).len(),
        };
        methods * self.rows_for_each_method()
    }

    /// How long a boot may take: it grows with the pages that programs have to check.
    pub fn time_limit(&self, path: Path, machine: MachineName) -> Duration {
        let (pages, rounds) = (self.pages, rounds(machine));
        let a_batch: u64 = self.sharers.iter().map(|s| work::verified(*s, pages, rounds)).sum();
        let rows = self.most_rows(path) / self.sharers.len();
        LEAST_TIME + Duration::from_secs(a_batch * rows as u64 / PAGES_A_SECOND)
    }

    /// The methods that were asked for by name on a path; none if whatever there is will do.
    pub fn named_on(&self, path: Path) -> Vec<MethodName> {
        match &self.methods {
            Asked::All => Vec::new(),
            Asked::Named(names) => names.to_vec(),
            Asked::Usual => usual(path).to_vec(),
        }
    }
}

/// How often a row is measured on a machine.
pub(super) fn rounds(machine: MachineName) -> u32 {
    if machine.tick() == "cycle" { ROUNDS_ON_HARDWARE } else { 1 }
}

const fn usual(path: Path) -> &'static [MethodName] {
    match path {
        Path::Bare => &[MethodName::Recursive],
        Path::Vmx | Path::Svm => &[MethodName::Alias, MethodName::Hypercall, MethodName::Recursive],
    }
}
