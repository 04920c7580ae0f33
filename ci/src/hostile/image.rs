//! ELF files of the programs that are booted: what lies in memory as it lies in the file, and where things are.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use elf::ElfBytes;
use elf::abi::{PF_W, PT_LOAD};
use elf::endian::LittleEndian;

/// Memory is looked at in words of so many bytes.
const WORD: u64 = 4;

/// A part of a file that lies in memory as it is.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where: physical addresses.
    pub at: Range<u64>,
    /// What.
    pub bytes: Vec<u8>,
}

impl Part {
    /// Where memory is not as in the file. CPUs mark the descriptors that they load (SDM volume 3, section 3.4.5.1 "Code- and
    /// Data-Segment Descriptor Types"): that is no difference.
    pub fn differs(&self, found: &[u8]) -> Option<u64> {
        const ACCESSED: u8 = 1;
        const PRESENT_SEGMENT: u8 = 0b1001 << 4;
        let same = |at: u64, file: u8, found: u8| {
            let marked = at % 8 == 5
                && file & PRESENT_SEGMENT == PRESENT_SEGMENT
                && found == file | ACCESSED;
            file == found || marked
        };
        let mut bytes = self.at.clone().zip(self.bytes.iter().zip(found));
        bytes.find(|(at, (file, found))| !same(*at, **file, **found)).map(|(at, _)| at)
    }
}

/// A file.
pub struct Image {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Image {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("no {}", path.display()))?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    fn elf(&self) -> Result<ElfBytes<'_, LittleEndian>> {
        let elf = ElfBytes::minimal_parse(&self.bytes);
        elf.with_context(|| format!("{} is no ELF file", self.path.display()))
    }

    /// The segments that cannot be written to, in whole words.
    pub fn constant(&self) -> Result<Vec<Part>> {
        let elf = self.elf()?;
        let segments = elf.segments().context("it has segments")?;
        let constant = segments.iter().filter(|it| it.p_type == PT_LOAD && it.p_flags & PF_W == 0);
        let constant: Vec<_> = constant
            .map(|it| {
                let size = it.p_filesz & !(WORD - 1);
                let (at, from) = (it.p_paddr..it.p_paddr + size, it.p_offset as usize);
                let bytes = self.bytes[from..from + size as usize].to_vec();
                Part { at, bytes }
            })
            .collect();
        ensure!(!constant.is_empty(), "{} has nothing constant", self.path.display());
        Ok(constant)
    }

    /// Where something is that has a name.
    pub fn symbol(&self, name: &str) -> Result<Range<u64>> {
        let missing = || format!("{} has no {name}", self.path.display());
        let (symbols, names) = self.elf()?.symbol_table()?.with_context(missing)?;
        let named = |it: &elf::symbol::Symbol| names.get(it.st_name as usize).ok() == Some(name);
        let symbol = symbols.iter().find(named).with_context(missing)?;
        Ok(symbol.st_value..symbol.st_value + symbol.st_size)
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn a_descriptor_that_was_loaded_is_no_difference() {
        let descriptor = 0x00af_9a00_0000_ffff_u64;
        let part = |word: u64| Part { at: 0x1000..0x1008, bytes: word.to_le_bytes().to_vec() };
        let loaded = (descriptor | 1 << 40).to_le_bytes();
        assert_eq!(part(descriptor).differs(&loaded), None);
        for bit in (0..64).filter(|bit| *bit != 40) {
            let found = (descriptor ^ 1 << bit).to_le_bytes();
            assert_eq!(part(descriptor).differs(&found), Some(0x1000 + bit / 8), "bit {bit}");
        }
        assert_eq!(part(0).differs(&(1_u64 << 40).to_le_bytes()), Some(0x1005));
    }
}
