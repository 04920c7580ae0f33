//! One space after the other: every entry against the records.

use foreign_access::{Entry, EntryName, Operation, walk};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{Audited, Wrong};
use crate::Memory;
use crate::frames::{Frames, State};
use crate::machine::Machine;
use crate::number::FrameNumber;
use crate::reverse::Mapping;
use crate::rights::Rights;
use crate::swap_entry::slot_of;

/// Walks one space.
pub fn audit<M: Machine>(
    memory: &Memory<'_>,
    machine: &mut M,
    root: PhysFrame,
    scratch: &mut [u32],
    room: &mut [Operation],
    audited: &mut Audited,
) -> Result<(), Wrong> {
    let number = FrameNumber::of(root).ok_or(Wrong::TableRecord(root))?;
    let mut space = Space { memory, root: number, scratch, audited, open: [None; 4], tables: 0 };
    space.enter(root, VirtAddr::zero(), PageTableLevel::Four)?;
    let apply = |operations: &mut [Operation]| machine.apply(operations);
    walk::visit(apply, root, room, |name, entry| space.entry(name, entry))?;
    space.leave(PageTableLevel::Four)?;
    let listed = memory.frames.tables_of(number).count() + 1;
    if listed != space.tables as usize {
        return Err(Wrong::TableCount(root, space.tables));
    }
    Ok(())
}

struct Space<'s, 'a> {
    memory: &'s Memory<'a>,
    root: FrameNumber,
    scratch: &'s mut [u32],
    audited: &'s mut Audited,
    /// For each level the table that is being walked, and how many of its entries were not empty.
    open: [Option<(FrameNumber, u32)>; 4],
    tables: u32,
}

impl Space<'_, '_> {
    /// Looks at an entry that is not empty. Entries come in order of address, each before those
    /// below it: another entry of this level means that the table below the last one is done.
    fn entry(&mut self, name: &EntryName, entry: Entry) -> Result<(), Wrong> {
        if let Some(below) = name.level().next_lower_level() {
            self.leave(below)?;
        }
        if let Some((_, live)) = &mut self.open[name.level() as usize - 1] {
            *live += 1;
        }
        match (name.level().next_lower_level(), entry.frame()) {
            (Some(level), Some(table)) if !entry.is_large() => {
                self.enter(table, name.page(), level)
            }
            (None, Some(frame)) => self.leaf(name, entry, frame),
            (None, None) => self.swap_entry(name, entry),
            _ => Err(Wrong::Unknown(*name, entry)),
        }
    }

    /// A table begins: its record must say what it was found as.
    fn enter(
        &mut self,
        table: PhysFrame,
        page: VirtAddr,
        level: PageTableLevel,
    ) -> Result<(), Wrong> {
        let number = FrameNumber::of(table).ok_or(Wrong::TableRecord(table))?;
        let as_found = Frames::table_for(page, level, self.root);
        match self.memory.frames.record(number) {
            Some(record) if record.same_table(as_found) => {}
            _ => return Err(Wrong::TableRecord(table)),
        }
        self.open[level as usize - 1] = Some((number, 0));
        self.tables += 1;
        self.audited.tables += 1;
        Ok(())
    }

    /// The open table of this level and those below it end: their entries are counted.
    fn leave(&mut self, level: PageTableLevel) -> Result<(), Wrong> {
        for open in &mut self.open[..level as usize] {
            let Some((table, live)) = open.take() else {
                continue;
            };
            if u32::from(self.memory.frames.live(table)) != live {
                return Err(Wrong::LiveCount(table.frame(), live));
            }
        }
        Ok(())
    }

    fn leaf(&mut self, name: &EntryName, entry: Entry, frame: PhysFrame) -> Result<(), Wrong> {
        let number = FrameNumber::of(frame).ok_or(Wrong::MapsNoPage(*name, entry))?;
        let Some(State::Data { mappings, .. }) = self.memory.frames.record(number) else {
            return Err(Wrong::MapsNoPage(*name, entry));
        };
        let table = FrameNumber::of(name.table()).ok_or(Wrong::TableRecord(name.table()))?;
        let sought = Mapping::new(table, u64::from(name.index()), Rights::of(entry));
        let mut ring = self.memory.reverse.ring(mappings);
        let known = ring.find(|mapping| mapping.same_entry(sought));
        match known {
            None => Err(Wrong::NotInReverseMap(*name, entry)),
            Some(known) if known.rights() != sought.rights() => {
                Err(Wrong::OtherRights(*name, entry))
            }
            Some(_) => {
                self.audited.leaves += 1;
                Ok(())
            }
        }
    }

    fn swap_entry(&mut self, name: &EntryName, entry: Entry) -> Result<(), Wrong> {
        let slot = slot_of(entry).filter(|slot| self.memory.swap.references(*slot) > 0);
        let slot = slot.ok_or(Wrong::Unknown(*name, entry))?;
        self.scratch[slot.index()] += 1;
        self.audited.swap_entries += 1;
        Ok(())
    }
}
