//! How frames become tables, and cease to be.

use loadphys_abi::{ENTRY_BYTES, FRAME_BYTES, Status};

use super::Typed;
use super::frame::{Frame, Kind};
use crate::allowed::{TableAt, WordAt};
use crate::entries::Entries;
use crate::level::Level;
use crate::twin::{Twin, is_broken};
use crate::words::{ENTRIES, aligned};

impl Typed<'_> {
    /// First half of making a frame a table: it is memory no longer. The caller makes it read-only, has all CPUs flush, and
    /// goes on with [`Typed::finish_register`].
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::NoSuchLevel`], [`Status::OutsideMemory`],
    /// [`Status::AlreadyATable`], and [`Status::InUse`] if entries map it writable. Nothing has changed then.
    pub fn begin_register(&mut self, frame: u64, level: u64) -> Result<TableAt, Status> {
        let broken = is_broken(Twin::MappedBecomesTable);
        self.take_plain(frame, level, Kind::Becoming, broken)
    }

    /// Second half: what lies in the frame, which nobody can change any more, is checked as if it were stored now, and the
    /// frame is a table.
    ///
    /// # Errors
    /// [`Status::NotATable`] for a frame that is not becoming a table of this level; what [`Typed::perform`] says of the
    /// first entry that is refused. Then the frame is plain, and the caller makes it writable.
    pub fn finish_register(
        &mut self,
        table: TableAt,
        memory: &impl Entries,
    ) -> Result<TableAt, Status> {
        if !self.state(table.frame / FRAME_BYTES).is(Kind::Becoming(table.level)) {
            return Err(Status::NotATable);
        }
        match self.take_all(table, memory) {
            Ok(()) => {
                self.become_kind(table, Kind::Table(table.level));
                Ok(table)
            }
            Err(refused) => {
                self.become_kind(table, Kind::Plain);
                Err(refused)
            }
        }
    }

    /// Makes a frame an open table: the guest writes to it, and calls do not.
    ///
    /// # Errors
    /// As [`Typed::begin_register`].
    pub fn open(&mut self, frame: u64, level: u64) -> Result<TableAt, Status> {
        let broken = is_broken(Twin::MappedBecomesOpen);
        self.take_plain(frame, level, Kind::Open, broken)
    }

    /// Makes a table, checked or open, plain memory again, with what lies in it; what its entries led to is relied on no
    /// more. If it was read-only, the caller makes it writable afterwards.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`], [`Status::NotATable`], and
    /// [`Status::InUse`] if entries lead to it. Nothing has changed then.
    pub fn release(&mut self, frame: u64, memory: &impl Entries) -> Result<TableAt, Status> {
        aligned(frame, FRAME_BYTES)?;
        let state = self.state(frame / FRAME_BYTES);
        let (level, checked) = match state.kind() {
            Kind::Outside => return Err(Status::OutsideMemory),
            Kind::Plain | Kind::Becoming(_) => return Err(Status::NotATable),
            Kind::Table(level) => (level, true),
            Kind::Open(level) => (level, false),
        };
        if state.count() != 0 && !is_broken(Twin::LinkedBecomesPlain) {
            return Err(Status::InUse);
        }
        let table = TableAt { frame, level };
        if checked && !is_broken(Twin::ReleasedStaysCounted) {
            self.give_back_first(ENTRIES, table, memory);
        }
        self.become_kind(table, Kind::Plain);
        Ok(table)
    }

    /// Makes a plain frame something with a level.
    fn take_plain(
        &mut self,
        frame: u64,
        level: u64,
        kind: impl Fn(Level) -> Kind,
        in_use: bool,
    ) -> Result<TableAt, Status> {
        aligned(frame, FRAME_BYTES)?;
        let level = Level::new(level)?;
        let state = self.state(frame / FRAME_BYTES);
        match state.kind() {
            Kind::Outside => return Err(Status::OutsideMemory),
            Kind::Plain if state.count() == 0 || in_use => {}
            Kind::Plain => return Err(Status::InUse),
            _ => return Err(Status::AlreadyATable),
        }
        let table = TableAt { frame, level };
        self.become_kind(table, kind(level));
        Ok(table)
    }

    /// Takes all entries or none.
    fn take_all(&mut self, table: TableAt, memory: &impl Entries) -> Result<(), Status> {
        for number in 0..ENTRIES {
            let entry = memory.load(entry_of(table, number));
            match self.take(entry, table.level) {
                Err(_) if is_broken(Twin::ContentIsTrusted) => {}
                Err(_refused) if is_broken(Twin::RefusedStaysCounted) => return Err(_refused),
                Err(refused) => {
                    self.give_back_first(number, table, memory);
                    return Err(refused);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Gives back what so many of the first entries have taken.
    fn give_back_first(&mut self, entries: u64, table: TableAt, memory: &impl Entries) {
        for number in 0..entries {
            self.give_back(memory.load(entry_of(table, number)), table.level);
        }
    }

    fn become_kind(&mut self, table: TableAt, kind: Kind) {
        if let Some(state) = self.frames.get_mut((table.frame / FRAME_BYTES) as usize) {
            *state = Frame::new(kind);
        }
    }
}

const fn entry_of(table: TableAt, number: u64) -> WordAt {
    WordAt(table.frame + number * ENTRY_BYTES)
}
