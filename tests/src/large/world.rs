//! The kernel that keeps large pages, and the programs that use them.

use foreign_access::{Action, Cpu, Method, Operation, walk};
use page_reclaim::Machine;

use super::Step;
use super::page::{LARGE, Page, WORDS};
use crate::kernel::{BOOT_ROOT, Kernel, SPACES};
use crate::model::Random;

/// Small pages beside whose tables the large pages lie: their tables of level two and three are built first.
const NEIGHBOURS: [usize; 2] = [0, 4];

/// A program met something else than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surprise {
    /// What it did.
    pub step: (usize, usize, Option<u64>),
    /// What it should have read (`None`: a fault).
    pub expected: Option<u64>,
    /// What it read.
    pub found: Option<u64>,
}

/// Large pages, over a kernel.
pub struct World<'k, 'r, 'm, C, M> {
    /// The kernel.
    pub kernel: &'k mut Kernel<'r, 'm, C, M>,
    /// What programs met and should not have.
    pub surprises: Vec<Surprise>,
    /// How many pages were evicted.
    pub evicted: u32,
    pages: Vec<Page>,
    flushes: bool,
    /// Chooses places in memory, and the address in a page by which it is flushed.
    random: Random,
}

impl<'k, 'r, 'm, C: Cpu, M: Method<C>> World<'k, 'r, 'm, C, M> {
    /// All spaces, with the tables that large pages need; the pages are nowhere.
    pub fn new(kernel: &'k mut Kernel<'r, 'm, C, M>, flushes: bool) -> Self {
        for (space, page) in (0..SPACES).flat_map(|space| NEIGHBOURS.map(|page| (space, page))) {
            kernel.touch(0, space, page, None).expect("there is memory");
        }
        let pages = LARGE.map(Page::new).into();
        let random = Random::new(1);
        Self { kernel, surprises: Vec::new(), evicted: 0, pages, flushes, random }
    }

    /// Does what happens.
    pub fn take_step(&mut self, step: Step) {
        match step {
            Step::Touch { cpu, space, at, value } => self.touch(cpu, space, at, value),
            Step::Share(space, page) => {
                self.pages[page].sharers[space].get_or_insert(true);
                self.change(page, space);
            }
            Step::Unmap(space, page) => {
                self.pages[page].sharers[space] = None;
                self.change(page, space);
            }
            Step::Rights(space, page, may_write) => {
                let sharer = &mut self.pages[page].sharers[space];
                *sharer = sharer.map(|_| may_write);
                self.change(page, space);
            }
            Step::Evict(page) => self.evict(page),
            Step::BringBack(page) => self.bring_back(page),
            Step::Small(cpu, space, page) => {
                self.kernel.touch(cpu, space, page, None).expect("there is memory");
            }
        }
    }

    /// One space's entry changes, wherever the page is.
    fn change(&mut self, page: usize, space: usize) {
        self.put(page, self.pages[page].memory, |other| other == space);
    }

    /// A program reads or writes a word of a large page; it faults exactly if it must.
    fn touch(&mut self, cpu: usize, space: usize, at: (usize, usize), value: Option<u64>) {
        let root = self.kernel.machine.world.spaces[space].unwrap_or(BOOT_ROOT);
        if self.kernel.model().root(cpu) != root {
            self.kernel.machine.load_root(cpu, root);
        }
        let (model, page) = (self.kernel.model(), &mut self.pages[at.0]);
        let address = page.place.word(at.1);
        let sharer = page.memory.and(page.sharers[space]);
        let (expected, found) = match value {
            None => (sharer.map(|_| page.contents[at.1]), model.user_load(cpu, address)),
            Some(value) => (
                sharer.filter(|may_write| *may_write).map(|_| value),
                model.user_store(cpu, address, value).map(|()| value),
            ),
        };
        if expected != found {
            self.surprises.push(Surprise { step: (cpu, space, value), expected, found });
        }
        if let Some(value) = value.filter(|_| found.is_some()) {
            page.contents[at.1] = value;
        }
    }

    /// Every sharer's entry becomes one of swap; all CPUs forget the page; only then are its frames free.
    fn evict(&mut self, page: usize) {
        if self.pages[page].memory.is_some() {
            self.put(page, None, |_| true);
            let model = self.kernel.model();
            self.pages[page].give_up(model);
            self.evicted += 1;
        }
    }

    fn bring_back(&mut self, page: usize) {
        if self.pages[page].memory.is_none() {
            let places = self.pages[page].place.memory;
            let place = places[self.random.below(places.len())];
            let model = self.kernel.model();
            self.pages[page].fill(model, place);
            self.put(page, Some(place), |_| true);
        }
    }

    /// Gives these spaces the entry of a page that lies here or nowhere, in one batch with one flush.
    fn put(&mut self, page: usize, memory: Option<u64>, is_meant: impl Fn(usize) -> bool) {
        let meant = (0..SPACES).filter(|space| is_meant(*space));
        let mut batch: Vec<_> = meant.map(|space| self.operation(page, memory, space)).collect();
        let machine = &mut self.kernel.machine;
        assert_eq!(machine.apply(&mut batch), Ok(()));
        machine.edited(&batch);
        if self.flushes {
            machine.flush();
        }
    }

    /// The exchange of a space's entry of a page. Its name is that of any address in the page, and so is
    /// that of the flush.
    fn operation(&mut self, number: usize, memory: Option<u64>, space: usize) -> Operation {
        let page = &self.pages[number];
        let (new, level) = (page.entry(space, memory), page.place.level);
        let inside = page.place.word(self.random.below(WORDS));
        let machine = &mut self.kernel.machine;
        let root = machine.world.spaces[space].expect("all spaces exist");
        let found = walk::find(|batch| machine.apply(batch), root, inside, level);
        let (name, _) = found.expect("tables lead there");
        Operation::new(name, Action::Exchange(new))
    }
}
