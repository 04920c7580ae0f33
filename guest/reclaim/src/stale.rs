//! What the TLB may still hold of spaces that are not loaded.
//!
//! With PCIDs, translations of a space survive while others are loaded. Nothing can be flushed one by one
//! there, so what is edited meanwhile is noted, and loading a space that was edited since it was last loaded
//! flushes its PCID.
//!
//! ```text
//! edited, loaded now:      INVLPG of each page
//! edited, not loaded:      Notes::edited(root)
//! about to load:           flush = Notes::must_flush(root, &tag); write CR3; Notes::loaded(&mut tag)
//! ```
//!
//! Each CPU has its own notes, and its own tag of each space. Several roots may share a note, which costs a flush too
//! many, never one too few.

use x86_64::structures::paging::PhysFrame;

/// What one CPU remembers of its translations of one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pcid: u16,
    /// The time at which the space was last loaded; `None` before it was for the first time, when
    /// the PCID's former owner may have left something.
    loaded_at: Option<u64>,
}

impl Tag {
    /// For a space that this CPU never loaded.
    pub const fn new(pcid: u16) -> Self {
        Self { pcid, loaded_at: None }
    }

    /// The PCID under which the space is loaded.
    pub const fn pcid(&self) -> u16 {
        self.pcid
    }
}

/// When spaces were edited that this CPU had not loaded; in memory of the kernel's choice (a borrowed slice, a box, an
/// array).
#[derive(Clone, Debug)]
pub struct Notes<T> {
    /// The time of the last edit of any root whose frame number is the index, modulo the length.
    times: T,
    /// Counts edits.
    time: u64,
}

impl<T: AsRef<[u64]> + AsMut<[u64]>> Notes<T> {
    /// In this memory, with nothing noted. The more numbers, the fewer roots share one.
    ///
    /// # Panics
    /// If there is not a single number.
    pub fn new(mut times: T) -> Self {
        assert!(!times.as_ref().is_empty(), "at least one note");
        times.as_mut().fill(0);
        Self { times, time: 0 }
    }

    /// An entry of a space that is not loaded was edited. To be called before a flush of the edit
    /// counts as done.
    #[inline]
    pub fn edited(&mut self, root: PhysFrame) {
        self.time += 1;
        let note = self.note(root);
        self.times.as_mut()[note] = self.time;
    }

    /// Whether something stale may be cached under the tag's PCID, so that loading the space must
    /// flush it.
    #[inline]
    pub fn must_flush(&self, root: PhysFrame, tag: &Tag) -> bool {
        tag.loaded_at.is_none_or(|time| self.times.as_ref()[self.note(root)] > time)
    }

    /// The space is loaded, flushed if it had to be. From now on its edits are flushed, not noted.
    #[inline]
    pub fn loaded(&self, tag: &mut Tag) {
        tag.loaded_at = Some(self.time);
    }

    fn note(&self, root: PhysFrame) -> usize {
        (root.start_address().as_u64() >> 12) as usize % self.times.as_ref().len()
    }
}

#[cfg(test)]
mod tests {
    use super::{Notes, Tag};
    use crate::number::frame_at;

    #[test]
    fn the_first_load_flushes_and_the_second_does_not() {
        let (notes, mut tag) = (Notes::new([7; 4]), Tag::new(1));
        assert!(notes.must_flush(frame_at(5), &tag));
        notes.loaded(&mut tag);
        assert!(!notes.must_flush(frame_at(5), &tag));
    }

    #[test]
    fn an_edit_makes_the_next_load_flush_and_only_that() {
        let (mut notes, mut tag) = (Notes::new([7; 4]), Tag::new(1));
        for _ in 0..3 {
            notes.loaded(&mut tag);
            notes.edited(frame_at(5));
            assert!(notes.must_flush(frame_at(5), &tag));
        }
        notes.loaded(&mut tag);
        assert!(!notes.must_flush(frame_at(5), &tag));
    }

    #[test]
    fn roots_that_share_a_note_flush_too_often_and_others_do_not() {
        let (mut notes, mut tag) = (Notes::new([7; 4]), Tag::new(1));
        notes.loaded(&mut tag);
        notes.edited(frame_at(5));
        assert!(notes.must_flush(frame_at(9), &tag));
        assert!(!notes.must_flush(frame_at(6), &tag));
    }
}
