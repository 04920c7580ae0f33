//! The entry of a page that is in swap.
//!
//! ```text
//! 63        52 51      44 43           12 11   8 7 6  5  4    1 0
//! |    0     |  1 ... 1 |  inverted slot |  0   |0|D||A|  0   |0|
//! ```
//! Not present, yet the processor may look at it: a speculative load can use bits 51:12 of an entry
//! that is not present as if they named a frame (L1TF), so they must not name real memory. The
//! slot is inverted and the eight bits above it are ones, which puts the address above any memory
//! that exists. Bits 5 and 6 are ignored when it is read, since some processors set Accessed or
//! Dirty in an entry that was present a moment ago; bit 7 would be a page size in an upper level.

use foreign_access::Entry;

use crate::number::Slot;

/// Bits 51:44, all set.
const ABOVE_MEMORY: u64 = 0xff << 44;
/// Bits 43:12.
const SLOT_SHIFT: u32 = 12;
/// Accessed and Dirty.
const IGNORED: u64 = 0b11 << 5;

/// The entry that says: this page is in that slot.
pub const fn swap_entry(slot: Slot) -> Entry {
    Entry(ABOVE_MEMORY | (!slot.number() as u64) << SLOT_SHIFT)
}

/// Which slot an entry speaks of, if it is the entry of a page in swap.
pub const fn slot_of(entry: Entry) -> Option<Slot> {
    let slot = !((entry.0 >> SLOT_SHIFT) as u32);
    match Slot::new(slot) {
        Some(slot) if entry.0 & !IGNORED == swap_entry(slot).0 => Some(slot),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use foreign_access::Entry;

    use super::{ABOVE_MEMORY, slot_of, swap_entry};
    use crate::number::Slot;

    const SAMPLES: [u32; 7] = [1, 2, 255, 4096, 0x7fff_ffff, 0x8000_0000, u32::MAX];

    fn samples() -> impl Iterator<Item = Slot> {
        SAMPLES.into_iter().filter_map(Slot::new)
    }

    /// Whether every entry is read back, whatever hardware has set in it meanwhile.
    fn bears_noise(read: impl Fn(Entry) -> Option<Slot>) -> bool {
        let noise = [0, 1 << 5, 1 << 6, 3 << 5];
        samples().all(|slot| {
            noise.iter().all(|noise| read(Entry(swap_entry(slot).0 | noise)) == Some(slot))
        })
    }

    #[test]
    fn an_entry_leads_back_to_its_slot_whatever_accessed_and_dirty_say() {
        assert!(bears_noise(slot_of));
        // The twin compares every bit.
        assert!(!bears_noise(|entry| slot_of(entry).filter(|slot| swap_entry(*slot) == entry)));
    }

    /// Whether no entry is present, large, or names memory: no machine has as much as begins with bit 44.
    fn is_harmless(write: impl Fn(Slot) -> Entry) -> bool {
        samples()
            .map(write)
            .all(|entry| entry.0 & 0xfff == 0 && entry.0 & Entry::FRAME_BITS >= ABOVE_MEMORY)
    }

    #[test]
    fn no_swap_entry_is_present_or_large_or_names_memory() {
        assert!(is_harmless(swap_entry));
        // The twin keeps the slot where a frame would be.
        assert!(!is_harmless(|slot| Entry(u64::from(slot.number()) << super::SLOT_SHIFT)));
    }

    #[test]
    fn other_entries_are_not_swap_entries() {
        let swapped = swap_entry(SLOT).0;
        for bit in [0, 1, 7, 8, 44, 51, 52, 63] {
            assert_eq!(slot_of(Entry(swapped ^ 1 << bit)), None, "bit {bit}");
        }
        assert_eq!(slot_of(Entry::EMPTY), None);
        assert_eq!(slot_of(Entry(Entry::FRAME_BITS)), None, "slot 0 is not used");
    }

    const SLOT: Slot = match Slot::new(77) {
        Some(slot) => slot,
        None => panic!(),
    };
}
