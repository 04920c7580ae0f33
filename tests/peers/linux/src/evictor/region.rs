//! The pages that are evicted.
#![expect(
    unsafe_code,
    reason = "memory is mapped, and read and written past the compiler's knowledge"
)]

use core::ffi::CStr;
use core::ops::Range;

use loadphys_apps::pattern::{Pattern, SHARED_SEGMENT, WORDS};
use loadphys_peer_linux::{PAGE_BYTES, page_map};

use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::{File, READ};
use loadphys_peer_linux::system::{Call, call};

/// Private memory of its own, unmapped when this is dropped.
#[derive(Debug)]
pub struct Region {
    base: usize,
    pages: u32,
}

/// Advice of `madvise(2)`.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
enum Advice {
    /// `MADV_NOHUGEPAGE`.
    NoHugePage = 15,
    /// `MADV_PAGEOUT`.
    PageOut = 21,
}

impl Region {
    /// So many pages, none of which is in memory yet; each will be one of 4 KiB.
    pub fn map(pages: u32) -> Result<Self, Failure> {
        /// `PROT_READ | PROT_WRITE`.
        const READ_WRITE: usize = 3;
        /// `MAP_PRIVATE | MAP_ANONYMOUS`.
        const PRIVATE: usize = 0x22;
        let bytes = pages as usize * PAGE_BYTES;
        // SAFETY: the kernel chooses a place where nothing is.
        let base =
            unsafe { call(Call::Mmap, [0, bytes, READ_WRITE, PRIVATE, usize::MAX, 0], "mmap") }?;
        let region = Self { base, pages };
        region.advise(0..pages, Advice::NoHugePage)?;
        Ok(region)
    }

    /// How many pages it has.
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// Has these pages evicted, those of them that nobody shares.
    pub fn page_out(&self, pages: Range<u32>) -> Result<(), Failure> {
        self.advise(pages, Advice::PageOut)
    }

    fn advise(&self, pages: Range<u32>, advice: Advice) -> Result<(), Failure> {
        let (first, bytes) =
            (self.address(pages.start), (pages.end - pages.start) as usize * PAGE_BYTES);
        // SAFETY: either advice leaves contents as they are.
        unsafe { call(Call::Madvise, [first, bytes, advice as usize], "madvise") }.map(drop)
    }

    const fn address(&self, page: u32) -> usize {
        self.base + page as usize * PAGE_BYTES
    }

    fn word(&self, page: u32, index: u64) -> *mut u64 {
        assert!(page < self.pages && index < WORDS, "it lies in the region");
        core::ptr::with_exposed_provenance_mut::<u64>(self.address(page))
            .wrapping_add(index as usize)
    }

    /// Writes the pattern of a generation to every word.
    pub fn write(&mut self, generation: u64) {
        for page in 0..self.pages {
            let pattern = pattern(page, generation);
            for index in 0..WORDS {
                // SAFETY: the word lies in memory that is mapped for this region alone.
                unsafe { self.word(page, index).write_volatile(pattern.word(index)) };
            }
        }
    }

    /// Reads one word of a page.
    #[inline]
    pub fn touch(&self, page: u32) {
        // SAFETY: as in `write`.
        let _ = unsafe { self.word(page, 0).read_volatile() };
    }

    /// How many pages have a word that is not of the pattern of this generation.
    pub fn wrong(&self, generation: u64) -> u32 {
        let is_wrong = |page: &u32| {
            let pattern = pattern(*page, generation);
            // SAFETY: as in `write`.
            let read = |index| unsafe { self.word(*page, index).read_volatile() };
            !(0..WORDS).all(|index| read(index) == pattern.word(index))
        };
        (0..self.pages).filter(is_wrong).count() as u32
    }

    /// Its pages in the page map of a process that has this region at the same place.
    pub fn page_map(&self, path: &CStr) -> Result<PageMap, Failure> {
        Ok(PageMap { file: File::open(path, READ)?, first: self.base / PAGE_BYTES })
    }

    /// How many pages are in swap, by the page map of a process.
    pub fn swapped(&self, path: &CStr) -> Result<u32, Failure> {
        let map = self.page_map(path)?;
        (0..self.pages).try_fold(0, |sum, page| Ok(sum + u32::from(map.is_swapped(page)?)))
    }
}

/// Where pages of a region are, as the kernel tells it.
#[derive(Debug)]
pub struct PageMap {
    file: File,
    first: usize,
}

impl PageMap {
    /// Whether a page is in swap.
    pub fn is_swapped(&self, page: u32) -> Result<bool, Failure> {
        let mut entry = [0; page_map::ENTRY_BYTES];
        self.file.read_at(&mut entry, (self.first + page as usize) * page_map::ENTRY_BYTES)?;
        Ok(page_map::is_swapped(u64::from_le_bytes(entry)))
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let bytes = self.pages as usize * PAGE_BYTES;
        // SAFETY: nothing refers to the region any more. To unmap what was mapped does not fail.
        let _ = unsafe { call(Call::Munmap, [self.base, bytes], "munmap") };
    }
}

fn pattern(page: u32, generation: u64) -> Pattern {
    Pattern::new(SHARED_SEGMENT, page.into(), generation)
}
