//! The programs' image, and how its code becomes shared pages.

use elf::ElfBytes;
use elf::abi::PT_LOAD;
use elf::endian::LittleEndian;
use loadphys_apps::places::{CODE, PAGE};

use crate::window::Words;

static FILE: &[u8] = include_bytes!(env!("LOADPHYS_APPS"));

/// The one segment of the image.
pub struct Image {
    code: &'static [u8],
    /// Where programs begin.
    pub entry: u64,
}

impl Image {
    /// Finds the segment.
    ///
    /// # Panics
    /// If the image was not linked as `guest/apps/link.ld` says, which is an error of the build.
    pub fn find() -> Self {
        let file =
            ElfBytes::<LittleEndian>::minimal_parse(FILE).expect("the programs are an ELF file");
        let segments = file.segments().expect("the programs have segments");
        let mut loaded = segments.iter().filter(|segment| segment.p_type == PT_LOAD);
        let segment = loaded.next().expect("the programs have code");
        assert!(loaded.next().is_none() && segment.p_vaddr == CODE, "one segment, at its place");
        let code = file.segment_data(&segment).expect("the code lies in the file");
        Self { code, entry: file.ehdr.e_entry }
    }

    /// Pages of code.
    pub fn pages(&self) -> u32 {
        self.code.len().div_ceil(PAGE as usize) as u32
    }

    /// Puts one page of code into a zeroed frame.
    pub fn fill(&self, page: u32, frame: &mut Words) {
        let code = self.code.chunks(PAGE as usize).nth(page as usize).unwrap_or(&[]);
        for (word, bytes) in frame.iter_mut().zip(code.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(whole);
        }
    }
}
