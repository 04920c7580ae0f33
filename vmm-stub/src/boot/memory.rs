//! The stub's own memory: its range, its tables, the nested tables.
#![expect(unsafe_code, reason = "loads the stub's own tables")]

use core::ops::Range;
use core::sync::atomic::{AtomicU8, AtomicU64};

use heapless::Vec;
use loadphys_abi::FRAME_BYTES;
use loadphys_boot::handoff::{Handoff, MOST_MODULES};
use loadphys_rules::typed::Frame;
use x86_64::PhysAddr;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr3Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};
use x86_64::structures::paging::PhysFrame;

use super::devices;
use super::guest::File;
use crate::counts::Counts;
use crate::image::{self, Stacks};
use crate::machine::{Machine, msr};
use crate::mtrr::Mtrrs;
use crate::needs::{self, Needs};
use crate::nested::alias::{Alias, Window};
use crate::nested::format::Format;
use crate::nested::layout::{self, ALL_RIGHTS, Layout, VIEW_RIGHTS};
use crate::nested::root_view::Base;
use crate::paging::OwnMemory;
use crate::places;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::say::say;
use crate::tree::{ENTRIES, Shape, Table, Tree, page_bytes, tables_needed};
use crate::views::{self, Trees, Views};

/// Frames that each CPU takes besides the back end's: descriptors, what it is told when it is started.
const CPU_FRAMES: usize = 2;

/// Frames that all CPUs share besides the back end's: what they count.
const fn shared_frames(cpus: usize) -> usize {
    (cpus * size_of::<Counts>()).div_ceil(FRAME_BYTES as usize)
}

/// Tables more than were counted, since the count does not know yet where the range ends.
const SPARE_TABLES: usize = 4;

/// What the rules keep for each frame.
pub enum Frames {
    /// A byte.
    Tables(&'static [AtomicU8]),
    /// A word.
    Typed(&'static mut [Frame]),
}

/// What was set up.
pub struct Memory {
    /// All that is the stub's.
    pub stub: Range<u64>,
    /// Where memory ends.
    pub top: u64,
    /// What is left of the pool.
    pub pool: Pool,
    /// The root of the stub's own tables.
    pub root: u64,
    /// Stacks for the CPUs that are not the boot CPU.
    pub stacks: &'static mut [Stacks],
    /// What the rules keep.
    pub frames: Frames,
    /// The alias and its place.
    pub alias: Option<(Alias<'static>, Window)>,
    /// The page of the local APIC's registers, if the guest may only read it.
    pub apic_page: Option<u64>,
    /// The nested tables of the usual view.
    pub usual: Tree<'static>,
    /// The views besides, if there are any.
    pub views: Option<Views<'static>>,
}

impl Memory {
    /// Stacks for one more CPU.
    pub fn take_stacks(&mut self) -> Option<&'static Stacks> {
        self.stacks.split_off_first_mut().map(|stacks| &*stacks)
    }
}

/// What of the nested tables depends on the machine.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// How they are written down.
    pub format: Format,
    /// Frames that the back end takes.
    pub frames: usize,
    /// Bytes of a CPU's own state.
    pub cpu_bytes: usize,
    /// The page of the local APIC's registers, if the guest may only read it.
    pub apic_page: Option<u64>,
    /// They may hold 1 GiB pages.
    pub gib_pages: bool,
    /// Memory is mapped by single frames.
    pub smallest: bool,
    /// There are to be views besides the usual one.
    pub views: bool,
    /// The rules are typed: frames have types, and single ones become read-only.
    pub typed: bool,
    /// How many CPUs there are.
    pub cpus: usize,
}

/// Chooses the range, switches to the stub's own tables and builds the nested ones.
pub fn set_up(
    handoff: &Handoff,
    file: &File,
    machine: Machine,
    wanted: Wanted,
) -> Result<Memory, Problem> {
    let Wanted { format, gib_pages, cpus, .. } = wanted;
    let top = places::top(&handoff.memory);
    let mtrrs = Mtrrs::read(|number| if machine.mtrrs { msr(number) } else { 0 }, machine.width);
    let image = image::image();
    let mut own = own_memory(&image, top, machine);
    let mut nested = Layout {
        format,
        stub: image.all.clone(),
        end: layout::end(machine.width, gib_pages, top),
        largest: if gib_pages { 3 } else { 2 },
        fine: fine(&file.place(), top, wanted),
        guarded: guarded(wanted),
        rights: ALL_RIGHTS,
        alias: devices::window(&handoff.memory, machine.width, top),
        mtrrs: &mtrrs,
    };
    let needs = Needs {
        file_bytes: file.bytes_to_copy(),
        frame_bytes: if wanted.typed { size_of::<Frame>() as u64 } else { 1 },
        views: wanted.views.then(|| tables_needed(&nested) + SPARE_TABLES),
        ..needs(top, wanted, &own, &nested)
    };
    let (range, needs) = choose(handoff, &image.all, needs)?;
    nested.stub = image.all.start..range.end;
    // SAFETY: the range is usable memory behind the image; what the loader left there is avoided, and the guest will
    // not have it. The entry code maps all below 4 GiB, the stub's own tables all memory.
    let mut pool = unsafe { Pool::new(range) };
    let stacks = pool.take::<Stacks>(cpus - 1).ok_or(FULL)?;
    for guard in stacks.iter().flat_map(Stacks::guards) {
        // Room for those of as many CPUs as there can be.
        let _ = own.guards.push(guard);
    }
    let root = build(&mut pool, &own)?.root();
    switch_to(root);
    fill(Taken { pool, root, stacks }, nested, needs)
}

/// What is mapped by single frames: all memory if that is wanted, with views the part of the guest's image in which the gate may
/// be, which is all of that if it is not very large.
const fn fine(place: &Range<u64>, top: u64, wanted: Wanted) -> Range<u64> {
    const MOST: u64 = 64 << 20;
    match wanted {
        Wanted { smallest: true, .. } => return 0..top,
        Wanted { views: false, .. } => return 0..0,
        Wanted { views: true, .. } => {}
    }
    let end = place.start.saturating_add(MOST);
    place.start..if place.end < end { place.end } else { end }
}

/// What the guest may only read.
fn guarded(wanted: Wanted) -> Range<u64> {
    wanted.apic_page.map_or(0..0, |page| page..page + FRAME_BYTES)
}

/// What came first from the pool.
struct Taken {
    pool: Pool,
    root: u64,
    stacks: &'static mut [Stacks],
}

/// Takes what is needed from the pool, with the nested tables built.
fn fill(taken: Taken, mut nested: Layout<'_>, needs: Needs) -> Result<Memory, Problem> {
    let Taken { mut pool, root, stacks } = taken;
    let frames = take_frames(&mut pool, needs)?;
    nested.alias = nested.alias.filter(|_| needs.alias);
    let alias = take_alias(&mut pool, &mut nested, needs)?;
    let usual = build(&mut pool, &nested)?;
    let window = nested.alias.clone();
    let stub = nested.stub.clone();
    let apic_page = (!nested.guarded.is_empty()).then_some(nested.guarded.start);
    let views = match needs.views {
        Some(_) => Some(build_views(&mut pool, usual, nested, needs)?),
        None => None,
    };
    let alias = alias.zip(window);
    let top = needs.top;
    Ok(Memory { stub, top, pool, root, stacks, frames, alias, apic_page, usual, views })
}

fn take_frames(pool: &mut Pool, needs: Needs) -> Result<Frames, Problem> {
    let count = (needs.top / FRAME_BYTES) as usize;
    Ok(if needs.frame_bytes == 1 {
        Frames::Tables(pool.take(count).ok_or(FULL)?)
    } else {
        Frames::Typed(pool.take(count).ok_or(FULL)?)
    })
}

/// An alias of its own for a layout that has a window for one.
fn take_alias(
    pool: &mut Pool,
    nested: &mut Layout<'_>,
    needs: Needs,
) -> Result<Option<Alias<'static>>, Problem> {
    let Some(window) = nested.alias.take() else { return Ok(None) };
    let pages = pool.take::<AtomicU64>(needs.alias_tables() * ENTRIES).ok_or(FULL)?;
    nested.alias = Some(window.with_tables_at(pages.as_ptr() as u64));
    Ok(Some(Alias::new(pages, nested.format)))
}

/// The gate view, and room for views of roots.
fn build_views(
    pool: &mut Pool,
    usual: Tree<'static>,
    nested: Layout<'_>,
    needs: Needs,
) -> Result<Views<'static>, Problem> {
    let mut nested = Layout { rights: VIEW_RIGHTS, guarded: 0..0, ..nested };
    let alias = take_alias(pool, &mut nested, needs)?;
    let shown = nested.alias.as_ref().map_or(0..0, Window::range);
    let gate = Base { tree: build(pool, &nested)?, alias: shown };
    let trees = Trees { usual, gate, alias };
    let tables = pool.take::<Table>(views::tables_needed(needs.root_views())).ok_or(FULL)?;
    let at = tables.as_ptr() as u64;
    Views::new(trees, tables, at).ok_or(FULL)
}

fn own_memory(image: &image::Image, top: u64, machine: Machine) -> OwnMemory {
    OwnMemory {
        image: image.all.clone(),
        text: image.text.clone(),
        rodata: image.rodata.clone(),
        guards: image::guards().into_iter().collect(),
        end: top.max(4 << 30),
        largest: if machine.gib_pages { 3 } else { 2 },
    }
}

fn needs(top: u64, wanted: Wanted, own: &OwnMemory, nested: &Layout<'_>) -> Needs {
    let cpus = wanted.cpus;
    // Pages with a guard in them are mapped by tables of level 1; each side of the stacks may be in such a page.
    let guarded = (cpus - 1) * size_of::<Stacks>() / page_bytes(2) as usize + 2;
    let tables = tables_needed(own) + guarded + tables_needed(nested) + SPARE_TABLES;
    Needs {
        top,
        frames: wanted.frames + CPU_FRAMES * cpus + shared_frames(cpus) + tables,
        frame_bytes: 1,
        alias: nested.alias.is_some(),
        views: None,
        cpus,
        cpu_bytes: wanted.cpu_bytes,
        stack_bytes: size_of::<Stacks>(),
        file_bytes: 0,
    }
}

/// Where the pool goes; where there is no room for views, it goes without, and then without the alias.
fn choose(
    handoff: &Handoff,
    image: &Range<u64>,
    needs: Needs,
) -> Result<(Range<u64>, Needs), Problem> {
    let modules: Vec<_, MOST_MODULES> = handoff.modules.iter().map(|m| m.start..m.end).collect();
    let place = |needs: Needs| {
        let range = needs::pool(&handoff.memory, image, needs.bytes(), &modules)?;
        Ok((range, needs))
    };
    let without_views = |too_small| match needs.views {
        Some(_) => {
            say!(
                "no gate, no views of other roots: memory behind the stub is too small for their tables"
            );
            place(Needs { views: None, ..needs })
        }
        None => Err(too_small),
    };
    let without_alias = |too_small| {
        if needs.alias {
            say!("no alias: memory behind the stub is too small for its tables");
            place(Needs { alias: false, views: None, ..needs })
        } else {
            Err(too_small)
        }
    };
    let place = place(needs).or_else(without_views).or_else(without_alias);
    place.map_err(Problem::TooSmall)
}

/// The pool was measured, so it cannot be too small; if it is, that is said.
const FULL: Problem = Problem::NoPlace("the stub's tables");

fn build(pool: &mut Pool, shape: &impl Shape) -> Result<Tree<'static>, Problem> {
    let tables = pool.take::<Table>(tables_needed(shape)).ok_or(FULL)?;
    let at = tables.as_ptr() as u64;
    Tree::build(tables, at, shape).map_err(|_| FULL)
}

/// Leaves the entry code's tables, with write protection and no-execute on.
pub fn switch_to(root: u64) {
    let frame = PhysFrame::containing_address(PhysAddr::new(root));
    // SAFETY: the new tables map the image and the stack where they are, with the rights they need, and all memory.
    unsafe {
        Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr3::write(frame, Cr3Flags::empty());
        Cr0::update(|flags| flags.insert(Cr0Flags::WRITE_PROTECT));
    }
}
