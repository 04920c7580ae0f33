//! The guest: its file is found, judged, put where it wants to be, and told what it has.
#![expect(unsafe_code, reason = "reads modules and writes the guest's memory before it runs")]

use core::ops::Range;
use core::slice;

use heapless::Vec;
use loadphys_abi::FRAME_BYTES;
use loadphys_boot::handoff::pvh::MemoryEntry;
use loadphys_boot::handoff::{Handoff, MOST_MODULES, Module};

use super::memory::Memory;
use crate::guest::handover::{Handover, RSDP_BYTES, Start};
use crate::guest::image::{Image, MOST_SEGMENTS, Segment};
use crate::guest::screen::{self, Screen};
use crate::places::{self, MemoryMap};
use crate::problem::Problem;

/// What is in the way when a place is looked for: the stub, first of all; segments, modules.
type Obstacles = Vec<Range<u64>, { MOST_SEGMENTS + 2 * MOST_MODULES + 2 }>;

/// The guest's file, as the loader left it.
pub struct File {
    image: Image,
    range: Range<u64>,
    rsdp: Option<Vec<u8, RSDP_BYTES>>,
    screen: Option<Screen>,
}

impl File {
    /// How large the copy must be that is loaded from: the file may lie where its own segments go.
    pub fn bytes_to_copy(&self) -> u64 {
        if self.image.overlaps(&self.range) { self.range.end - self.range.start } else { 0 }
    }

    /// From where to where the image goes.
    pub fn place(&self) -> Range<u64> {
        self.image.place()
    }
}

/// The guest in its place.
pub struct Guest {
    /// How it is entered.
    pub start: Start,
    /// Its memory.
    pub memory: MemoryMap,
}

/// Finds the guest's file, which goes below the stub if it can, and copies what the firmware left in memory that is about to be
/// used: ACPI's root pointer, what the screen shows.
pub fn find(handoff: &Handoff, stub: u64) -> Result<File, Problem> {
    let module = handoff.modules.first().ok_or(Problem::NoModule)?;
    let range = module.start..module.end;
    let mut image = Image::read(bytes(&range)).map_err(Problem::Image)?;
    image.settle(&handoff.memory, stub);
    let screen = bytes(&screen::BIOS_DATA).first_chunk().and_then(Screen::read);
    Ok(File { image, range, rsdp: handoff.rsdp.map(rsdp), screen })
}

/// Memory that the loader filled.
fn bytes(range: &Range<u64>) -> &'static [u8] {
    // SAFETY: the loader put a module there, it is mapped at its own address, and nothing writes to it until the
    // guest is loaded; by then it was copied if it has to be.
    unsafe { slice::from_raw_parts(range.start as *const u8, (range.end - range.start) as usize) }
}

/// ACPI's root pointer: 20 bytes, or, from revision 2, as many as it says (ACPI 6.5, section 5.2.5.3).
fn rsdp(at: u64) -> Vec<u8, RSDP_BYTES> {
    let oldest = bytes(&(at..at + 20));
    let size = if oldest[15] >= 2 { RSDP_BYTES as u64 } else { 20 };
    bytes(&(at..at + size)).iter().copied().collect()
}

/// Loads the guest and writes its start info.
pub fn load(
    handoff: &Handoff,
    file: File,
    memory: &mut Memory,
    line: &str,
) -> Result<Guest, Problem> {
    file.image.check_places(&handoff.memory, &memory.stub).map_err(Problem::Image)?;
    file.image.check_line(line).map_err(Problem::Image)?;
    let from = match file.bytes_to_copy() {
        0 => bytes(&file.range),
        size => {
            let copy = memory.pool.take::<u8>(size as usize);
            let copy = copy.ok_or(Problem::NoPlace("a copy of the guest's file"))?;
            copy.copy_from_slice(bytes(&file.range));
            copy
        }
    };
    let map = places::reserve(&handoff.memory, &memory.stub);
    let map = map.map_err(|_| Problem::NoPlace("the guest's memory map"))?;
    let mut obstacles = obstacles(handoff, &file.image, memory);
    let modules = move_modules(&handoff.modules[1..], &file.image, &map, &mut obstacles)?;
    for segment in &file.image.segments {
        load_segment(segment, from);
    }
    hand_over(&map, line, &modules, &file, &obstacles)
}

fn obstacles(handoff: &Handoff, image: &Image, memory: &Memory) -> Obstacles {
    let segments = image.segments.iter().map(|segment| segment.memory.clone());
    let modules = handoff.modules.iter().map(|module| module.start..module.end);
    [memory.stub.clone()].into_iter().chain(segments).chain(modules).collect()
}

/// Moves the modules that lie where something else goes, or where the guest does not want them.
fn move_modules(
    modules: &[Module],
    image: &Image,
    map: &MemoryMap,
    obstacles: &mut Obstacles,
) -> Result<Vec<Module, MOST_MODULES>, Problem> {
    let mut moved = Vec::new();
    for module in modules {
        let mut module = module.clone();
        let range = module.start..module.end;
        // Its own old place is one of the obstacles, once.
        let in_the_way = obstacles.iter().filter(|o| places::overlap(o, &range)).count() > 1;
        let crooked = image.wants_pages() && !range.start.is_multiple_of(FRAME_BYTES);
        if in_the_way || crooked || range.end > image.modules_end() {
            let size = range.end - range.start;
            let place = free_place(map, image.modules_end(), size, obstacles, "a module")?;
            write(&place, bytes(&range));
            module.end = place.start + (range.end - range.start);
            module.start = place.start;
            // Room for each module twice.
            let _ = obstacles.push(place);
        }
        // As many as there were.
        let _ = moved.push(module);
    }
    Ok(moved)
}

/// The highest place below the stub, or else below `end`.
fn free_place(
    map: &MemoryMap,
    end: u64,
    bytes: u64,
    obstacles: &Obstacles,
    what: &'static str,
) -> Result<Range<u64>, Problem> {
    let below = places::highest_free(map, obstacles[0].start, bytes, obstacles);
    let anywhere = || places::highest_free(map, end, bytes, obstacles);
    below.or_else(anywhere).ok_or(Problem::NoPlace(what))
}

fn load_segment(segment: &Segment, file: &[u8]) {
    write(&segment.memory, &file[segment.file.clone()]);
}

/// Fills a range of the guest's memory: bytes, and zeroes behind them.
fn write(range: &Range<u64>, content: &[u8]) {
    // SAFETY: the range was checked to be usable memory that is not the stub's, the guest does not run yet, and the
    // content lies elsewhere: segments are loaded from a copy if they overlap the file, modules move to free places.
    let memory = unsafe {
        slice::from_raw_parts_mut(range.start as *mut u8, (range.end - range.start) as usize)
    };
    let (head, tail) = memory.split_at_mut(content.len());
    head.copy_from_slice(content);
    tail.fill(0);
}

/// Writes what the guest is handed into a block that is reserved in its memory map, so that it may read that when it likes.
fn hand_over(
    map: &MemoryMap,
    line: &str,
    modules: &[Module],
    file: &File,
    obstacles: &Obstacles,
) -> Result<Guest, Problem> {
    let too_many = |_| Problem::NoPlace("the guest's memory map");
    let (rsdp, screen) = (file.rsdp.as_deref(), file.screen);
    let shorter = Handover { memory: map, command_line: line, modules, rsdp, screen };
    // Reserving the block adds at most two regions to the map.
    let size = shorter.bytes(&file.image) + 2 * size_of::<MemoryEntry>();
    let block = free_place(map, 4 << 30, size as u64, obstacles, "what the guest is handed")?;
    let memory = places::reserve(map, &block).map_err(too_many)?;
    let handover = Handover { memory: &memory, ..shorter };
    // SAFETY: a free place in the guest's memory, as in `write`.
    let bytes = unsafe {
        slice::from_raw_parts_mut(block.start as *mut u8, (block.end - block.start) as usize)
    };
    let start = handover.write(&file.image, bytes, block.start);
    let start = start.map_err(|_| Problem::NoPlace("what the guest is handed"))?;
    Ok(Guest { start, memory })
}
