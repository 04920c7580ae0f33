//! Shootdowns: a CPU asks all others to let go, and waits until they have. Each answers between two batches, never in
//! the middle of one.

use std::cell::{Cell, RefCell};

use x86_64::VirtAddr;

/// A page of a space that CPUs shall forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget {
    /// The space.
    pub space: usize,
    /// The page.
    pub page: VirtAddr,
}

/// What the CPUs ask of each other.
#[derive(Debug)]
pub struct Shootdowns {
    cpus: Vec<Asked>,
}

/// What one CPU is asked.
#[derive(Debug)]
struct Asked {
    /// Whether it is at work, so that it will answer.
    works: Cell<bool>,
    /// The pages that it shall forget.
    pages: RefCell<Vec<Forget>>,
}

impl Shootdowns {
    /// Among so many CPUs, which are all at work, or work one after the other.
    pub fn new(cpus: usize, all_work: bool) -> Self {
        let asked = || Asked { works: Cell::new(all_work), pages: RefCell::default() };
        Self { cpus: (0..cpus).map(|_| asked()).collect() }
    }

    /// Asks all other CPUs that are at work.
    pub fn ask(&self, me: usize, page: Forget) {
        let others =
            self.cpus.iter().enumerate().filter(|(cpu, asked)| *cpu != me && asked.works.get());
        others.for_each(|(_, asked)| asked.pages.borrow_mut().push(page));
    }

    /// Whether all others have answered.
    pub fn is_answered(&self, page: Forget) -> bool {
        self.cpus.iter().all(|asked| !asked.pages.borrow().contains(&page))
    }

    /// What a CPU is asked; it stays asked until it has [answered](Shootdowns::answered).
    pub fn asked(&self, me: usize) -> Vec<Forget> {
        self.cpus[me].pages.borrow().clone()
    }

    /// A CPU has forgotten these pages.
    pub fn answered(&self, me: usize, pages: &[Forget]) {
        self.cpus[me].pages.borrow_mut().retain(|page| !pages.contains(page));
    }

    /// A CPU goes home, and is asked nothing any more.
    pub fn leave(&self, me: usize) {
        self.cpus[me].works.set(false);
        self.cpus[me].pages.borrow_mut().clear();
    }
}
