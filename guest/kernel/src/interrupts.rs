//! Interrupts and exceptions: the way in ([`entry`]), the table ([`table`]), and what happens when
//! the kernel itself is interrupted ([`kernel_trap`]).

mod entry;
mod kernel_trap;
mod lock;
mod probe;
mod table;
pub mod to_self;
mod try_store;
pub mod vector;

pub use entry::leave_program;
pub(crate) use entry::pop_registers;
pub use kernel_trap::{NMIS, keep_guards, nmis, take_slice_over};
pub use lock::MaskingLock;
pub use probe::probe;
pub use table::load;
pub use try_store::try_store;
