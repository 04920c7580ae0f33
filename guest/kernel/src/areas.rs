//! The kernel's areas for records, swap, windows and the alias: mapped under the boot tables, taken
//! into use under the kernel's own.
#![expect(unsafe_code, reason = "makes slices of areas that were mapped for them")]

use core::mem::size_of;

use loadphys_boot::handoff::{Handoff, Region};
use loadphys_plan::command_line::Plan;
use page_reclaim::{
    FrameRecord, Frames, Memory, Reverse, SharedPage, SharedPages, SlotGroup, SlotRecord, SwapMap,
};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use crate::cpu::Features;
use crate::early::{Image, KernelMap, TooLittle};
use crate::layout::SLOT_BYTES;
use crate::methods::Reach;
use crate::ram_swap::RamSwap;

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// Pages that programs have besides the shared segment: code, stacks and their own.
const PAGES_BESIDES: u32 = 16;

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
    swap: Area<[u64; 512]>,
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
    /// The swap device.
    pub swap: RamSwap,
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
        let slots = slots(plan) as usize + 1;
        let reach = Reach::prepare(&mut map, end.min(SLOT_BYTES), plan, features)?;
        Ok(Self {
            reach,
            frames: Area::reserve(&mut map, frames)?,
            mappings: Area::reserve(&mut map, mappings(plan).max(LEAST_MAPPINGS))?,
            slots: Area::reserve(&mut map, slots)?,
            groups: Area::reserve(&mut map, SwapMap::groups_for(slots))?,
            shares: Area::reserve(&mut map, (plan.pages + PAGES_BESIDES) as usize)?,
            swap: Area::reserve(&mut map, slots)?,
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
    pub unsafe fn raise(self, handoff: &Handoff) -> Estate {
        // SAFETY: the map is loaded, and records of zero bytes are as good as any: each `new` writes
        // its own.
        let (mut memory, swap) = unsafe {
            let memory = Memory {
                frames: Frames::new(self.frames.raise()),
                reverse: Reverse::new(self.mappings.raise()),
                swap: SwapMap::new(self.slots.raise(), self.groups.raise()),
                shared: SharedPages::new(self.shares.raise()),
            };
            (memory, RamSwap::new(self.swap.raise()))
        };
        let image = Region { start: 0, end: Image::physical_end(), usable: false };
        for frame in handoff.usable().rev().flat_map(frames_of) {
            let at = frame.start_address().as_u64();
            if ![image, self.taken].iter().any(|r| (r.start..r.end).contains(&at)) {
                memory.frames.grant(frame).expect("each usable frame has a record and comes once");
            }
        }
        let reach = Reach { windows: Some(self.windows), ..self.reach };
        Estate { memory, swap, reach, root: self.root }
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

/// Programs whose own pages have room in swap too, unless it is asked for more.
const SWAPPED_WHOLE: u32 = 256;

/// Pages of swap: as asked, or enough for the segment and for everything that a good many programs have.
fn slots(plan: &Plan) -> u32 {
    let programs = (most_sharers(plan) + 1).min(SWAPPED_WHOLE);
    let enough = plan.pages + programs * PAGES_BESIDES;
    if plan.swap_pages == 0 { enough } else { plan.swap_pages }
}

/// The frames of a region, the highest first.
fn frames_of(region: Region) -> impl Iterator<Item = PhysFrame> {
    let first = PhysFrame::containing_address(PhysAddr::new(region.start));
    let end = PhysFrame::containing_address(PhysAddr::new(region.end));
    PhysFrame::range(first, end).rev()
}
