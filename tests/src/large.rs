//! Large pages of programs: a kernel maps, changes, evicts and brings back pages of 2 MiB and 1 GiB by
//! a method, and programs touch memory in them.
//!
//! They lie in memory that the small kernel's records know nothing of, at the same address in every
//! space that has them, beside its tables.

mod page;
mod world;

use foreign_access::methods::Bindings;
use foreign_access::{Cpu, Method};
use loadphys_abi::batch::Item;
use loadphys_rules::Tables;

use crate::flushes::Flushes;
use crate::kernel::{
    BOOT_ROOT, CPUS, Kernel, ModelMachine, PAGES, Plain, Records, SPACES, chosen, protocol,
};
use crate::model::{Model, Random, Seen, Violation};
use crate::scenario::{Setup, booted, cpus};

pub use page::{LARGE, Place, WORDS};
pub use world::{Surprise, World};

/// Frames of the model: two GiB, the second of which is the large page's of that size.
const FRAMES: usize = 2 << 18;

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// On a CPU, a program of a space writes this to a large page, or reads it; it should fault if the page is not
    /// there, or must not be written.
    Touch {
        /// On this CPU.
        cpu: usize,
        /// A program of this space.
        space: usize,
        /// This page, this of its [`WORDS`].
        at: (usize, usize),
        /// Writes this, or reads and checks.
        value: Option<u64>,
    },
    /// A space gets a page that is in memory.
    Share(usize, usize),
    /// A space loses a page.
    Unmap(usize, usize),
    /// A space may write a page from now on, or may not.
    Rights(usize, usize, bool),
    /// A page goes to swap; every sharer's entry changes in one batch.
    Evict(usize),
    /// A page comes back, into some place; its sharers get it in one batch.
    BringBack(usize),
    /// A program touches a small page.
    Small(usize, usize, usize),
}

impl Step {
    /// So many steps that a seed decides.
    pub fn sequence(seed: u64, count: usize) -> Vec<Self> {
        let random = Random::new(seed);
        (0..count).map(|_| Self::any(&random)).collect()
    }

    fn any(random: &Random) -> Self {
        let (cpu, space) = (random.below(CPUS), random.below(SPACES));
        let page = random.below(LARGE.len());
        match random.below(20) {
            0..3 => Self::Share(space, page),
            3 => Self::Unmap(space, page),
            4..6 => Self::Rights(space, page, random.chance(1, 2)),
            6..8 => Self::Evict(page),
            8..10 => Self::BringBack(page),
            10 => Self::Small(cpu, space, random.below(PAGES.len())),
            chance => {
                let value = (chance < 16).then(|| random.below(1 << 30) as u64);
                Self::Touch { cpu, space, at: (page, random.below(WORDS)), value }
            }
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
    /// What programs met and should not have.
    pub surprises: Vec<Surprise>,
    /// How many pages were evicted.
    pub evicted: u32,
}

impl Outcome {
    /// Nothing went wrong.
    pub fn is_right(&self) -> bool {
        self.violations.is_empty() && self.surprises.is_empty()
    }
}

/// Does the steps; a broken twin of the kernel does not flush.
pub fn run(setup: &Setup, flushes: bool, steps: &[Step]) -> Outcome {
    let states = Records::for_rules(setup.frames);
    let rules = Tables::new(&states);
    let model = Model::new(FRAMES, CPUS, BOOT_ROOT, rules, setup.seed);
    let (asked, mut items) = (Flushes::new(setup.flushing), vec![Item::default(); setup.room]);
    let bindings = Bindings::none();
    let (cpus, protocol) = (cpus(&model, |cpu| cpu), protocol(CPUS));
    match setup.method {
        "plain" => {
            let machine = ModelMachine::new(&model, &asked, &protocol, cpus, Plain(&model));
            booted(setup, rules, machine, |kernel| life(kernel, flushes, steps))
        }
        name => {
            let method = chosen(name, &mut items, &bindings);
            let machine = ModelMachine::new(&model, &asked, &protocol, cpus, method);
            booted(setup, rules, machine, |kernel| life(kernel, flushes, steps))
        }
    }
}

fn life<C: Cpu, M: Method<C>>(
    kernel: &mut Kernel<'_, '_, C, M>,
    flushes: bool,
    steps: &[Step],
) -> Outcome {
    let mut world = World::new(kernel, flushes);
    for step in steps {
        world.take_step(*step);
        if world.kernel.model().has_violations() {
            break;
        }
    }
    let World { kernel, surprises, evicted, .. } = world;
    let model = kernel.model();
    let roots = kernel.machine.world.spaces;
    let spaces = roots.iter().map(|root| root.map(|root| model.entries(root))).collect();
    Outcome { spaces, violations: model.take_violations(), surprises, evicted }
}
