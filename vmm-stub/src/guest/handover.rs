//! What the guest finds at its entry: its memory, its line, its modules, in the form that its format asks for, all in one
//! block of memory; and the registers that say where.

use loadphys_boot::handoff::{Module, Region};

use super::block::{Block, NoRoom};
use super::image::{Format, Image};
use super::screen::Screen;
use super::{linux, multiboot1, pvh};

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
    /// What the screen shows, if it is in text mode.
    pub screen: Option<Screen>,
}

/// How the guest is entered: in 32-bit protected mode without paging, with flat segments, interrupts off, and these
/// registers; all others are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// Where.
    pub eip: u32,
    /// EAX.
    pub eax: u32,
    /// EBX.
    pub ebx: u32,
    /// ESI.
    pub esi: u32,
}

impl Handover<'_> {
    /// How many bytes the block needs for this guest.
    pub fn bytes(&self, image: &Image) -> usize {
        let mut block = Block::measuring();
        // There is always room where nothing is written.
        let _ = self.fill(image, &mut block);
        block.used()
    }

    /// Writes the block that will be at this physical address, below 4 GiB.
    ///
    /// # Errors
    /// [`NoRoom`] if it is smaller than [`Handover::bytes`], or the format has no room for so much.
    pub fn write(&self, image: &Image, block: &mut [u8], at: u64) -> Result<Start, NoRoom> {
        self.fill(image, &mut Block::new(block, at))
    }

    fn fill(&self, image: &Image, block: &mut Block<'_>) -> Result<Start, NoRoom> {
        let eip = image.entry;
        Ok(match &image.format {
            Format::Pvh => Start { eip, ebx: pvh::write(self, block)?, ..Start::default() },
            Format::Multiboot1 { .. } => {
                let ebx = multiboot1::write(self, block)?;
                Start { eip, eax: multiboot1::MAGIC, ebx, ..Start::default() }
            }
            Format::Linux(setup) => {
                let esi = linux::write(setup, eip, self, block)?;
                Start { eip, esi, ..Start::default() }
            }
        })
    }
}
