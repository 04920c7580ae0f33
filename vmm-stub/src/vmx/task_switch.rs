//! What a task switch does (SDM volume 3, chapter "Task Management"). VT-x makes every one exit, after the CPU has checked the
//! selector and the descriptor of the new task (section "Treatment of Task Switches"); the rest is done here, on a copy of the
//! registers and through a [`Memory`].
//!
//! Up to the commit an exception leaves the old task as it was; after it, the new task gets the exception, with the segments
//! that were not loaded yet unusable.
//!
//! Not as on a CPU: segments and stacks are reached with the rights of the supervisor whatever the new privilege level, and
//! shadow stacks (CET) are not switched.

mod linear;
mod segments;
mod tss;

use crate::guest_walk::{Mode, Paging, can_be_loaded};
use crate::reset::Segment;
use linear::Linear;
pub use linear::{Exception, Memory};
use segments::{Descriptors, UNUSABLE};
use tss::{Format, Task};

/// Places in [`State::segments`].
const CS: usize = 1;
const SS: usize = 2;
const DS: usize = 3;
const LDTR: usize = 6;
const TR: usize = 7;

const ESP: usize = 4;

const NESTED_TASK: u32 = 1 << 14;
const VIRTUAL_8086: u32 = 1 << 17;

/// What made the CPU switch, as the exit qualification says (table "Exit Qualification for Task Switches").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// CALL.
    Call,
    /// IRET.
    Iret,
    /// JMP.
    Jump,
    /// A task gate in the IDT.
    Gate,
}

impl Source {
    /// By bits 31:30 of the exit qualification.
    pub const fn of(qualification: u64) -> Self {
        match qualification >> 30 & 3 {
            0 => Self::Call,
            1 => Self::Iret,
            2 => Self::Jump,
            _ => Self::Gate,
        }
    }

    /// The new task can go back to the old one.
    const fn nests(self) -> bool {
        matches!(self, Self::Call | Self::Gate)
    }
}

/// A task switch.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The new task's TSS.
    pub selector: u16,
    /// What made the CPU switch.
    pub source: Source,
    /// An error code for the new task's stack.
    pub error: Option<u32>,
    /// The program did not ask for it by an instruction.
    pub external: bool,
}

/// The registers that a task switch reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI.
    pub registers: [u32; 8],
    /// EIP; of the old task, where it goes on.
    pub eip: u32,
    /// EFLAGS.
    pub eflags: u32,
    /// ES, CS, SS, DS, FS, GS, LDTR, TR.
    pub segments: [Segment; 8],
    /// How addresses are translated, with CR3.
    pub paging: Paging,
    /// Base and limit of the GDT.
    pub gdt: (u32, u32),
}

/// The new task.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// Its registers.
    pub state: State,
    /// An exception before its first instruction.
    pub exception: Option<Exception>,
    /// It asks for a debug exception.
    pub trap: bool,
}

/// Switches.
///
/// # Errors
/// The exception of the old task, in which nothing has changed.
pub fn switch(request: Request, old: &State, memory: &impl Memory) -> Result<Entered, Exception> {
    let caused = |exception: Exception| exception.caused(request.external);
    let (mut state, task, format) = commit(request, old, memory).map_err(caused)?;
    let loaded = load(&mut state, &task, memory);
    let ready = loaded.and_then(|()| begin(&mut state, request.error, format, memory));
    Ok(Entered { state, exception: ready.err().map(caused), trap: task.trap })
}

/// All that may be refused before anything is stored, and then what is stored; gives back the new task as its TSS has it.
fn commit(
    request: Request,
    old: &State,
    memory: &impl Memory,
) -> Result<(State, Task, Format), Exception> {
    let Request { selector, source, .. } = request;
    let linear = Linear { memory, paging: old.paging };
    let descriptors = Descriptors::of(old);
    let now = old.segments[TR];
    let new = descriptors.task(selector, &linear)?;
    let (from, to) = (Format::of(now.rights), Format::of(new.rights));
    from.check_saved(now, &linear)?;
    to.check_new(new, source.nests(), &linear)?;
    descriptors.check_busy(selector, &linear)?;
    if !source.nests() {
        descriptors.mark_busy(now.selector as u16, false, &linear)?;
    }
    let nested = if source == Source::Iret { NESTED_TASK } else { 0 };
    from.save(now, &Task::of(old, nested), &linear)?;
    if source.nests() {
        linear.write(new.base as u32, 2, now.selector)?;
    }
    let mut task = to.read(new, &linear)?;
    descriptors.mark_busy(selector, true, &linear)?;
    task.eflags |= if source.nests() { NESTED_TASK } else { 0 };
    Ok((entered(old, new, &task), task, to))
}

/// The new task's registers before any segment is loaded.
fn entered(old: &State, new: Segment, task: &Task) -> State {
    let level = u64::from(task.selectors[CS] & 3) << 5;
    let unusable = |selector: u16| Segment {
        selector: u64::from(selector),
        base: 0,
        limit: 0,
        rights: UNUSABLE | level,
    };
    let mut segments = [Segment { rights: UNUSABLE, ..unusable(0) }; 8];
    for (segment, selector) in segments.iter_mut().zip(task.selectors) {
        *segment = unusable(selector);
    }
    // An entry wants one that could be executed.
    segments[CS] =
        Segment { limit: 0xffff_ffff, rights: segments::FLAT_CODE | level, ..segments[CS] };
    segments[LDTR].selector = u64::from(task.ldt);
    segments[TR] = new;
    State { registers: task.registers, eip: task.eip, eflags: task.eflags, segments, ..*old }
}

/// Loads CR3, LDTR and the segments.
fn load(state: &mut State, task: &Task, memory: &impl Memory) -> Result<(), Exception> {
    if let Some(root) = task.root.filter(|_| state.paging.mode != Mode::Off) {
        load_root(state, root, memory)?;
    }
    let linear = Linear { memory, paging: state.paging };
    state.segments[LDTR] = Descriptors::of(state).local(task.ldt, &linear)?;
    if task.eflags & VIRTUAL_8086 != 0 {
        for (segment, selector) in state.segments.iter_mut().zip(task.selectors) {
            *segment = segments::virtual_8086(selector);
        }
        return Ok(());
    }
    let (descriptors, level) = (Descriptors::of(state), task.selectors[CS] & 3);
    state.segments[CS] = descriptors.code(task.selectors[CS], &linear)?;
    state.segments[SS] = descriptors.stack(task.selectors[SS], level, &linear)?;
    for place in [DS, 0, 4, 5] {
        state.segments[place] = descriptors.data(task.selectors[place], level, &linear)?;
    }
    Ok(())
}

fn load_root(state: &mut State, root: u32, memory: &impl Memory) -> Result<(), Exception> {
    if let Mode::Pae(_) = state.paging.mode {
        let at = |i: usize| memory.load(u64::from(root & !31) + 8 * i as u64);
        let pointers = [at(0), at(1), at(2), at(3)].map(|pointer| pointer.unwrap_or(u64::MAX));
        if !can_be_loaded(&pointers) {
            return Err(Exception::task(0));
        }
        state.paging.mode = Mode::Pae(pointers);
    }
    state.paging.root = u64::from(root);
    Ok(())
}

/// The error code, and the last check.
fn begin(
    state: &mut State,
    error: Option<u32>,
    format: Format,
    memory: &impl Memory,
) -> Result<(), Exception> {
    if let Some(error) = error {
        let linear = Linear { memory, paging: state.paging };
        let (esp, at) = segments::below(state.segments[SS], state.registers[ESP], format.step())?;
        linear.write(at, format.step(), u64::from(error))?;
        state.registers[ESP] = esp;
    }
    let inside = u64::from(state.eip) <= state.segments[CS].limit;
    inside.then_some(()).ok_or(Exception::general_protection())
}

#[cfg(test)]
mod tests;
