//! The two formats of a TSS (sections "Task-State Segment (TSS)" and "16-Bit Task-State Segment (TSS)").

use super::linear::{Exception, Linear, Memory};
use super::{CS, State};
use crate::reset::Segment;

/// EFLAGS: what can be set, and what is.
const FLAGS: u32 = 0x003f_7fd5;
const FIXED: u32 = 1 << 1;

/// What a TSS holds.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// EIP.
    pub eip: u32,
    /// EFLAGS.
    pub eflags: u32,
    /// EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI: the order of both formats.
    pub registers: [u32; 8],
    /// ES, CS, SS, DS, FS, GS: the order of both formats.
    pub selectors: [u16; 6],
    /// LDTR.
    pub ldt: u16,
    /// CR3; 16-bit tasks have none of their own.
    pub root: Option<u32>,
    /// A debug exception at every switch to it.
    pub trap: bool,
}

impl Task {
    /// What is saved of the old task, without these flags.
    pub fn of(state: &State, flags: u32) -> Self {
        let [es, cs, ss, ds, fs, gs, ldt, _] =
            state.segments.map(|segment| segment.selector as u16);
        Self {
            eip: state.eip,
            eflags: state.eflags & !flags,
            registers: state.registers,
            selectors: [es, cs, ss, ds, fs, gs],
            ldt,
            root: None,
            trap: false,
        }
    }
}

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 16 bits.
    Narrow,
    /// 32 bits.
    Wide,
}

impl Format {
    /// By the access rights of a TSS.
    pub const fn of(rights: u64) -> Self {
        if rights & 8 != 0 { Self::Wide } else { Self::Narrow }
    }

    /// Bytes of a register.
    pub const fn step(self) -> u32 {
        match self {
            Self::Narrow => 2,
            Self::Wide => 4,
        }
    }

    /// Where EIP is; EFLAGS, the registers and the selectors follow, each as wide.
    const fn first(self) -> u32 {
        match self {
            Self::Narrow => 14,
            Self::Wide => 0x20,
        }
    }

    /// Without FS and GS a 16-bit task has four.
    const fn selectors(self) -> u32 {
        match self {
            Self::Narrow => 4,
            Self::Wide => 6,
        }
    }

    /// Where the value with this number is, from EIP on.
    const fn place(self, tss: Segment, number: u32) -> u32 {
        (tss.base as u32).wrapping_add(self.first() + number * self.step())
    }

    /// Bytes that are saved.
    const fn saved(self) -> u32 {
        (10 + self.selectors() - 1) * self.step() + 2
    }

    /// Bytes that a new task's TSS has at least.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Narrow => 0x2c,
            Self::Wide => 0x68,
        }
    }

    /// Whether the old task can be saved.
    ///
    /// # Errors
    /// #TS, or the exception of the store.
    pub fn check_saved(
        self,
        tss: Segment,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<(), Exception> {
        if tss.limit < u64::from(self.first() + self.saved() - 1) {
            return Err(Exception::task(tss.selector as u16));
        }
        linear.reach(self.place(tss, 0), self.saved(), true)
    }

    /// Whether the new task can be loaded, and linked to the old one.
    ///
    /// # Errors
    /// The exception of the access.
    pub fn check_new(
        self,
        tss: Segment,
        links: bool,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<(), Exception> {
        linear.reach(tss.base as u32, self.bytes(), false)?;
        if links { linear.reach(tss.base as u32, 2, true) } else { Ok(()) }
    }

    /// Saves the old task.
    ///
    /// # Errors
    /// None after [`Format::check_saved`], unless the tables change meanwhile.
    pub fn save(
        self,
        tss: Segment,
        task: &Task,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<(), Exception> {
        let values = [task.eip, task.eflags].into_iter().chain(task.registers);
        for (number, value) in (0..).zip(values) {
            linear.write(self.place(tss, number), self.step(), u64::from(value))?;
        }
        for (number, selector) in (0..self.selectors()).zip(task.selectors) {
            linear.write(self.place(tss, 10 + number), 2, u64::from(selector))?;
        }
        Ok(())
    }

    /// Reads the new task.
    ///
    /// # Errors
    /// None after [`Format::check_new`], unless the tables change meanwhile.
    pub fn read(self, tss: Segment, linear: &Linear<'_, impl Memory>) -> Result<Task, Exception> {
        let value = |number| linear.read(self.place(tss, number), self.step()).map(|it| it as u32);
        let selector = |number| linear.read(self.place(tss, 10 + number), 2).map(|it| it as u16);
        let mut task = Task {
            eip: value(0)?,
            eflags: value(1)? & FLAGS | FIXED,
            registers: [0; 8],
            selectors: [0; 6],
            ldt: selector(self.selectors())?,
            root: None,
            trap: false,
        };
        for (number, register) in (2..).zip(&mut task.registers) {
            // What a 16-bit task does not have is set in its registers.
            let upper = if self == Self::Narrow { 0xffff_0000 } else { 0 };
            *register = value(number)? | upper;
        }
        for (number, slot) in (0..self.selectors()).zip(&mut task.selectors) {
            *slot = selector(number)?;
        }
        if self == Self::Wide {
            task.root = Some(linear.read((tss.base as u32).wrapping_add(0x1c), 4)? as u32);
            task.trap = linear.read((tss.base as u32).wrapping_add(0x64), 1)? & 1 != 0;
        }
        Ok(task)
    }
}

const _: () = assert!(Format::Wide.first() + Format::Wide.saved() == 0x5e);
const _: () = assert!(Format::Narrow.first() + Format::Narrow.saved() == 42);
const _: () = assert!(CS == 1);
