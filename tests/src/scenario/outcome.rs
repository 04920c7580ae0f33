//! What came of the work.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use foreign_access::{Cpu, Method};

use crate::flushes::Site;
use crate::kernel::{Happened, Kernel, Mistake};
use crate::model::{Seen, Violation};

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What stands in the tables of each space.
    pub spaces: Vec<Option<Vec<Seen>>>,
    /// What the model saw and must not happen.
    pub violations: Vec<Violation>,
    /// What programs read and nobody wrote.
    pub happened: Vec<Happened>,
    /// What the kernel could not do, and what the audit found.
    pub mistakes: Vec<Mistake>,
    /// How many pages were evicted.
    pub evicted: u32,
    /// How many page faults were answered.
    pub faults: u32,
    /// Free frames, mappings and slots at first, and after everything was ended.
    pub free: [[usize; 3]; 2],
    /// How things stood on the way.
    pub checkpoints: Vec<Checkpoint>,
    /// Who asked for flushes, if that is listed.
    pub sites: BTreeSet<Site>,
}

/// How things stood after some steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many pages had been evicted.
    pub evicted: u32,
    /// What stood in the tables of all spaces, as one number.
    pub tables: u64,
}

impl Outcome {
    /// The first thing that went wrong, or was lost, in words of the code.
    pub fn first_wrong(&self) -> Option<String> {
        let lost = || {
            let [before, after] = self.free;
            (before != after).then(|| format!("free at first {before:?}, at the end {after:?}"))
        };
        let violation = self.violations.first().map(|wrong| format!("{wrong:?}"));
        let happened = || self.happened.first().map(|wrong| format!("{wrong:?}"));
        let mistake = || self.mistakes.first().map(|wrong| format!("{wrong:?}"));
        violation.or_else(happened).or_else(mistake).or_else(lost)
    }

    /// Forgets that frames were missing, which is no mistake where there are few.
    pub fn forgive_missing_frames(&mut self) {
        self.mistakes.retain(|mistake| !mistake.is_missing_frame());
    }

    pub(super) fn take(&mut self, result: Result<(), Mistake>) {
        self.mistakes.extend(result.err());
    }

    /// Remembers how things stand.
    pub(super) fn remember<C: Cpu, M: Method<C>>(&mut self, kernel: &Kernel<'_, '_, C, M>) {
        let mut hasher = DefaultHasher::new();
        tables(kernel).hash(&mut hasher);
        self.checkpoints.push(Checkpoint { evicted: self.evicted, tables: hasher.finish() });
    }

    /// Looks at everything once more, then ends everything and looks at what is left.
    pub(super) fn finish<C: Cpu, M: Method<C>>(&mut self, kernel: &mut Kernel<'_, '_, C, M>) {
        self.take(kernel.audit().map(drop));
        self.spaces = tables(kernel);
        self.take(kernel.end());
        self.take(kernel.audit().map(drop));
        self.free[1] = kernel.free();
        self.faults = kernel.machine.world.faults;
        self.violations = kernel.model().take_violations();
        self.happened = std::mem::take(&mut kernel.machine.world.happened);
    }
}

/// What stands in the tables of each space.
fn tables<C: Cpu, M: Method<C>>(kernel: &Kernel<'_, '_, C, M>) -> Vec<Option<Vec<Seen>>> {
    let roots = kernel.machine.world.spaces;
    roots.iter().map(|root| root.map(|root| kernel.model().entries(root))).collect()
}
