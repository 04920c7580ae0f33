//! The kernel with three programs, and entries of theirs that a method is tried on.
#![expect(unsafe_code, reason = "has the method edit entries")]

use alloc::vec::Vec;

use foreign_access::cpu::Hardware;
use foreign_access::walk::{self, NoEntry};
use foreign_access::{Cpu, Entry, EntryName, Operation, Stopped};
use loadphys_apps::places::{CODE, PAGE, PRIVATE, SHARED, STACK_TOP};
use loadphys_plan::command_line::MethodName;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::Conformance;
use super::machine_state::MachineState;
use super::reference::Reference;
use crate::interrupts::probe;
use crate::kernel::{Kernel, MOST_PROCESSES};
use crate::scene::Failure;

/// Nothing belongs here; tables are built for it where a check needs tables of its own.
pub const SPARE_PAGE: VirtAddr = VirtAddr::new_truncate(0x3000_0000_0000);

/// The loaded space, by its program.
pub const HOME: usize = 0;

/// A space that is not loaded.
pub const FOREIGN: usize = 1;

/// The trial of a method.
pub struct Trial<'k> {
    /// The kernel.
    pub kernel: &'k mut Kernel,
    /// The method in use.
    pub method: MethodName,
    /// Entries of all spaces, of all levels: several of one table, and of several tables.
    pub names: Vec<EntryName>,
    /// What was found out so far.
    pub found: Conformance,
}

impl<'k> Trial<'k> {
    /// Names the entries and loads the first space.
    ///
    /// # Errors
    /// If a program has no such page.
    pub fn new(kernel: &'k mut Kernel, method: MethodName) -> Result<Self, Failure> {
        let (names, found) = (Vec::new(), Conformance::default());
        let mut trial = Self { kernel, method, names, found };
        let last_shared = SHARED + (u64::from(trial.kernel.core().shared_pages) - 1) * PAGE;
        let pages = [CODE, PRIVATE, PRIVATE + PAGE, SHARED, last_shared, STACK_TOP - PAGE];
        for number in 0..trial.programs() {
            for page in pages {
                let names = trial.walk(trial.root(number), VirtAddr::new(page))?;
                trial.names.extend(names);
            }
        }
        trial.load(HOME);
        Ok(trial)
    }

    /// How many programs there are.
    pub fn programs(&self) -> usize {
        self.kernel.core().processes.len()
    }

    /// The root of a program's space.
    pub fn root(&self, number: usize) -> PhysFrame {
        self.kernel.core().processes[number].space.root
    }

    /// The pages that all have.
    pub fn shared_pages(&self) -> impl Iterator<Item = VirtAddr> + use<> {
        (0..u64::from(self.kernel.core().shared_pages))
            .map(|page| VirtAddr::new(SHARED + page * PAGE))
    }

    /// Loads the space of a program.
    pub fn load(&mut self, number: usize) {
        let space = &self.kernel.core().processes[number].space;
        self.kernel.machine.load(space.root, space.identity);
    }

    /// This CPU.
    pub fn cpu(&self) -> Hardware {
        *self.kernel.machine.cpu()
    }

    /// What an entry holds, by the kernel's window and not by the method.
    pub fn look(&mut self, name: &EntryName) -> Entry {
        let index = usize::from(name.index());
        self.kernel.machine.show(name.table(), |words| Entry(words[index]))
    }

    /// The names of the entries that translate a page, from the root down, by the window too.
    ///
    /// # Errors
    /// What is in the way.
    pub fn walk(&mut self, root: PhysFrame, page: VirtAddr) -> Result<[EntryName; 4], Failure> {
        let mut names = [walk::top(root, page); 4];
        for below in 1..names.len() {
            let entry = self.look(&names[below - 1]);
            names[below] = walk::below(&names[below - 1], entry).map_err(|why| no_entry(&why))?;
        }
        Ok(names)
    }

    /// The name of the entry of level one of a page.
    ///
    /// # Errors
    /// What is in the way.
    pub fn leaf(&mut self, root: PhysFrame, page: VirtAddr) -> Result<EntryName, Failure> {
        self.walk(root, page).map(|names| names[3])
    }

    /// Has the method do a batch, and holds what it says, what it did and what it left of the CPU against the
    /// reference.
    ///
    /// # Errors
    /// What differs.
    pub fn batch(&mut self, operations: &mut [Operation]) -> Result<(), Failure> {
        let cpu = self.cpu();
        self.batch_on(&cpu, operations)
    }

    /// The same on another view of this CPU.
    ///
    /// # Errors
    /// What differs.
    pub fn batch_on(
        &mut self,
        cpu: &impl Cpu,
        operations: &mut [Operation],
    ) -> Result<(), Failure> {
        let mut reference = Reference::new(self, operations);
        let mut wanted = operations.to_vec();
        let outcome = reference.apply(&mut wanted);
        let before = MachineState::read(self);
        let answer = self.apply_on(cpu, operations);
        before.must_still_be(self)?;
        if answer != outcome {
            return Err(Failure::new(format_args!("it says {answer:?}, not {outcome:?}")));
        }
        reference.must_be_found(&wanted, operations)?;
        reference.must_be_there(self)
    }

    /// Has the method do a batch on another view of this CPU, and nothing else.
    ///
    /// # Errors
    /// As the method says.
    pub fn apply_on(
        &mut self,
        cpu: &impl Cpu,
        operations: &mut [Operation],
    ) -> Result<(), Stopped> {
        // SAFETY: names come from walks by the window, from `page_reclaim`, or are of frames that the kernel has for
        // itself and the method takes by frame; no space changes meanwhile but by this. Programs do not
        // run before what they need is put back.
        unsafe { self.kernel.machine.apply_on(cpu, operations) }
    }

    /// What was edited is flushed as the kernel does it.
    pub fn flush(&mut self, operations: &[Operation]) {
        use page_reclaim::Machine as Deeds;
        self.kernel.machine.edited(operations);
        self.kernel.machine.flush();
    }

    /// Looks at a page of the loaded space, with SMAP off; says whether it is mapped. This leaves a translation in the TLB,
    /// and Accessed in the entry, unless there was one.
    pub fn touch(&self, page: VirtAddr) -> bool {
        probe(page, false).is_some()
    }
}

fn no_entry(why: &NoEntry) -> Failure {
    Failure::new(format_args!("a table is not where it should be: {why:?}"))
}

const _: () = assert!((super::PROGRAMS as usize) < MOST_PROCESSES && FOREIGN < 3);
