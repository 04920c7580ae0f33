//! What the guest finds at its entry: a PVH start info and all it names, in one block of memory.

use core::ops::Range;

use loadphys_boot::handoff::pvh::{MAGIC, MemoryEntry, ModuleEntry, RESERVED, StartInfo, USABLE};
use loadphys_boot::handoff::{Module, Region};

/// Most bytes of ACPI's root pointer (ACPI 6.5, section 5.2.5.3); the oldest form has 20.
pub const RSDP_BYTES: usize = 36;

/// All that is handed over.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// The guest's memory.
    pub memory: &'a [Region],
    /// The guest's command line.
    pub command_line: &'a str,
    /// The modules after the guest itself.
    pub modules: &'a [Module],
    /// A copy of ACPI's root pointer: the loader's may lie in memory that is free to be used.
    pub rsdp: Option<&'a [u8]>,
}

/// The block is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Handover<'_> {
    /// How many bytes the block needs.
    pub fn bytes(&self) -> usize {
        let texts = self.modules.iter().map(|m| m.command_line.len());
        let texts = texts.chain([self.command_line.len()]);
        let rsdp = self.rsdp.map_or(0, <[u8]>::len);
        size_of::<StartInfo>()
            + self.memory.len() * size_of::<MemoryEntry>()
            + self.modules.len() * size_of::<ModuleEntry>()
            + rsdp.next_multiple_of(8)
            + texts.map(|text| (text + 1).next_multiple_of(8)).sum::<usize>()
    }

    /// Writes the block that will be at this physical address; the start info comes first.
    ///
    /// # Errors
    /// [`NoRoom`] if it is smaller than [`Handover::bytes`].
    pub fn write(&self, block: &mut [u8], at: u64) -> Result<(), NoRoom> {
        let mut block = Block { bytes: block, at, used: 0 };
        let start_info = block.reserve(size_of::<StartInfo>())?;
        let memory_at = self.write_memory(&mut block)?;
        let modules_at = self.write_modules(&mut block)?;
        let command_line_at = block.text(self.command_line)?;
        let rsdp = self.rsdp.map_or(Ok(0), |bytes| block.bytes(bytes))?;
        // `hvm_start_info`, version 1.
        let halves = |value: u64| [value as u32, (value >> 32) as u32];
        let counts = [MAGIC, 1, 0, self.modules.len() as u32];
        let places = [modules_at, command_line_at, rsdp, memory_at].map(halves);
        let words = counts.into_iter().chain(places.into_iter().flatten());
        block.fill(start_info, words.chain([self.memory.len() as u32, 0]));
        Ok(())
    }

    fn write_memory(&self, block: &mut Block<'_>) -> Result<u64, NoRoom> {
        let at = block.next();
        for region in self.memory {
            let kind = if region.usable { USABLE } else { RESERVED };
            block.words(&[region.start, region.end - region.start, u64::from(kind)])?;
        }
        Ok(at)
    }

    fn write_modules(&self, block: &mut Block<'_>) -> Result<u64, NoRoom> {
        let list = block.reserve(self.modules.len() * size_of::<ModuleEntry>())?;
        let at = block.at + list.start as u64;
        for (module, entry) in self.modules.iter().zip(list.step_by(size_of::<ModuleEntry>())) {
            let text = block.text(&module.command_line)?;
            let words = [module.start, module.end - module.start, text, 0];
            let halves = words.into_iter().flat_map(|w| [w as u32, (w >> 32) as u32]);
            block.fill(entry..entry + size_of::<ModuleEntry>(), halves);
        }
        Ok(at)
    }
}

/// A block that fills from its start, in steps of 8 bytes.
struct Block<'a> {
    bytes: &'a mut [u8],
    at: u64,
    used: usize,
}

impl Block<'_> {
    const fn next(&self) -> u64 {
        self.at + self.used as u64
    }

    fn reserve(&mut self, bytes: usize) -> Result<Range<usize>, NoRoom> {
        let range = self.used..self.used + bytes;
        self.bytes.get_mut(range.clone()).ok_or(NoRoom)?.fill(0);
        self.used += bytes.next_multiple_of(8);
        Ok(range)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<u64, NoRoom> {
        let at = self.next();
        let range = self.reserve(bytes.len())?;
        self.bytes[range].copy_from_slice(bytes);
        Ok(at)
    }

    /// Text, ended by a zero byte.
    fn text(&mut self, text: &str) -> Result<u64, NoRoom> {
        let at = self.next();
        let range = self.reserve(text.len() + 1)?;
        self.bytes[range.start..range.end - 1].copy_from_slice(text.as_bytes());
        Ok(at)
    }

    fn words(&mut self, words: &[u64]) -> Result<(), NoRoom> {
        for word in words {
            self.bytes(&word.to_le_bytes())?;
        }
        Ok(())
    }

    fn fill(&mut self, range: Range<usize>, words: impl Iterator<Item = u32>) {
        for (bytes, word) in self.bytes[range].chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use loadphys_boot::handoff::pvh::MAGIC;
    use loadphys_boot::handoff::{CommandLine, Module, Region};

    use super::{Handover, NoRoom};

    const AT: u64 = 0x5ff_e000;

    fn number(block: &[u8], at: u64, bytes: u64) -> u64 {
        let (from, to) = ((at - AT) as usize, (at + bytes - AT) as usize);
        block[from..to].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn text(block: &[u8], at: u64) -> &str {
        let tail = &block[(at - AT) as usize..];
        let end = tail.iter().position(|byte| *byte == 0).unwrap();
        core::str::from_utf8(&tail[..end]).unwrap()
    }

    #[test]
    fn a_kernel_finds_all_that_was_handed_over() {
        let memory = [(0, 0x9_f000, true), (0x9_f000, 0xa_0000, false)];
        let memory = memory.map(|(start, end, usable)| Region { start, end, usable });
        let command_line = CommandLine::try_from("a=b").unwrap();
        let modules = [Module { start: 0x40_0000, end: 0x40_1234, command_line }];
        let rsdp = [7; 20];
        let handover = Handover {
            memory: &memory,
            command_line: "plan=probe",
            modules: &modules,
            rsdp: Some(&rsdp),
        };
        let mut block = vec![0xee; handover.bytes()];
        handover.write(&mut block, AT).unwrap();
        let word = |at| number(&block, at, 8);
        assert_eq!(number(&block, AT, 4), u64::from(MAGIC));
        assert_eq!([4, 12, 48].map(|o| number(&block, AT + o, 4)), [1, 1, 2]);
        let [module, line, pointer, map] = [16, 24, 32, 40].map(|offset| word(AT + offset));
        assert_eq!(text(&block, line), "plan=probe");
        assert_eq!([word(module), word(module + 8)], [0x40_0000, 0x1234]);
        assert_eq!(text(&block, word(module + 16)), "a=b");
        assert_eq!([word(map), word(map + 8), word(map + 16)], [0, 0x9_f000, 1]);
        assert_eq!([word(map + 24), word(map + 32), word(map + 40)], [0x9_f000, 0x1000, 2]);
        assert_eq!(number(&block, pointer, 4), 0x0707_0707);
    }

    #[test]
    fn a_block_that_is_too_small_is_refused() {
        let handover = Handover { memory: &[], command_line: "x", modules: &[], rsdp: None };
        for size in 0..handover.bytes() - 7 {
            assert_eq!(handover.write(&mut vec![0; size], AT), Err(NoRoom), "{size}");
        }
        assert_eq!(handover.write(&mut vec![0; handover.bytes()], AT), Ok(()));
    }
}
