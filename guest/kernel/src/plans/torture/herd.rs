//! Programs that come and go, and write and check their pages between.

use alloc::vec::Vec;

use loadphys_apps::Program;
use loadphys_apps::calls::{Command, Generation};
use loadphys_plan::work::PRIVATE_PAGES;

use super::acts;
use crate::kernel::{State, Wanted};
use crate::random::Random;
use crate::scene::{Failure, Scene};

/// Programs at a time.
pub const MOST_PROGRAMS: usize = 8;

/// What is done at random between writing and checking.
const ACTS: usize = 12;

/// So many salts there are.
const SALTS: u64 = 1 << 10;

/// The programs of a life.
pub struct Herd<'s> {
    pub(super) scene: &'s mut Scene,
    pub(super) random: Random,
    /// By which programs write their own pages: in the order of the programs.
    salts: Vec<u64>,
    /// The next salt.
    salt: u64,
    forks: u64,
    /// Frames that moved out of ranges.
    pub(super) evacuated: u64,
}

impl<'s> Herd<'s> {
    /// With no program yet.
    pub fn new(scene: &'s mut Scene, seed: u64) -> Self {
        Self {
            scene,
            random: Random::new(seed),
            salts: Vec::new(),
            salt: 0,
            forks: 0,
            evacuated: 0,
        }
    }

    /// Programs write, much happens, and every program must find what was written.
    ///
    /// # Errors
    /// If an audit finds something.
    pub fn round(&mut self, generation: u64) -> Result<(), Failure> {
        self.welcome()?;
        self.tell(Command::Write, generation);
        for _ in 0..ACTS {
            acts::act(self)?;
        }
        self.tell(Command::Verify, generation);
        self.scene.audit()
    }

    /// How many programs were made by copying, and how many frames moved out of ranges.
    pub fn done(&self) -> [u64; 2] {
        [self.forks, self.evacuated]
    }

    /// Starts a program or two that share some of the segment, if there is room. One whose code cannot be read does not start.
    fn welcome(&mut self) -> Result<(), Failure> {
        let room = MOST_PROGRAMS - self.salts.len();
        for _ in 0..room.min(1 + self.random.below(2)) {
            let shared = 1 + self.random.below(self.scene.plan.pages as usize) as u32;
            match self.scene.kernel.start(sharer(shared)) {
                Ok(_) => {
                    let salt = self.salt();
                    self.salts.push(salt);
                }
                Err(why) if why.is_of_device() => {}
                Err(why) => return Err(Failure::new(format_args!("{why}"))),
            }
        }
        self.run();
        Ok(())
    }

    /// One program, if there is any.
    pub(super) fn one(&mut self) -> Option<usize> {
        let count = self.salts.len();
        (count > 0).then(|| self.random.below(count))
    }

    /// Copies a program. The copy's own pages are written like those of the other, until it is told to write.
    ///
    /// # Errors
    /// If it cannot be copied for another reason than that a page of it cannot be read.
    pub(super) fn fork(&mut self) -> Result<(), Failure> {
        let Some(parent) = self.one().filter(|_| self.salts.len() < MOST_PROGRAMS) else {
            return Ok(());
        };
        match self.scene.kernel.fork(parent) {
            Ok(_) => {
                self.salts.push(self.salts[parent]);
                self.forks += 1;
            }
            Err(why) if why.is_of_device() => {}
            Err(why) => return Err(Failure::new(format_args!("{why}"))),
        }
        Ok(())
    }

    /// Has a program exit, and ends its space while the others' live.
    pub(super) fn exit(&mut self) {
        if let Some(number) = self.one() {
            self.scene.kernel.core().tell(number, Command::Exit, 0);
            self.run();
        }
    }

    /// Tells every program what to do with its pages. Who writes gets another salt: from then on copies differ.
    fn tell(&mut self, command: Command, shared: u64) {
        for number in 0..self.salts.len() {
            if command == Command::Write {
                self.salts[number] = self.salt();
            }
            let generation = Generation { shared, salt: self.salts[number] };
            self.scene.kernel.core().tell(number, command, generation.word());
        }
        self.run();
    }

    /// Lets programs run until all wait, and buries those that are gone.
    fn run(&mut self) {
        self.scene.kernel.run();
        for number in (0..self.salts.len()).rev() {
            if self.scene.kernel.core().processes[number].state == State::Gone {
                self.scene.kernel.bury(number);
                self.salts.remove(number);
            }
        }
    }

    fn salt(&mut self) -> u64 {
        self.salt = (self.salt + 1) % SALTS;
        self.salt
    }
}

/// A program that writes all words of so many shared pages.
const fn sharer(shared: u32) -> Wanted {
    let (program, private) = (Program::Sharer, PRIVATE_PAGES);
    Wanted { program, sharers: 1, shared, private, route: None }
}
