//! Which space a CPU may be using.

use x86_64::structures::paging::PhysFrame;

use super::atomics::{AtomicU64, Ordering, fence};
use super::twin::{Twin, is_broken};
use super::{frame_number, numbered};

/// What one CPU says about itself. Two words, since while it changes from one root to another it uses either.
#[derive(Debug)]
pub struct Announced {
    loading: AtomicU64,
    loaded: AtomicU64,
}

impl Announced {
    /// This root is loaded.
    pub fn new(root: PhysFrame) -> Self {
        let number = frame_number(root);
        Self { loading: AtomicU64::new(number), loaded: AtomicU64::new(number) }
    }

    /// The CPU is about to load this root. To be called before it reads the root's generation.
    ///
    /// The fence, and the one that an editor passes, are the heart of the protocol. An editor raises the generation,
    /// passes its fence, and reads this word; the CPU writes this word, passes its fence, and reads the generation. One
    /// of the two fences is first in the one order that all fences have. If it is this one, the editor sees the announcement and
    /// asks; if it is the editor's, the CPU sees the raised generation and flushes as it loads. Never neither.
    ///
    /// Release: who reads the new word also sees that the root before it was announced as loaded.
    #[inline]
    pub fn about_to_load(&self, root: PhysFrame) {
        self.loading.store(frame_number(root), Ordering::Release);
        if !is_broken(Twin::LoaderHasNoFence) {
            fence(Ordering::SeqCst);
        }
    }

    /// The root is loaded, and the one before it is used no more.
    ///
    /// Release: an editor that reads this word may free what the CPU used by the root before; that use is over.
    #[inline]
    pub fn now_loaded(&self, root: PhysFrame) {
        let order =
            if is_broken(Twin::LoadedIsRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.loaded.store(frame_number(root), order);
    }

    /// The roots that the CPU may be using: the one that it loads, and the one that it had before.
    ///
    /// In this order. Read the other way round, a CPU that loads one root and begins to load the next in between is
    /// seen with neither.
    #[inline]
    pub fn roots(&self) -> [PhysFrame; 2] {
        let [first, second] = match () {
            () if is_broken(Twin::OldRootIsOverlooked) => [&self.loading; 2],
            () if is_broken(Twin::OldRootIsReadFirst) => [&self.loaded, &self.loading],
            () => [&self.loading, &self.loaded],
        };
        let first = first.load(Ordering::Acquire);
        [first, second.load(Ordering::Acquire)].map(numbered)
    }

    /// The loaded root, as the CPU itself knows it.
    ///
    /// Relaxed: nobody else writes it.
    #[inline]
    pub fn loaded(&self) -> PhysFrame {
        numbered(self.loaded.load(Ordering::Relaxed))
    }
}

/// From here on an editor may look who has announced what: the other fence of [`Announced::about_to_load`].
#[inline]
pub fn look() {
    if !is_broken(Twin::EditorHasNoFence) {
        fence(Ordering::SeqCst);
    }
}
