//! What a drive says of itself (ATA-6, section 8.15).

use heapless::String;

/// Words of the answer to IDENTIFY DEVICE.
pub const WORDS: usize = 256;

/// The model's name: two characters a word, the first in the upper byte.
const MODEL: core::ops::Range<usize> = 27..47;

/// What the drive can do.
const CAPABILITIES: usize = 49;
const CAN_DMA: u16 = 1 << 8;
const CAN_LBA: u16 = 1 << 9;

/// Sectors that 28 bits reach, the lower word first.
const SECTORS: usize = 60;

/// What a drive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The model's name.
    pub model: String<40>,
    /// Sectors that can be reached.
    pub sectors: u32,
    /// Whether it has DMA, and sector numbers.
    pub can: bool,
}

impl Identity {
    /// Reads the answer to IDENTIFY DEVICE.
    pub fn new(words: &[u16; WORDS]) -> Self {
        let mut model = String::new();
        for byte in words[MODEL].iter().flat_map(|word| word.to_be_bytes()) {
            let shown = if byte.is_ascii_graphic() { char::from(byte) } else { ' ' };
            // Forty characters fit.
            let _ = model.push(shown);
        }
        model.truncate(model.trim_end().len());
        Self {
            model,
            sectors: u32::from(words[SECTORS]) | u32::from(words[SECTORS + 1]) << 16,
            can: words[CAPABILITIES] & (CAN_DMA | CAN_LBA) == CAN_DMA | CAN_LBA,
        }
    }
}
