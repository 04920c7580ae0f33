//! What the loader hands over, in one form for both protocols.

pub mod multiboot2;
pub mod pvh;

use core::fmt;

use heapless::{String, Vec};

/// Most ranges of a memory map; firmware of real machines reports up to about 60.
pub const MOST_REGIONS: usize = 128;

/// Most modules.
pub const MOST_MODULES: usize = 4;

/// A command line, at most so many bytes.
pub type CommandLine = String<1024>;

/// How the kernel was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// By the PVH boot protocol.
    Pvh,
    /// By multiboot2.
    Multiboot2,
}

/// A range of physical memory, in bytes, `end` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// First byte after it.
    pub end: u64,
    /// Whether it is memory that nothing else uses. (What ACPI says can be reclaimed is not.)
    pub usable: bool,
}

/// A file that the loader put into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Physical address of its first byte.
    pub start: u64,
    /// Physical address of the first byte after it.
    pub end: u64,
    /// What the loader was told to pass with it.
    pub command_line: CommandLine,
}

/// What the loader hands over.
#[derive(Clone, Debug)]
pub struct Handoff {
    /// Which protocol it spoke.
    pub loader: Loader,
    /// The memory map, sorted by start.
    pub memory: Vec<Region, MOST_REGIONS>,
    /// The command line, without the name of the file.
    pub command_line: CommandLine,
    /// The modules, in the loader's order.
    pub modules: Vec<Module, MOST_MODULES>,
    /// Physical address of ACPI's root pointer, if the loader knows it.
    pub rsdp: Option<u64>,
}

/// Why the boot information cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoffError {
    /// The register holds neither protocol's magic number.
    UnknownLoader(u32),
    /// The information is damaged.
    Damaged(&'static str),
    /// It does not fit the fixed room for it.
    TooMuch(&'static str),
}

impl fmt::Display for HandoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLoader(magic) => {
                write!(f, "loaded with magic {magic:#x}: neither PVH nor multiboot2")
            }
            Self::Damaged(what) => write!(f, "the boot information is damaged: {what}"),
            Self::TooMuch(what) => write!(f, "the boot information has too much: {what}"),
        }
    }
}

impl Handoff {
    /// Reads what the loader left, given what [`crate::entry!`] passed to `main`.
    ///
    /// # Errors
    /// [`HandoffError`] if neither protocol was spoken, or the information cannot be used.
    ///
    /// # Safety
    /// `loader` and `info` are what the entry code passed, the identity map is in place, and
    /// nothing has written to the loader's structures.
    #[expect(unsafe_code, reason = "reads structures that the loader left in memory")]
    pub unsafe fn read(loader: u32, info: u32) -> Result<Self, HandoffError> {
        let mut handoff = match loader {
            // SAFETY: the caller's promise.
            pvh::MAGIC => unsafe { pvh::read(u64::from(info)) },
            // SAFETY: the caller's promise.
            multiboot2::MAGIC => unsafe { multiboot2::read(u64::from(info)) },
            other => Err(HandoffError::UnknownLoader(other)),
        }?;
        handoff.memory.sort_unstable_by_key(|region| region.start);
        Ok(handoff)
    }

    /// Usable ranges, cut to whole frames, in order of address.
    pub fn usable(&self) -> impl DoubleEndedIterator<Item = Region> + '_ {
        let whole = |r: &Region| Region {
            start: r.start.next_multiple_of(4096),
            end: r.end & !4095,
            usable: true,
        };
        self.memory.iter().filter(|r| r.usable).map(whole).filter(|r| r.start < r.end)
    }
}

/// Copies text that must fit.
fn command_line(text: &str) -> Result<CommandLine, HandoffError> {
    CommandLine::try_from(text).map_err(|_| HandoffError::TooMuch("a command line over 1024 bytes"))
}

/// Adds to a list that must have room.
fn add<T, const N: usize>(
    list: &mut Vec<T, N>,
    item: T,
    what: &'static str,
) -> Result<(), HandoffError> {
    list.push(item).map_err(|_| HandoffError::TooMuch(what))
}
