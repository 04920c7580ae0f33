//! Work for the kernel: steps, and what comes of them under a method.

use foreign_access::cpu::Counted;
use foreign_access::methods::AnyMethod;
use foreign_access::{Cpu, Method};
use loadphys_abi::batch::Item;
use loadphys_rules::Tables;

use crate::kernel::{
    BOOT_ROOT, CPUS, Happened, Intruder, Kernel, Loads, Mistake, ModelMachine, PAGES, Pcids, Plain,
    Records, SPACES, boot, chosen,
};
use crate::model::{Forgetful, Model, ModelCpu, Random, Seen, Violation};

/// What happens in the kernel's life.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A program touches a page: writes this, or reads.
    Touch {
        /// On this CPU.
        cpu: usize,
        /// A program of this space.
        space: usize,
        /// This page.
        page: usize,
        /// Writes this, or reads and checks.
        value: Option<u64>,
    },
    /// The clock chooses so many victims.
    EvictSome(usize),
    /// This page of this space is the victim, if it is in memory.
    EvictPage(usize, usize),
    /// So many writes to the swap device fail from now on.
    FailWrites(u32),
    /// A space ends.
    Exit(usize),
    /// On this CPU, tables of this space change places and are looked at.
    ExchangeTables(usize, usize),
}

impl Step {
    /// So many steps that a seed decides.
    pub fn sequence(seed: u64, count: usize) -> Vec<Self> {
        let random = Random::new(seed);
        (0..count).map(|_| Self::any(&random)).collect()
    }

    fn any(random: &Random) -> Self {
        let (space, page) = (random.below(SPACES), random.below(PAGES.len()));
        match random.below(20) {
            0 => Self::Exit(space),
            1..4 => Self::EvictSome(1 + random.below(5)),
            4..7 => Self::EvictPage(space, page),
            chance => {
                let value = (chance < 14).then(|| random.below(1 << 30) as u64);
                Self::Touch { cpu: random.below(CPUS), space, page, value }
            }
        }
    }
}

/// Under which circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The method by its name, or `plain`.
    pub method: &'static str,
    /// How many frames there are.
    pub frames: usize,
    /// How many slots swap has.
    pub slots: usize,
    /// For how many operations the kernel has room, and the method for how many items.
    pub room: usize,
    /// Whether programs on other CPUs run in the middle of the kernel's work.
    pub intruder: bool,
    /// Whether each space has a PCID of its own, and is loaded without a flush if nothing is stale.
    pub pcids: bool,
    /// What is broken on purpose.
    pub broken: Broken,
    /// Whether everything is audited after each step, or at the end only.
    pub audits: bool,
    /// Whether to go on after a violation. Tables may be in ruins then; contents of pages are not.
    pub goes_on: bool,
    /// Decides what the model's CPUs forget and what they keep.
    pub seed: u64,
}

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing.
    Nothing,
    /// INVLPG does nothing when the method asks for it.
    Invlpg,
    /// The method does not let go of foreign roots when the kernel asks for it.
    Detach,
    /// Spaces that were edited while they were not loaded are loaded without a flush.
    Flush,
}

impl Setup {
    /// Enough of everything, and nobody intrudes.
    pub fn roomy(method: &'static str, seed: u64) -> Self {
        Self {
            method,
            // Miri is slow, and every frame is poisoned at first.
            frames: if cfg!(miri) { 80 } else { 160 },
            slots: 80,
            room: 64,
            intruder: false,
            pcids: false,
            broken: Broken::Nothing,
            audits: !cfg!(miri),
            goes_on: false,
            seed,
        }
    }

    fn loads(&self) -> Loads {
        match (self.pcids, self.broken) {
            (false, _) => Loads::Flush,
            (true, Broken::Flush) => Loads::KeepStale,
            (true, _) => Loads::Keep,
        }
    }
}

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
    /// Free frames, mappings and slots at first, and after everything was ended.
    pub free: [[usize; 3]; 2],
}

impl Outcome {
    /// Nothing went wrong and nothing is lost.
    pub fn is_right(&self) -> bool {
        self.violations.is_empty()
            && self.happened.is_empty()
            && self.mistakes.is_empty()
            && self.free[0] == self.free[1]
    }
}

/// A kernel whose method is one of the list, on CPUs that count.
pub type Tested<'r, 'm, 'i> = Kernel<'r, 'm, Counted<ModelCpu<'m>>, AnyMethod<'i>>;

/// Boots a kernel and works with it.
pub fn with_kernel<T>(
    setup: &Setup,
    work: impl for<'r, 'm, 'i> FnOnce(&mut Tested<'r, 'm, 'i>) -> T,
) -> T {
    let states = Records::for_rules(setup.frames);
    let rules = Tables::new(&states);
    let model = Model::new(setup.frames, CPUS, BOOT_ROOT, rules, setup.seed);
    let mut items = vec![Item::default(); setup.room];
    let method = chosen(setup.method, &mut items);
    booted(setup, &model, rules, Counted::new, method, work)
}

/// Does the steps.
pub fn run(setup: &Setup, steps: &[Step]) -> Outcome {
    let states = Records::for_rules(setup.frames);
    let rules = Tables::new(&states);
    let model = Model::new(setup.frames, CPUS, BOOT_ROOT, rules, setup.seed);
    let mut items = vec![Item::default(); setup.room];
    match setup.method {
        "plain" => {
            let method = Plain(&model);
            booted(setup, &model, rules, |cpu| cpu, method, |kernel| life(kernel, setup, steps))
        }
        name => {
            let method = chosen(name, &mut items);
            match setup.broken {
                Broken::Invlpg => booted(setup, &model, rules, Forgetful, method, |kernel| {
                    life(kernel, setup, steps)
                }),
                _ => booted(
                    setup,
                    &model,
                    rules,
                    |cpu| cpu,
                    method,
                    |kernel| life(kernel, setup, steps),
                ),
            }
        }
    }
}

/// The names of all methods.
pub fn methods() -> &'static [&'static str] {
    AnyMethod::NAMES
}

/// Boots a kernel with this method, on CPUs of this kind, and works with it.
fn booted<'m, C: Cpu, M: Method<C>, T>(
    setup: &Setup,
    model: &'m Model<'m>,
    rules: Tables<'_>,
    cpu: impl Fn(ModelCpu<'m>) -> C,
    method: M,
    work: impl FnOnce(&mut Kernel<'_, 'm, C, M>) -> T,
) -> T {
    let mut records = Records::new(setup.frames, 100, setup.slots);
    let mut memory = records.memory();
    boot(model, rules, &mut memory.frames);
    let intruder = match setup.intruder {
        true => Intruder::Somebody(Random::new(setup.seed + 1)),
        false => Intruder::Nobody,
    };
    let cpus = (0..CPUS).map(|number| cpu(ModelCpu::new(model, number))).collect();
    let mut machine = ModelMachine::new(model, cpus, method, intruder);
    machine.detaches = setup.broken != Broken::Detach;
    machine.pcids = Pcids::new(setup.loads());
    work(&mut Kernel::new(memory, machine, setup.room))
}

/// From the first step to the end.
fn life<C: Cpu, M: Method<C>>(
    kernel: &mut Kernel<'_, '_, C, M>,
    setup: &Setup,
    steps: &[Step],
) -> Outcome {
    let mut outcome = Outcome { free: [kernel.free(); 2], ..Outcome::default() };
    for step in steps {
        let taken = take_step(kernel, *step, &mut outcome.evicted);
        outcome.take(taken);
        if kernel.model().has_violations() && !setup.goes_on {
            outcome.violations = kernel.model().take_violations();
            return outcome;
        }
        if setup.audits {
            outcome.take(kernel.audit().map(drop));
        }
    }
    outcome.finish(kernel);
    outcome
}

fn take_step<C: Cpu, M: Method<C>>(
    kernel: &mut Kernel<'_, '_, C, M>,
    step: Step,
    evicted: &mut u32,
) -> Result<(), Mistake> {
    match step {
        Step::Touch { cpu, space, page, value } => return kernel.touch(cpu, space, page, value),
        Step::EvictSome(count) => *evicted += kernel.evict_some(count).evicted,
        Step::EvictPage(space, page) => {
            let victim = kernel.frame_of(space, page);
            *evicted += kernel.evict(victim.as_slice()).evicted;
        }
        Step::ExchangeTables(cpu, space) => kernel.exchange_tables(cpu, space),
        Step::FailWrites(count) => kernel.machine.device.failures = count,
        Step::Exit(space) => return kernel.exit(space),
    }
    Ok(())
}

impl Outcome {
    fn take(&mut self, result: Result<(), Mistake>) {
        self.mistakes.extend(result.err());
    }

    /// An audit loads every entry of every table, which takes Miri minutes.
    fn audit<C: Cpu, M: Method<C>>(&mut self, kernel: &mut Kernel<'_, '_, C, M>) {
        if !cfg!(miri) {
            self.take(kernel.audit().map(drop));
        }
    }

    /// Looks at everything once more, then ends everything and looks at what is left.
    fn finish<C: Cpu, M: Method<C>>(&mut self, kernel: &mut Kernel<'_, '_, C, M>) {
        let model = kernel.model();
        self.audit(kernel);
        let roots = kernel.machine.world.spaces;
        self.spaces = roots.iter().map(|root| root.map(|root| model.entries(root))).collect();
        self.take(kernel.end());
        self.audit(kernel);
        self.free[1] = kernel.free();
        self.violations = model.take_violations();
        self.happened = std::mem::take(&mut kernel.machine.world.happened);
    }
}
