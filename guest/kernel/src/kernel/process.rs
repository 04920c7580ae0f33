//! A program that runs: its registers, its space, and whether it has something to do.

use alloc::boxed::Box;
use core::fmt;

use loadphys_apps::calls::Command;
use loadphys_apps::places::{CODE, PAGE};
use loadphys_apps::{Program, Start};
use page_reclaim::tables::{self, TableError};
use page_reclaim::{BroughtIn, end_share, tear_down};
use x86_64::VirtAddr;

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

/// Why a program could not be started.
#[derive(Clone, Copy, Debug)]
pub enum StartError {
    /// There are [`MOST_PROCESSES`] already.
    TooMany,
    /// Its tables could not be built.
    Table(TableError),
    /// Its code could not be brought in.
    Code(super::faults::Unmapped),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "{MOST_PROCESSES} programs run already"),
            Self::Table(why) => write!(f, "no tables for a program: {why:?}"),
            Self::Code(why) => write!(f, "no code for a program: {why}"),
        }
    }
}

impl Kernel {
    /// Starts a program with pages of its own.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        &mut self,
        program: Program,
        sharers: u64,
        private: u64,
    ) -> Result<usize, StartError> {
        let image = Image::find();
        let number = self.set_up(program, &image, sharers, private)?;
        (0..image.pages()).try_for_each(|page| self.load_code(number, &image, page))?;
        self.core().make_ready(number);
        Ok(number)
    }

    /// Makes a space and registers for a program; gives its number.
    fn set_up(
        &mut self,
        program: Program,
        image: &Image,
        sharers: u64,
        private: u64,
    ) -> Result<usize, StartError> {
        let mut core = self.core();
        let Core { memory, processes, shared_pages, .. } = &mut *core;
        let number = processes.len();
        if number >= MOST_PROCESSES {
            return Err(StartError::TooMany);
        }
        let shape = Shape { shared: *shared_pages, code: image.pages(), private };
        let root = tables::new_root(memory, &mut self.machine).map_err(StartError::Table)?;
        let start = Start {
            program,
            index: number as u64,
            sharers,
            shared_pages: (*shared_pages).into(),
            private_pages: private,
        };
        let mut context = Box::new(Context::start(image.entry, &start));
        other_context::keep(root, &mut context);
        let space = Space::new(root, shape);
        processes.push(Process { program, context, space, state: State::Ready });
        Ok(number)
    }

    /// Brings a page of code in; the first program to want it has it filled.
    fn load_code(&mut self, number: usize, image: &Image, page: u32) -> Result<(), StartError> {
        let address = VirtAddr::new(CODE + u64::from(page) * PAGE);
        let how = self.bring(number, address).map_err(StartError::Code)?;
        if how == BroughtIn::Zeroed {
            let root = self.core().processes[number].space.root;
            let found = tables::find(&mut self.machine, root, address);
            let (_, entry) = found.expect("the page was just mapped");
            let frame = entry.frame().expect("the page was just mapped");
            self.machine.show(frame, |words| image.fill(page, words));
        }
        Ok(())
    }

    /// Ends all spaces and what they shared.
    ///
    /// # Panics
    /// If a table cannot be given back: the records are wrong then, and nothing can be trusted.
    pub fn clear(&mut self) {
        self.machine.load_kernel();
        let _alone = self.shared.alone();
        let mut core = self.core();
        let Core { memory, processes, .. } = &mut *core;
        for process in core::mem::take(processes) {
            tear_down(memory, &mut self.machine, process.space.root, &mut self.room)
                .expect("a space can end");
        }
        other_context::forget_all();
        for index in 0..memory.shared.len() as u32 {
            let share = page_reclaim::Share::new(index);
            end_share(memory, &mut self.machine, share).expect("all spaces are gone");
        }
    }
}

impl Core {
    /// Tells every waiting program what to do.
    pub fn tell_all(&mut self, command: Command, generation: u64) {
        for number in 0..self.processes.len() {
            let process = &mut self.processes[number];
            if process.state == State::Waiting {
                process.context.rax = command as u64;
                process.context.rdx = generation;
                process.state = State::Ready;
                self.make_ready(number);
            }
        }
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
