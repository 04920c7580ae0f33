//! Guests that are entered by PVH: an ELF note says where, a start info says what they have (Xen, "x86/HVM direct boot ABI").

use core::ops::Range;

use elf::abi::PT_NOTE;
use elf::note::Note;
use loadphys_boot::handoff::pvh::{MAGIC, MemoryEntry, ModuleEntry, RESERVED, StartInfo, USABLE};

use super::block::{Block, NoRoom, halves};
use super::elf_file::Elf;
use super::handover::Handover;

/// `XEN_ELFNOTE_PHYS32_ENTRY`.
const PHYS32_ENTRY: u64 = 18;

/// The 32-bit physical entry point, if the file has one.
pub fn entry(elf: &Elf<'_>) -> Option<u32> {
    let notes = elf.segments()?.iter().filter(|h| h.p_type == PT_NOTE);
    notes.filter_map(|header| elf.segment_data_as_notes(&header).ok()).flatten().find_map(|note| {
        match note {
            Note::Unknown(note) if note.n_type == PHYS32_ENTRY && note.name.starts_with(b"Xen") => {
                address(note.desc)
            }
            _ => None,
        }
    })
}

/// A 32-bit address that may be written with 8 bytes.
fn address(bytes: &[u8]) -> Option<u32> {
    match bytes.len() {
        4 => Some(u32::from_le_bytes(bytes.try_into().ok()?)),
        8 => u32::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok(),
        _ => None,
    }
}

/// Writes a start info, version 1, and all it names; gives its address, which goes to EBX.
///
/// # Errors
/// [`NoRoom`].
pub fn write(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<u32, NoRoom> {
    let start_info = block.reserve(size_of::<StartInfo>())?;
    let memory_at = write_memory(handover, block)?;
    let modules_at = write_modules(handover, block)?;
    let command_line_at = block.text(handover.command_line)?;
    let rsdp = handover.rsdp.map_or(Ok(0), |bytes| block.bytes(bytes))?;
    let counts = [MAGIC, 1, 0, handover.modules.len() as u32];
    let places = [modules_at, command_line_at, rsdp, memory_at].map(halves);
    let words = counts.into_iter().chain(places.into_iter().flatten());
    block.put_words(&start_info, words.chain([handover.memory.len() as u32, 0]));
    Ok(block.address(&start_info) as u32)
}

fn write_memory(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<u64, NoRoom> {
    let list = block.reserve(handover.memory.len() * size_of::<MemoryEntry>())?;
    for (region, entry) in handover.memory.iter().zip(parts(&list, size_of::<MemoryEntry>())) {
        let kind = if region.usable { USABLE } else { RESERVED };
        let words = [region.start, region.end - region.start, u64::from(kind)];
        block.put_words(&entry, words.into_iter().flat_map(halves));
    }
    Ok(block.address(&list))
}

fn write_modules(handover: &Handover<'_>, block: &mut Block<'_>) -> Result<u64, NoRoom> {
    let list = block.reserve(handover.modules.len() * size_of::<ModuleEntry>())?;
    for (module, entry) in handover.modules.iter().zip(parts(&list, size_of::<ModuleEntry>())) {
        let text = block.text(&module.command_line)?;
        let words = [module.start, module.end - module.start, text, 0];
        block.put_words(&entry, words.into_iter().flat_map(halves));
    }
    Ok(block.address(&list))
}

/// The entries of a list.
pub fn parts(list: &Range<usize>, bytes: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    list.clone().step_by(bytes).map(move |start| start..start + bytes)
}

#[cfg(test)]
mod tests {
    use loadphys_boot::handoff::pvh::MAGIC;
    use loadphys_boot::handoff::{CommandLine, Module, Region};

    use crate::guest::block::NoRoom;
    use crate::guest::handover::{Handover, Start};
    use crate::guest::image::{Format, Image};

    const AT: u64 = 0x5ff_e000;

    fn image() -> Image {
        Image { format: Format::Pvh, entry: 0x20_0040, segments: heapless::Vec::new() }
    }

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
            screen: None,
        };
        let mut block = vec![0xee; handover.bytes(&image())];
        let start = handover.write(&image(), &mut block, AT).unwrap();
        assert_eq!(start, Start { eip: 0x20_0040, ebx: AT as u32, ..Start::default() });
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
        let handover =
            Handover { memory: &[], command_line: "x", modules: &[], rsdp: None, screen: None };
        let bytes = handover.bytes(&image());
        for size in 0..bytes - 7 {
            let refused = handover.write(&image(), &mut vec![0; size], AT);
            assert_eq!(refused, Err(NoRoom), "{size}");
        }
        assert!(handover.write(&image(), &mut vec![0; bytes], AT).is_ok());
    }
}
