//! What the logic asks of the kernel.

use foreign_access::{Operation, Refusal, Stopped};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::checksum::Checksum;
use crate::evict::Write;
use crate::number::Slot;

/// The swap device did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceError;

/// The stages of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Slots chosen, sharers looked up.
    Find,
    /// Entries exchanged, what was in them gathered.
    Edit,
    /// TLBs flushed, everywhere.
    Flush,
    /// Pages written to swap.
    Write,
    /// Frames free.
    Release,
}

/// The deeds of a kernel. It must do exactly what is asked: the records are true only as long as
/// nobody else edits the lower halves of the spaces.
pub trait Machine {
    /// Does operations on entries, as [`foreign_access::Method::apply`]. The names are true if the
    /// records are: this crate names only entries of tables that it built and found by walking from
    /// roots it was given.
    ///
    /// # Errors
    /// [`Stopped`] at the first operation that was refused.
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped>;

    /// A zeroed frame becomes a table, as [`foreign_access::Method::adopt`]. When it becomes a
    /// root (level four), the kernel also fills its upper half.
    ///
    /// # Errors
    /// The refusal of whoever must agree.
    fn adopt(&mut self, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal>;

    /// A table ceases to be one, as [`foreign_access::Method::release`].
    ///
    /// # Errors
    /// The refusal of whoever must agree.
    fn release(&mut self, table: PhysFrame) -> Result<(), Refusal>;

    /// Whether the walker notes in entries that pages are used. Where it does not, there is nothing to be learnt from Accessed, and
    /// victims are chosen by when they came.
    fn notes_use(&self) -> bool {
        true
    }

    /// These operations on entries of level one were done and took something away: notes what must
    /// be flushed. One whose action is [`foreign_access::Action::Load`] changed nothing; it does no harm to flush
    /// it too.
    fn edited(&mut self, operations: &[Operation]);

    /// Flushes what was noted: returns only when every CPU that may hold a noted entry has
    /// acknowledged.
    #[track_caller]
    fn flush(&mut self);

    /// Tables will be released to which no entry leads, or which belong to a space that no CPU has loaded: returns only when the
    /// method has let go of foreign roots ([`foreign_access::Method::detach`]) on every other CPU,
    /// whose foreign slot or paging-structure caches may lead to them. (On this CPU
    /// [`Machine::release`] does it.)
    ///
    /// What was in a space that is not loaded is not flushed. No CPU uses what it may still know of it: without PCIDs
    /// that went when another root was loaded; with them, the kernel must flush the PCID before
    /// another space is loaded under it ([`crate::shootdown::Identity`]). Neither reaches global translations, so no
    /// page of a space may be mapped global; this crate maps none so.
    #[track_caller]
    fn let_go(&mut self);

    /// A root will move: returns only when no CPU has it loaded. From then until [`Machine::root_moved`] no CPU loads
    /// it again, neither from where it was nor from where it goes: a CPU that did would walk, and set Accessed in, a
    /// frame that is copied and freed meanwhile. The kernel's scheduler must be kept from it (by a lock that whoever
    /// loads a space holds, or because other CPUs are parked).
    fn leave(&mut self, root: PhysFrame);

    /// The root that was left is here now, complete, with the upper half that it got when it was adopted, and may be
    /// loaded again; one that may not move is where it was. The kernel changes whatever names the old frame. What CPUs
    /// know of the space they know of the old root too, by whatever leads to it in its own upper half; so whoever
    /// loads the new one first on a CPU must flush the PCID under which it does (with a new
    /// [`crate::shootdown::Identity`]).
    fn root_moved(&mut self, from: PhysFrame, to: PhysFrame);

    /// Copies a whole frame. Nobody can write to either.
    fn copy(&mut self, from: PhysFrame, to: PhysFrame);

    /// Fills a frame with zeros.
    fn zero(&mut self, frame: PhysFrame);

    /// Writes frames to their slots and says of each how that went ([`Write::outcome`]). Slots ascend, and many are
    /// neighbours, so that a device can write them at once. One that fails says nothing about the others. Returns
    /// when all are done or have failed.
    ///
    /// A frame may be written by programs meanwhile, and then its slot, and the checksum, may be of anything; such a page
    /// is not taken for clean.
    fn write_out(&mut self, writes: &mut [Write]);

    /// Reads a slot into a frame; gives back the checksum of what the frame holds then.
    ///
    /// # Errors
    /// The frame may hold anything then.
    fn read_in(&mut self, slot: Slot, frame: PhysFrame) -> Result<Checksum, DeviceError>;

    /// A frame has become free; in test builds the kernel poisons it.
    fn freed(&mut self, _frame: PhysFrame) {}

    /// A stage of an eviction ends here. With many sharers [`Stage::Find`] and [`Stage::Edit`] take
    /// turns.
    fn stage(&mut self, _stage: Stage) {}
}
