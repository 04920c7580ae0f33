//! The kernel's areas for records, swap, windows and the alias: mapped under the boot tables, taken
//! into use under the kernel's own.
#![expect(unsafe_code, reason = "makes slices of areas that were mapped for them")]

use alloc::boxed::Box;
use core::mem::size_of;

use loadphys_boot::handoff::{Handoff, Region};
use loadphys_plan::command_line::Plan;
use loadphys_plan::work::{PAGES_BESIDES, swap_pages};
use page_reclaim::{
    FrameRecord, Frames, Memory, Reverse, SharedPage, SharedPages, SlotGroup, SlotRecord, SwapMap,
};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use crate::cpu::Features;
use crate::early::{Image, KernelMap, TooLittle};
use crate::firmware::PmTimer;
use crate::layout::SLOT_BYTES;
use crate::methods::Reach;
use crate::swap::{FaultySwap, NoDisk, Prospects, RamSwap, Swap};

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// Mappings for which there is room however few are expected.
const LEAST_MAPPINGS: usize = 1 << 16;

/// An area for so many `T`.
struct Area<T> {
    start: VirtAddr,
    count: usize,
    kind: core::marker::PhantomData<T>,
}

impl<T> Area<T> {
    fn reserve(map: &mut KernelMap, count: usize) -> Result<Self, TooLittle> {
        let start = map.area((count * size_of::<T>()) as u64)?;
        Ok(Self { start, count, kind: core::marker::PhantomData })
    }

    /// # Safety
    /// The area's map is loaded; all bytes zero are a `T`.
    unsafe fn raise(self) -> &'static mut [T] {
        // SAFETY: mapped for this, zeroed, and `self` is the only way to it.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_mut_ptr(), self.count) }
    }
}

/// The areas, not yet in use.
pub struct Areas {
    frames: Area<FrameRecord>,
    mappings: Area<u64>,
    slots: Area<SlotRecord>,
    groups: Area<SlotGroup>,
    shares: Area<SharedPage>,
    /// Pages of a swap in memory, none if it is on a disk.
    swap: Area<[u64; 512]>,
    disks: Option<Prospects>,
    windows: VirtAddr,
    reach: Reach,
    /// The kernel's root.
    pub root: PhysFrame,
    taken: Region,
}

/// What the areas become.
pub struct Estate {
    /// The records.
    pub memory: Memory<'static>,
    /// Where evicted pages go.
    pub swap: Swap,
    /// What methods need of the virtual space.
    pub reach: Reach,
    /// The kernel's root.
    pub root: PhysFrame,
}

impl Areas {
    /// Maps all areas.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn reserve(
        mut map: KernelMap,
        handoff: &Handoff,
        plan: &Plan,
        features: &Features,
    ) -> Result<Self, TooLittle> {
        let end = handoff.usable().map(|r| r.end).max().unwrap_or(0);
        let frames = (end / FRAME) as usize;
        let slots = swap_pages(plan) as usize + 1;
        let reach = Reach::prepare(&mut map, end.min(SLOT_BYTES), plan, features)?;
        let disks = Prospects::look(&mut map, plan)?;
        let in_memory = if disks.is_none() { slots } else { 0 };
        Ok(Self {
            reach,
            frames: Area::reserve(&mut map, frames)?,
            mappings: Area::reserve(&mut map, mappings(plan).max(LEAST_MAPPINGS))?,
            slots: Area::reserve(&mut map, slots)?,
            groups: Area::reserve(&mut map, SwapMap::groups_for(slots))?,
            shares: Area::reserve(&mut map, (plan.pages + PAGES_BESIDES) as usize)?,
            swap: Area::reserve(&mut map, in_memory)?,
            disks,
            windows: map.windows()?,
            root: map.root(),
            taken: map.taken(),
        })
    }

    /// Takes the areas into use and grants every usable frame that is not taken, the highest first: what is granted
    /// last is given away first, and not every method reaches tables far up.
    ///
    /// # Safety
    /// The map is loaded.
    ///
    /// # Errors
    /// [`NoDisk`] that swap can be on, if it is to be on one.
    pub unsafe fn raise(
        self,
        handoff: &Handoff,
        plan: &Plan,
        timer: Option<PmTimer>,
    ) -> Result<Estate, NoDisk> {
        let slots = self.slots.count;
        // SAFETY: the map is loaded, and records of zero bytes are as good as any: each `new` writes
        // its own.
        let (mut memory, swap) = unsafe {
            let memory = Memory {
                frames: Frames::new(self.frames.raise()),
                reverse: Reverse::new(self.mappings.raise()),
                swap: SwapMap::new(self.slots.raise(), self.groups.raise()),
                shared: SharedPages::new(self.shares.raise()),
            };
            let swap = match self.disks {
                None => in_memory(RamSwap::new(self.swap.raise()), plan),
                Some(disks) => Swap::find(disks, plan, timer, self.windows, slots)?,
            };
            (memory, swap)
        };
        let image = Region { start: 0, end: Image::physical_end(), usable: false };
        for frame in handoff.usable().rev().flat_map(frames_of) {
            let at = frame.start_address().as_u64();
            if ![image, self.taken].iter().any(|r| (r.start..r.end).contains(&at)) {
                memory.frames.grant(frame).expect("each usable frame has a record and comes once");
            }
        }
        let reach = Reach { windows: Some(self.windows), ..self.reach };
        Ok(Estate { memory, swap, reach, root: self.root })
    }
}

/// Swap in memory, which fails as the plan has it.
fn in_memory(ram: RamSwap, plan: &Plan) -> Swap {
    match plan.faults {
        0 => Swap::Ram(ram),
        one_in => Swap::Faulty(Box::leak(Box::new(FaultySwap::new(ram, one_in, plan.seed)))),
    }
}

/// Every program of the largest row maps every page that it has; others have no part of the segment.
fn mappings(plan: &Plan) -> usize {
    let (sharers, besides) = (most_sharers(plan) as usize, PAGES_BESIDES as usize);
    sharers * (plan.pages as usize + besides) + plan.spaces as usize * besides
}

fn most_sharers(plan: &Plan) -> u32 {
    plan.sharers.iter().copied().max().unwrap_or(1)
}

/// The frames of a region, the highest first.
fn frames_of(region: Region) -> impl Iterator<Item = PhysFrame> {
    let first = PhysFrame::containing_address(PhysAddr::new(region.start));
    let end = PhysFrame::containing_address(PhysAddr::new(region.end));
    PhysFrame::range(first, end).rev()
}
