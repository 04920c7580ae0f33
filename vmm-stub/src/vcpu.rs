//! What the stub does to the guest on one CPU, and VT-x and SVM each in their own way.

use core::fmt;

use crate::cpu::{Cpu, Shared};
use crate::guest_walk::Paging;
use crate::store::CodeSize;

/// The guest's state on one CPU, outside of its general registers.
pub trait Vcpu: Sized + 'static {
    /// Whether the guest is in ring 0 and in 64-bit mode.
    fn is_privileged(&self) -> bool;

    /// CR4 as the guest reads it.
    fn cr4(&self) -> u64;

    /// RSP.
    fn rsp(&self) -> u64;

    /// RIP.
    fn rip(&self) -> u64;

    /// What is told of a guest that went wrong.
    fn state(&self) -> State;

    /// Goes on behind the instruction that exited, as if it had been executed.
    fn next_instruction(&mut self);

    /// The same for an instruction of so many bytes.
    fn skip(&mut self, bytes: u64);

    /// Where the guest's next instruction is.
    fn code(&self) -> Code;

    /// How the guest translates addresses; `pointers` loads the four of PAE paging from an address.
    fn paging(&self, pointers: impl FnOnce(u64) -> [u64; 4]) -> Paging;

    /// An INIT that the guest on this CPU sends to another, or to itself.
    fn init(cpu: &mut Cpu<Self>, to: usize);

    /// A SIPI, with its page.
    fn start_up(cpu: &mut Cpu<Self>, to: usize, page: u8);

    /// Raises an exception at the instruction that exited.
    fn raise(&mut self, exception: Exception);

    /// Makes this CPU forget what it remembers of nested tables.
    fn forget(&mut self, shared: &Shared);
}

/// Code of the guest.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Its linear address.
    pub linear: u64,
    /// What its segment is.
    pub size: CodeSize,
}

/// What the stub raises in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// #UD.
    InvalidOpcode,
    /// #GP(0).
    GeneralProtection,
}

/// The guest's state in one line.
#[derive(Clone, Copy, Debug)]
pub struct State(pub [(&'static str, u64); 10]);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (name, value) in self.0 {
            write!(f, "{space}{name}={value:#x}")?;
            space = " ";
        }
        Ok(())
    }
}
