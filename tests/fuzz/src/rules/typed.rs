//! The typed rule sets: whatever was called, no entry of a table leads to where it must not, and counts are right.

use loadphys_abi::{Kept, Status};
use loadphys_rules::typed::{Frame, Kind};
use loadphys_rules::{Found, Mapping, MemoryAt, Typed, Wish};

use super::Judge;
use crate::course::{Course, Done};
use crate::memory::{FRAME, GUESTS, KNOWN, Memory};

/// Bits of the processor's physical addresses.
const WIDTH: u32 = 39;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Flags that no present entry may have, of a link and of a page.
const BAD_IN_LINK: u64 = !(ADDRESS | 0x8000_0000_0000_0e27);
const BAD_IN_PAGE: u64 = !(ADDRESS | 0x8000_0000_0000_0f67);

/// Does what the bytes say under this rule set.
///
/// # Panics
/// If something does not hold in the end.
pub fn by_typed(data: &[u8], preset: bool) -> Done {
    let (mut frames, memory) = ([Frame::default(); KNOWN as usize], Memory::new());
    let mut rules = Typed::new(&mut frames, WIDTH, preset);
    rules.grant(GUESTS.start * FRAME..GUESTS.end * FRAME + 8);
    let done = Course::new(rules, &memory, None).run(data);
    check(&frames, &memory, preset);
    done
}

/// Dies if an entry leads to where it must not, or a count is not what a recount finds.
fn check(frames: &[Frame], memory: &Memory, preset: bool) {
    let mut counts = [0; KNOWN as usize];
    for (frame, state) in (0..).zip(frames) {
        let Kind::Table(level) = state.kind() else { continue };
        for at in (frame * FRAME..(frame + 1) * FRAME).step_by(8) {
            let entry = memory.load(at);
            let relied_on = judge(frames, entry, level.number(), preset);
            relied_on.into_iter().for_each(|frame| counts[frame] += 1);
        }
    }
    for (frame, (state, count)) in frames.iter().zip(counts).enumerate() {
        assert_eq!(state.count(), count, "frame {frame}, {state:?}, against a recount");
    }
}

/// Dies if a table of this level must not hold this entry. The frame that is to stay what it is because of it.
fn judge(frames: &[Frame], entry: u64, level: u8, preset: bool) -> Option<usize> {
    let number = ((entry & ADDRESS) / FRAME) as usize;
    let kind = frames.get(number).map_or(Kind::Outside, |state| state.kind());
    if entry & PRESENT == 0 {
        let named = (entry & ADDRESS & ((1 << WIDTH) - 1)) / FRAME;
        let empty = entry & !(ACCESSED | DIRTY) == 0;
        assert!(empty || named >= KNOWN, "{entry:#x} is not present and names memory");
        return None;
    }
    let written = level == 1 && entry & WRITABLE != 0;
    let needed = if written { ACCESSED | DIRTY } else { ACCESSED };
    assert!(!preset || entry & needed == needed, "{entry:#x} leaves bits to be set");
    let bad = if level == 1 { BAD_IN_PAGE } else { BAD_IN_LINK | LARGE };
    assert_eq!(entry & bad, 0, "{entry:#x} in a table of level {level}");
    let good = match kind {
        Kind::Outside => false,
        Kind::Table(below) => {
            if level == 1 {
                !written
            } else {
                below.number() == level - 1
            }
        }
        Kind::Open(below) if level > 1 => entry & USER == 0 && below.number() == level - 1,
        Kind::Plain => level == 1,
        Kind::Becoming(_) | Kind::Open(_) => level == 1 && !written,
    };
    assert!(good, "{entry:#x} in a table of level {level} leads to {kind:?}");
    (level > 1 || written).then_some(number)
}

impl Judge for Typed<'_> {
    fn perform(&mut self, address: u64, wish: Wish, memory: &Memory) -> Result<Found, Status> {
        Typed::perform(self, address, wish, memory)
    }

    fn register(
        &mut self,
        frame: u64,
        level: u64,
        kept: Kept,
        memory: &Memory,
    ) -> Result<(), Status> {
        match kept {
            Kept::Gate => return Err(Status::NotOffered),
            Kept::Open => return self.open(frame, level).map(|_| ()),
            Kept::Calls | Kept::Alias => {}
        }
        let table = self.begin_register(frame, level)?;
        self.finish_register(table, memory).map(|_| ())
    }

    fn release(&mut self, frame: u64, memory: &Memory) -> Result<(), Status> {
        Typed::release(self, frame, memory).map(|_| ())
    }

    fn memory(&self, start: u64, bytes: u64) -> Result<MemoryAt, Status> {
        Typed::memory(self, start, bytes)
    }

    fn array(&self, start: u64, items: u64) -> Result<MemoryAt, Status> {
        Typed::array(self, start, items)
    }

    fn unmap(&mut self, mapping: Mapping, memory: &Memory) -> Result<Found, Status> {
        Typed::unmap(self, mapping, memory)
    }
}
