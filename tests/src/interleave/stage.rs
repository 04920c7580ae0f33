//! Several kernels on one model, and what comes of it.

use std::cell::RefCell;
use std::collections::HashMap;

use foreign_access::methods::Bindings;
use foreign_access::{Cpu, Entry, Method};
use loadphys_abi::batch::Item;
use loadphys_rules::Tables;
use x86_64::structures::paging::PhysFrame;

use super::coroutines::{Job as Turn, Pause, together};
use super::cpu::{Interleaved, Twin};
use super::interrupts::{Interrupts, Spaces};
use super::job::{Job, Mistake, Step};
use super::shootdown::Shootdowns;
use crate::flushes::Flushes;
use crate::kernel::{
    BOOT_ROOT, CPUS, Kernel, ModelMachine, Plain, Records, SHARED, chosen, protocol, shown,
};
use crate::model::{Model, ModelCpu, Random, Seen, Violation};
use crate::scenario::{Setup, booted, cpus};

/// Spaces of a scene.
const SPACES: usize = 4;

/// Operations that a method has room for at once.
const ROOM: usize = 4;

/// Under which circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// How many CPUs.
    pub cpus: usize,
    /// How many things each does.
    pub steps: usize,
    /// Whether spaces have PCIDs.
    pub pcids: bool,
    /// Whether interrupts come that switch to other spaces and back.
    pub interrupts: bool,
    /// What is broken.
    pub twin: Twin,
    /// Decides everything else.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What stands in the tables of each space.
    pub spaces: Vec<Vec<Seen>>,
    /// What the model saw and must not happen.
    pub violations: Vec<Violation>,
    /// What the kernels saw and must not be.
    pub mistakes: Vec<Mistake>,
    /// What the windows of the CPUs show at the end.
    pub windows: Vec<Entry>,
}

impl Outcome {
    /// Nothing went wrong, and no window was left open.
    pub fn is_right(&self) -> bool {
        self.violations.is_empty()
            && self.mistakes.is_empty()
            && self.windows.iter().all(|window| *window == Entry::EMPTY)
    }
}

/// Runs the scene with a method of this name, one instance for each CPU. With `plain`, the reference, one CPU
/// after the other does all it has to do.
pub fn run(method: &'static str, scene: &Scene) -> Outcome {
    let setup = Setup::roomy(method, scene.seed);
    let states = Records::for_rules(setup.frames);
    let rules = Tables::new(&states);
    let model = Model::new(setup.frames, scene.cpus, BOOT_ROOT, rules, scene.seed);
    let mut items = vec![[Item::default(); ROOM]; scene.cpus + 1];
    let [first, items @ ..] = &mut items[..] else { unreachable!("one more than CPUs") };
    let (asked, cpus) = (Flushes::new(setup.flushing), cpus(&model, |cpu| cpu));
    let (protocol, bindings) = (protocol(CPUS), Bindings::none());
    let roots = match method {
        "plain" => {
            let machine = ModelMachine::new(&model, &asked, &protocol, cpus, Plain(&model));
            booted(&setup, rules, machine, spaces)
        }
        name => {
            let method = chosen(name, first, &bindings);
            let machine = ModelMachine::new(&model, &asked, &protocol, cpus, method);
            booted(&setup, rules, machine, spaces)
        }
    };
    let spaces = Spaces { roots, pcids: scene.pcids };
    let shootdowns = Shootdowns::new(scene.cpus, method != "plain");
    let outcome = RefCell::default();
    let stage = Stage { model: &model, spaces: &spaces, shootdowns: &shootdowns, scene, outcome };
    match method {
        "plain" => (0..scene.cpus).for_each(|cpu| stage.work(cpu, &Pause::ALONE, Plain(&model))),
        name => stage.together(name, items, &bindings),
    }
    stage.finish()
}

/// Makes the spaces, with tables and shared pages; then nobody has them loaded.
fn spaces<C: Cpu, M: Method<C>>(kernel: &mut Kernel<'_, '_, C, M>) -> Vec<PhysFrame> {
    for (space, page) in (0..SPACES).flat_map(|space| (0..SHARED).map(move |page| (space, page))) {
        kernel.touch(0, space, page, Some(1)).expect("there is memory");
    }
    (0..CPUS).for_each(|cpu| kernel.machine.load_root(cpu, BOOT_ROOT));
    kernel.machine.world.spaces.iter().flatten().copied().collect()
}

struct Stage<'s, 'm> {
    model: &'m Model<'m>,
    spaces: &'s Spaces,
    shootdowns: &'s Shootdowns,
    scene: &'s Scene,
    outcome: RefCell<Outcome>,
}

impl<'s, 'm> Stage<'s, 'm> {
    /// The kernels of all CPUs take turns.
    fn together(&self, method: &str, items: &mut [[Item; ROOM]], bindings: &Bindings) {
        let turn = |(cpu, items)| -> Turn<'_> {
            let method = chosen(method, items, bindings);
            Box::new(move |pause| self.work(cpu, pause, method))
        };
        let turns = items.iter_mut().map(|items| &mut items[..]).enumerate().map(turn).collect();
        together(&Random::new(self.scene.seed + 1), turns);
    }

    /// The kernel of one CPU does all it has to do; then it goes home.
    fn work<M>(&self, number: usize, pause: &Pause<'_>, method: M)
    where
        M: for<'j> Method<Interleaved<'j, 's, 'm>>,
    {
        let Self { model, spaces, shootdowns, scene, .. } = *self;
        let seed = scene.seed * 8 + number as u64;
        let interrupts = Interrupts::new(model, number, spaces, seed, scene.interrupts);
        interrupts.load(if scene.seed.is_multiple_of(2) { 0 } else { number % SPACES });
        let cpu = ModelCpu::new(model, number);
        let cpu = Interleaved { cpu, pause, interrupts: &interrupts, twin: scene.twin };
        let (own, stored) = (HashMap::new(), 0);
        let mut job = Job { cpu, number, model, spaces, shootdowns, method, own, stored };
        for step in Step::sequence(seed, scene.steps, SPACES) {
            let done = job.take_step(&step);
            self.outcome.borrow_mut().mistakes.extend(done.err());
            if self.is_broken() {
                break;
            }
        }
        job.method.detach(&job.cpu);
        shootdowns.leave(number);
    }

    /// Whether something is wrong that may have left tables in ruins. That interrupts were on where they must not
    /// be is wrong too, but what matters is what comes of it.
    fn is_broken(&self) -> bool {
        let mut outcome = self.outcome.borrow_mut();
        outcome.violations.extend(self.model.take_violations());
        let ruins = |violation: &Violation| !matches!(violation, Violation::Interruptible(_));
        !outcome.mistakes.is_empty() || outcome.violations.iter().any(ruins)
    }

    fn finish(self) -> Outcome {
        self.is_broken();
        let mut outcome = self.outcome.into_inner();
        outcome.spaces = self.spaces.roots.iter().map(|root| self.model.entries(*root)).collect();
        outcome.windows = (0..self.scene.cpus).map(|cpu| shown(self.model, cpu)).collect();
        outcome
    }
}
