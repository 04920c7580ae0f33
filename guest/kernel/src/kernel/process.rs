//! A program that runs: its registers, its space, and whether it has something to do.

use alloc::boxed::Box;
use core::fmt;

use loadphys_apps::calls::Command;
use loadphys_apps::course::Route;
use loadphys_apps::places::{CODE, PAGE};
use loadphys_apps::{Program, Start};
use page_reclaim::tables::{self, TableError};
use page_reclaim::{BroughtIn, end_share, tear_down};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::image::Image;
use super::space::{Shape, Space};
use super::{Core, Kernel, MOST_PROCESSES};
use crate::console::log;
use crate::other_context;
use crate::user::Context;

/// What a program is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can run.
    Ready,
    /// A CPU runs it, or answers it; its registers are that CPU's.
    Running,
    /// It waits to be told what to do.
    Waiting,
    /// It came to its end, or was ended.
    Gone,
}

/// A program that runs.
#[derive(Debug)]
pub struct Process {
    /// Which program.
    pub program: Program,
    /// Its registers, at a fixed place: the CPU pushes into them.
    pub context: Box<Context>,
    /// Its space.
    pub space: Space,
    /// What it is at.
    pub state: State,
}

/// A program that is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which program.
    pub program: Program,
    /// By how many the words of the shared segment are written, each its part.
    pub sharers: u64,
    /// Pages of the shared segment that it has.
    pub shared: u32,
    /// Pages of its own.
    pub private: u64,
    /// The course that it follows, if it follows one.
    pub route: Option<Route>,
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug)]
pub enum StartError {
    /// There are [`MOST_PROCESSES`] already.
    TooMany,
    /// Its tables could not be built.
    Table(TableError),
    /// A page of it could not be brought in.
    Page(super::faults::Unmapped),
}

impl StartError {
    /// Whether a page of it should have come from swap, and did not.
    pub const fn is_of_device(self) -> bool {
        matches!(self, Self::Page(why) if why.is_of_device())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "{MOST_PROCESSES} programs run already"),
            Self::Table(why) => write!(f, "no tables for a program: {why:?}"),
            Self::Page(why) => write!(f, "no page for a program: {why}"),
        }
    }
}

/// So many indices there are; patterns have room for no more.
const MOST_INDEX: u64 = 1 << 15;

impl Kernel {
    /// Starts a program with pages of its own.
    ///
    /// # Errors
    /// [`StartError`]; a program that was begun is buried.
    pub fn start(&mut self, wanted: Wanted) -> Result<usize, StartError> {
        let image = Image::find();
        let number = self.set_up(wanted, &image)?;
        let loaded = (0..image.pages()).try_for_each(|page| self.load_code(number, &image, page));
        if let Err(why) = loaded {
            // It is the last, so none in line moves up.
            self.bury(number);
            return Err(why);
        }
        self.core().make_ready(number);
        Ok(number)
    }

    /// Makes a space and registers for a program; gives its number.
    fn set_up(&mut self, wanted: Wanted, image: &Image) -> Result<usize, StartError> {
        let Wanted { program, sharers, shared, private, route } = wanted;
        let start = Start {
            program,
            index: self.core().count_start(),
            sharers,
            shared_pages: shared.into(),
            private_pages: private,
            route,
        };
        let behind_the_segment = self.core().shared_pages;
        let shape = Shape { shared, code: image.pages(), code_share: behind_the_segment, private };
        let context = Context::start(image.entry, &start);
        self.add(program, context, State::Ready, |root, _| Space::new(root, shape))
    }

    /// Adds a program with an empty space, which `space` makes of a root, seeing the others.
    pub(super) fn add(
        &mut self,
        program: Program,
        context: Context,
        state: State,
        space: impl FnOnce(PhysFrame, &[Process]) -> Space,
    ) -> Result<usize, StartError> {
        let number = self.core().processes.len();
        if number >= MOST_PROCESSES {
            return Err(StartError::TooMany);
        }
        let root = self.new_root().map_err(StartError::Table)?;
        let mut context = Box::new(context);
        other_context::keep(root, &mut context);
        let processes = &mut self.core().processes;
        let space = space(root, processes);
        processes.push(Process { program, context, space, state });
        Ok(number)
    }

    /// Makes a root, evicting pages where no frame is free.
    fn new_root(&mut self) -> Result<PhysFrame, TableError> {
        loop {
            let made = tables::new_root(&mut self.core().memory, &mut self.machine);
            if made != Err(TableError::NoFrame) || self.make_room() == 0 {
                return made;
            }
        }
    }

    /// Brings a page of code in; the first program to want it has it filled.
    fn load_code(&mut self, number: usize, image: &Image, page: u32) -> Result<(), StartError> {
        let address = VirtAddr::new(CODE + u64::from(page) * PAGE);
        let fill = |how, words: &mut _| {
            if how == BroughtIn::Zeroed {
                image.fill(page, words);
            }
        };
        self.bring_and_show(number, address, fill).map_err(StartError::Page)
    }

    /// Ends the space of one program and forgets it; those after it move up. No program is in line.
    ///
    /// # Panics
    /// As [`Self::clear`].
    pub fn bury(&mut self, number: usize) {
        self.machine.load_kernel();
        let _alone = self.shared.alone();
        let mut core = self.core();
        let Core { memory, processes, .. } = &mut *core;
        let root = processes.remove(number).space.root;
        tear_down(memory, &mut self.machine, root, &mut self.room).expect("a space can end");
        other_context::forget(root);
    }

    /// Ends all spaces and what they shared.
    ///
    /// # Panics
    /// If a table cannot be given back: the records are wrong then, and nothing can be trusted.
    pub fn clear(&mut self) {
        self.machine.load_kernel();
        let _alone = self.shared.alone();
        let mut core = self.core();
        let Core { memory, processes, started, .. } = &mut *core;
        for process in core::mem::take(processes) {
            tear_down(memory, &mut self.machine, process.space.root, &mut self.room)
                .expect("a space can end");
        }
        other_context::forget_all();
        *started = 0;
        for index in 0..memory.shared.len() as u32 {
            let share = page_reclaim::Share::new(index);
            end_share(memory, &mut self.machine, share).expect("all spaces are gone");
        }
    }
}

impl Core {
    /// Tells every waiting program what to do.
    pub fn tell_all(&mut self, command: Command, generation: u64) {
        (0..self.processes.len()).for_each(|number| self.tell(number, command, generation));
    }

    /// Tells one program what to do, if it waits.
    pub fn tell(&mut self, number: usize, command: Command, generation: u64) {
        let process = &mut self.processes[number];
        if process.state == State::Waiting {
            process.context.rax = command as u64;
            process.context.rdx = generation;
            process.state = State::Ready;
            self.make_ready(number);
        }
    }

    /// Counts programs that were started since all were cleared away: an index for the next one.
    fn count_start(&mut self) -> u64 {
        let index = self.started % MOST_INDEX;
        self.started += 1;
        index
    }

    /// Ends a program, with a message if it did wrong.
    pub fn end_program(&mut self, number: usize, wrong: Option<fmt::Arguments<'_>>) {
        let process = &mut self.processes[number];
        process.state = State::Gone;
        match wrong {
            None => self.tally.finished += 1,
            Some(why) => {
                let Context { rip, rsp, .. } = *process.context;
                log!(
                    "program {number} ({:?}) ended: {why}, RIP {rip:#x}, RSP {rsp:#x}",
                    process.program
                );
                self.tally.ended += 1;
            }
        }
    }
}
