//! Views: nested maps between which the guest switches by VMFUNC, without an exit.
//!
//! | number | view |
//! |---|---|
//! | 0 | the usual one |
//! | 1 | the gate: nothing can be executed but the gate's frame; an alias shows the tables that are kept for it |
//! | from 2 | as the gate without its alias, and one root in the place of another ([`crate::nested::root_view`]) |
//!
//! VMFUNC takes the EPT pointer from a list that all CPUs share. An empty place in it makes VMFUNC exit, so that is how a view
//! is taken away, and how an NMI that waits for the usual view hears of the way back: while one waits, place 0 is empty and the
//! stub does the switch itself. (Single steps by the monitor trap flag would do too, with an exit for each instruction, and not every CPU has
//! it.)
//!
//! What changes in a view changes in this order: the pointer leaves the list, all CPUs flush ([`crate::stale`]), and only then
//! are tables written and is a pointer listed again. A CPU that is in a view whose pointer is not listed any more goes to one in
//! which there is nothing, when it flushes: the next fetch there is refused as any stray one.

use core::ops::Range;
use core::sync::atomic::Ordering;

use heapless::Vec;
use loadphys_abi::Status;
use loadphys_abi::discovery::{GATE_VIEW, USUAL_VIEW};
use loadphys_rules::{Level, Tables};
use spin::Mutex;

use crate::nested::alias::Alias;
use crate::nested::ept::{self, EXECUTE, READ};
use crate::nested::root_view::{self, Base, RootView};
use crate::stale::Stale;
use crate::tree::{ENTRIES, Table, Tree};
use crate::vmx::controls::Invept;

pub mod answers;
mod bindings;

use bindings::Bindings;

/// The number of the first view of a root.
const FIRST_ROOT: u32 = GATE_VIEW + 1;

/// The most views of roots: as many as the list has places left.
pub const MOST_ROOTS: usize = ENTRIES - FIRST_ROOT as usize;

/// The levels of a root: of four-level and of five-level paging.
const ROOTS: Range<u8> = 4..Level::HIGHEST + 1;

/// Tables besides those of views: the list, and the view in which there is nothing.
const COMMON: usize = 2;

/// How many tables views take besides the trees of the usual and the gate view.
pub const fn tables_needed(roots: usize) -> usize {
    COMMON + roots * root_view::TABLES
}

/// How many views of roots a machine gets whose memory ends at `top`: one for each MiB, which is one part in 64 of it.
pub const fn roots_for(top: u64) -> usize {
    let wanted = (top >> 20) as usize;
    if wanted < MOST_ROOTS { wanted } else { MOST_ROOTS }
}

/// The trees of the usual view and of the gate, which map single frames in the same places.
#[derive(Clone, Debug)]
pub struct Trees<'a> {
    /// The usual view.
    pub usual: Tree<'a>,
    /// The gate view.
    pub gate: Base<'a>,
    /// What the gate view's alias shows.
    pub alias: Option<Alias<'a>>,
}

/// All views.
#[derive(Debug)]
pub struct Views<'a> {
    trees: Trees<'a>,
    list: &'a Table,
    roots: &'a [[Table; root_view::TABLES]],
    address: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    has_gate: bool,
    /// CPUs on which an NMI waits for the way back.
    waiting: u32,
    bindings: Bindings<MOST_ROOTS>,
    /// For which root, in the place of another, the tables of each place are built.
    built: Vec<Option<u64>, MOST_ROOTS>,
}

/// What [`Views::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There is such a view.
    Bound(u32),
    /// This one may be bound at once.
    Free(u32),
    /// This one may be bound as soon as no CPU remembers what it was.
    Recycled(u32, Stale),
    /// Other CPUs are about to change all of them.
    NoneNow,
}

impl<'a> Views<'a> {
    /// The views of these trees; all else is in [`tables_needed`] empty tables at this physical address.
    pub fn new(trees: Trees<'a>, tables: &'a [Table], address: u64) -> Option<Self> {
        let (common, roots) = tables.split_at_checked(COMMON)?;
        let (roots, _) = roots.as_chunks();
        let bindings = Bindings::new(roots.len());
        let built = roots.iter().map(|_| None).take(MOST_ROOTS).collect();
        let state = Mutex::new(State { has_gate: false, waiting: 0, bindings, built });
        let views = Self { list: common.first()?, trees, roots, address, state };
        views.list.set(USUAL_VIEW as usize, views.usual());
        Some(views)
    }

    /// The physical address of the list.
    pub const fn list_address(&self) -> u64 {
        self.address
    }

    /// How many there are.
    pub const fn count(&self) -> u32 {
        FIRST_ROOT + self.roots.len() as u32
    }

    /// Whether there are views of roots.
    pub const fn has_roots(&self) -> bool {
        !self.roots.is_empty()
    }

    /// The gate view's alias.
    pub const fn alias(&self) -> Option<&Alias<'a>> {
        self.trees.alias.as_ref()
    }

    /// The EPT pointer of the usual view.
    pub const fn usual(&self) -> u64 {
        ept::pointer(self.trees.usual.root())
    }

    /// The EPT pointer of the view in which there is nothing.
    pub const fn nothing(&self) -> u64 {
        ept::pointer(self.table(1))
    }

    /// Every EPT pointer that a CPU can ever have loaded.
    pub fn pointers(&self) -> impl Iterator<Item = u64> {
        let first = [self.usual(), ept::pointer(self.trees.gate.tree.root()), self.nothing()];
        let roots = (0..self.roots.len()).filter_map(|place| Some(self.root(place)?.pointer()));
        first.into_iter().chain(roots)
    }

    /// What INVEPT is given, one after the other, for a CPU to forget all views.
    pub fn invepts(&self, kind: Invept) -> impl Iterator<Item = u64> {
        let most = match kind {
            Invept::SingleContext => usize::MAX,
            Invept::AllContexts => 1,
        };
        self.pointers().take(most)
    }

    /// Whether a CPU with this pointer is in a view that there is.
    pub fn is_listed(&self, pointer: u64) -> bool {
        pointer == self.usual() || (1..ENTRIES).any(|view| self.list.get(view) == pointer)
    }

    const fn table(&self, number: usize) -> u64 {
        self.address + (number * size_of::<Table>()) as u64
    }

    fn root(&self, place: usize) -> Option<RootView<'a>> {
        let at = self.table(COMMON + place * root_view::TABLES);
        self.roots.get(place).map(|tables| RootView::new(tables, at))
    }
}

/// The gate.
impl Views<'_> {
    /// Chooses the gate's frame, to which nobody can write any more as soon as all CPUs have flushed. Then
    /// [`Views::open_gate`] is due.
    ///
    /// # Errors
    /// [`Status::NotOffered`]: single frames are not mapped there; [`Status::GateIsSet`]; as [`Tables::seal`].
    pub fn set_gate(&self, tables: &Tables<'_>, frame: u64) -> Result<Stale, Status> {
        let usual = self.trees.usual.entry(frame, 1).ok_or(Status::NotOffered)?;
        let mut state = self.state.lock();
        if state.has_gate {
            return Err(Status::GateIsSet);
        }
        tables.seal(frame)?;
        state.has_gate = true;
        let page = usual.load(Ordering::Relaxed);
        usual.store(ept::with_rights(page, READ | EXECUTE), Ordering::Release);
        Ok(Stale::taken_away())
    }

    /// Opens the gate view, in which no CPU has been yet.
    pub fn open_gate(&self, frame: u64) {
        if let Some(there) = self.trees.gate.tree.entry(frame, 1) {
            let page = there.load(Ordering::Relaxed);
            there.store(ept::with_rights(page, READ | EXECUTE), Ordering::Release);
            self.list.set(GATE_VIEW as usize, ept::pointer(self.trees.gate.tree.root()));
        }
    }

    fn is_open(&self) -> bool {
        self.list.get(GATE_VIEW as usize) != 0
    }

    /// On one more CPU an NMI waits for the way back, which exits from now on.
    pub fn close_way_back(&self) {
        let mut state = self.state.lock();
        state.waiting += 1;
        self.list.set(USUAL_VIEW as usize, 0);
    }

    /// On one CPU fewer.
    pub fn open_way_back(&self) {
        let mut state = self.state.lock();
        state.waiting -= 1;
        if state.waiting == 0 {
            self.list.set(USUAL_VIEW as usize, self.usual());
        }
    }
}

/// Views of roots.
impl Views<'_> {
    /// The view in which the root `own` leads to the root `target`, or one that can become it; the CPU with number `by` holds it then
    /// until [`Views::bind`].
    ///
    /// # Errors
    /// [`Status::NotOffered`]: there are none, or there is no gate yet. As [`Tables::level`]; [`Status::WrongLevel`]: one of the
    /// two is no root, or they are of different height.
    pub fn take(
        &self,
        tables: &Tables<'_>,
        (own, target): (u64, u64),
        by: usize,
    ) -> Result<Taken, Status> {
        let mut state = self.state.lock();
        if !self.has_roots() || !self.is_open() {
            return Err(Status::NotOffered);
        }
        are_roots(tables, own, target)?;
        if let Some(place) = state.bindings.find(own, target) {
            return Ok(Taken::Bound(number(place)));
        }
        let Some(taken) = state.bindings.take(by) else { return Ok(Taken::NoneNow) };
        let view = number(taken.place);
        self.list.set(view as usize, 0);
        let recycled = taken.recycled.then(Stale::taken_away);
        Ok(recycled.map_or(Taken::Free(view), |stale| Taken::Recycled(view, stale)))
    }

    /// Makes a view that the CPU with number `by` holds, and of which no CPU remembers anything, the one of these roots; says which
    /// it is in the end.
    ///
    /// # Errors
    /// As [`Views::take`], if one of the two was released meanwhile.
    pub fn bind(
        &self,
        tables: &Tables<'_>,
        view: u32,
        (own, target): (u64, u64),
        by: usize,
    ) -> Result<u32, Status> {
        let mut state = self.state.lock();
        let other = are_roots(tables, own, target).map(|()| state.bindings.find(own, target));
        let place = (view - FIRST_ROOT) as usize;
        match (other, self.root(place)) {
            (Ok(None), Some(root)) => {
                match state.built[place].replace(own) {
                    Some(before) if before == own => root.retarget(own, target),
                    _ => root.build(&self.trees.gate, own, target),
                }
                state.bindings.bind(place, own, target);
                self.list.set(view as usize, root.pointer());
                Ok(view)
            }
            (other, _) => {
                state.bindings.settle(by);
                other?.map(number).ok_or(Status::NotOffered)
            }
        }
    }

    /// Takes away all views in which a root that was released has a part. If there were any, [`Views::settle`] is due after the
    /// flush.
    pub fn unbind(&self, root: u64, by: usize) -> Option<Stale> {
        let mut any = None;
        self.state.lock().bindings.unbind(root, by, |place| {
            self.list.set(number(place) as usize, 0);
            any = Some(Stale::taken_away());
        });
        any
    }

    /// No CPU remembers what the CPU with number `by` took away.
    pub fn settle(&self, by: usize) {
        self.state.lock().bindings.settle(by);
    }
}

const fn number(place: usize) -> u32 {
    FIRST_ROOT + place as u32
}

fn are_roots(tables: &Tables<'_>, own: u64, target: u64) -> Result<(), Status> {
    let levels = [tables.level(own)?, tables.level(target)?];
    let good = ROOTS.contains(&levels[0].number()) && levels[0] == levels[1];
    if good { Ok(()) } else { Err(Status::WrongLevel) }
}

#[cfg(test)]
mod tests;
