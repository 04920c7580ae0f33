//! Walks of a space's tables in software, through any method.
//!
//! Four levels. The functions take a closure that does a batch of operations (a method with its
//! CPU, or a kernel's wrapper of both); the names they hand to it are true if the root is one and
//! its tables stay as they are meanwhile.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::entry::Entry;
use crate::operation::{Action, EntryName, Operation, Stopped};

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// Entries of a root that translate the lower half, which is the user's.
pub const USER_ENTRIES: usize = 256;

/// The level of roots.
const TOP_LEVEL: u8 = PageTableLevel::Four as u8;

/// Why there is no such entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEntry {
    /// This entry on the way (with what was found) leads nowhere.
    Absent(EntryName, Entry),
    /// This entry on the way maps a large page.
    Large(EntryName, Entry),
    /// The method stopped.
    Stopped(Stopped),
}

impl From<Stopped> for NoEntry {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// The name of the entry of level four that takes part in translating a page.
#[inline]
pub const fn top(root: PhysFrame, page: VirtAddr) -> EntryName {
    EntryName::new(root, root, page, PageTableLevel::Four)
}

/// One level down: the name of the next entry, given what an entry of level two or more holds.
/// Present and the page-size bit are looked at here, so that no walk goes on through what only
/// looks like a table.
///
/// # Errors
/// [`NoEntry::Absent`] and [`NoEntry::Large`].
#[inline]
pub fn below(name: &EntryName, entry: Entry) -> Result<EntryName, NoEntry> {
    match (name.level().next_lower_level(), entry.table()) {
        (Some(level), Some(table)) => Ok(name.in_table(table, level)),
        _ if entry.is_present() => Err(NoEntry::Large(*name, entry)),
        _ => Err(NoEntry::Absent(*name, entry)),
    }
}

/// Finds the entry of a level that takes part in translating a page, and what it holds.
///
/// # Errors
/// [`NoEntry`] says what is in the way, and where.
#[inline]
pub fn find(
    mut apply: impl FnMut(&mut [Operation]) -> Result<(), Stopped>,
    root: PhysFrame,
    page: VirtAddr,
    level: PageTableLevel,
) -> Result<(EntryName, Entry), NoEntry> {
    let mut name = top(root, page);
    let mut entry = load_one(&mut apply, name)?;
    // As many times as there are levels below the top: a loop that compilers unroll.
    for _ in 1..TOP_LEVEL {
        if name.level() == level {
            break;
        }
        name = below(&name, entry)?;
        entry = load_one(&mut apply, name)?;
    }
    Ok((name, entry))
}

/// What an entry holds.
#[inline]
fn load_one(
    apply: &mut impl FnMut(&mut [Operation]) -> Result<(), Stopped>,
    name: EntryName,
) -> Result<Entry, Stopped> {
    let mut operation = Operation::new(name, Action::Load);
    apply(core::slice::from_mut(&mut operation))?;
    Ok(operation.found)
}

/// Finds the entry that maps a page, of whatever size, and what it holds.
///
/// # Errors
/// [`NoEntry`]: `Large` only for an entry of level four, which maps nothing.
#[inline]
pub fn leaf(
    apply: impl FnMut(&mut [Operation]) -> Result<(), Stopped>,
    root: PhysFrame,
    page: VirtAddr,
) -> Result<(EntryName, Entry), NoEntry> {
    match find(apply, root, page, PageTableLevel::One) {
        Ok((name, entry)) if !entry.is_present() => Err(NoEntry::Absent(name, entry)),
        Err(NoEntry::Large(name, entry)) if name.level() != PageTableLevel::Four => {
            Ok((name, entry))
        }
        other => other,
    }
}

/// Shows every entry of the lower half that is not empty, at every level, in order of address, an
/// entry before those below it. Goes down where an entry leads to a table.
///
/// Tables are loaded in batches; each of the four levels uses a quarter of the room.
///
/// # Errors
/// Whatever `show` says, or that the method stopped.
///
/// # Panics
/// If the room is for fewer than four operations.
pub fn visit<E: From<Stopped>>(
    mut apply: impl FnMut(&mut [Operation]) -> Result<(), Stopped>,
    root: PhysFrame,
    room: &mut [Operation],
    mut show: impl FnMut(&EntryName, Entry) -> Result<(), E>,
) -> Result<(), E> {
    assert!(room.len() >= 4, "room for one operation a level");
    let mut visitor = Visitor { apply: &mut apply, show: &mut show, share: room.len() / 4 };
    visitor.table(top(root, VirtAddr::zero()), USER_ENTRIES, room)
}

struct Visitor<'a, A, S> {
    apply: &'a mut A,
    show: &'a mut S,
    /// How much of the room each level uses.
    share: usize,
}

impl<A, S> Visitor<'_, A, S> {
    /// Goes through a table whose first entry is named. It calls itself once a level, at most
    /// three deep: `below` never leads up, whatever the entries say.
    fn table<E>(
        &mut self,
        first: EntryName,
        entries: usize,
        room: &mut [Operation],
    ) -> Result<(), E>
    where
        A: FnMut(&mut [Operation]) -> Result<(), Stopped>,
        S: FnMut(&EntryName, Entry) -> Result<(), E>,
        E: From<Stopped>,
    {
        let (mine, rest) = room.split_at_mut(self.share);
        for start in (0..entries).step_by(mine.len()) {
            let chunk = &mut mine[..self.share.min(entries - start)];
            load(&first, start, chunk);
            (self.apply)(chunk)?;
            for operation in chunk.iter().filter(|loaded| loaded.found != Entry::EMPTY) {
                (self.show)(&operation.name, operation.found)?;
                if let Ok(next) = below(&operation.name, operation.found) {
                    self.table(next, ENTRIES, rest)?;
                }
            }
        }
        Ok(())
    }
}

/// Makes operations that load successive entries of a table, from `start`.
fn load(first: &EntryName, start: usize, room: &mut [Operation]) {
    let bytes = bytes_per_entry(first.level());
    for (index, operation) in (start as u64..).zip(room) {
        let page = first.page() + index * bytes;
        *operation = Operation::new(first.of_page(page), Action::Load);
    }
}

/// How much of the address space one entry of this level translates, in bytes.
#[inline]
pub const fn bytes_per_entry(level: PageTableLevel) -> u64 {
    1 << (12 + 9 * (level as u64 - 1))
}
