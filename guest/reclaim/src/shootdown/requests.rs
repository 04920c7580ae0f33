//! What one CPU asks of others.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::atomics::{AtomicU64, Ordering};
use super::{MOST_CPUS, MOST_PAGES, frame_number, numbered};

/// What one CPU asks of others: one thing at a time, and nothing new before all have acknowledged.
///
/// Only its owner writes here, and only while nobody has to acknowledge. The others read after they took its bit from
/// their word `asked` (acquire, of a release) and before they acknowledge (release, of an acquire), so every word but
/// `waited_for` is relaxed.
#[derive(Debug)]
pub struct Request {
    /// The CPUs that have to acknowledge, a bit each.
    waited_for: AtomicU64,
    kind: AtomicU64,
    pages: [Page; MOST_PAGES],
    spans: [Span; MOST_CPUS],
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That so many pages are forgotten.
    Pages(usize),
    /// That everything is forgotten that is known of the loaded space.
    Everything,
    /// That the method lets go of foreign roots.
    LetGo,
}

/// A page of a space.
#[derive(Debug, Default)]
struct Page {
    root: AtomicU64,
    address: AtomicU64,
}

/// The generations of a root that one request covers: who forgets its pages has flushed all edits from the first
/// generation up to the end.
#[derive(Debug, Default)]
struct Span {
    root: AtomicU64,
    first: AtomicU64,
    end: AtomicU64,
}

const EVERYTHING: u64 = 1 << 32;
const LET_GO: u64 = 1 << 33;

impl Kind {
    const fn word(self) -> u64 {
        match self {
            Self::Pages(count) => count as u64,
            Self::Everything => EVERYTHING,
            Self::LetGo => LET_GO,
        }
    }

    const fn of(word: u64) -> Self {
        match word {
            EVERYTHING => Self::Everything,
            LET_GO => Self::LetGo,
            count => Self::Pages(count as usize),
        }
    }
}

impl Request {
    /// With nothing asked.
    pub(super) fn new() -> Self {
        Self {
            waited_for: AtomicU64::default(),
            kind: AtomicU64::default(),
            pages: core::array::from_fn(|_| Page::default()),
            spans: core::array::from_fn(|_| Span::default()),
        }
    }

    /// Puts a page in its place.
    #[inline]
    pub(super) fn set_page(&self, at: usize, root: PhysFrame, address: VirtAddr) {
        self.pages[at].root.store(frame_number(root), Ordering::Relaxed);
        self.pages[at].address.store(address.as_u64(), Ordering::Relaxed);
    }

    /// Says which generations of a root a CPU has flushed once it has forgotten the pages.
    pub(super) fn set_span(&self, cpu: usize, root: PhysFrame, [first, end]: [u64; 2]) {
        self.spans[cpu].root.store(frame_number(root), Ordering::Relaxed);
        self.spans[cpu].first.store(first, Ordering::Relaxed);
        self.spans[cpu].end.store(end, Ordering::Relaxed);
    }

    /// These CPUs will have to acknowledge this.
    ///
    /// Relaxed: a CPU looks here only after it has taken the bit in its word `asked`, which is set later.
    pub(super) fn begin(&self, kind: Kind, targets: u64) {
        self.kind.store(kind.word(), Ordering::Relaxed);
        self.waited_for.store(targets, Ordering::Relaxed);
    }

    /// A CPU has done what was asked, which it must not say twice.
    ///
    /// Release: what the CPU did with the pages before it forgot them is over for who sees this.
    pub(super) fn acknowledge(&self, cpu: usize) {
        let before = self.waited_for.fetch_and(!(1 << cpu), Ordering::Release);
        debug_assert_ne!(before & 1 << cpu, 0, "CPU {cpu} acknowledged what it was not asked");
    }

    /// Whether all have acknowledged.
    ///
    /// Acquire: the other half of [`Request::acknowledge`].
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.waited_for.load(Ordering::Acquire) == 0
    }

    /// What is asked for.
    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.kind.load(Ordering::Relaxed))
    }

    /// The pages of a root among the first so many.
    ///
    /// Addresses are checked to be canonical again as they come out: nobody hands an instruction what is none
    /// (INVPCID faults at it).
    pub(super) fn pages_of(&self, root: PhysFrame, count: usize) -> impl Iterator<Item = VirtAddr> {
        let pages = self.pages[..count].iter();
        let pages = pages.filter(move |page| numbered(page.root.load(Ordering::Relaxed)) == root);
        pages.map(|page| VirtAddr::new(page.address.load(Ordering::Relaxed)))
    }

    /// The generation up to which everything is flushed of a root, if it was up to this one before.
    pub(super) fn flushed_to(&self, cpu: usize, root: PhysFrame, generation: u64) -> u64 {
        let span = &self.spans[cpu];
        let first = span.first.load(Ordering::Relaxed);
        let end = span.end.load(Ordering::Relaxed);
        let is_about = numbered(span.root.load(Ordering::Relaxed)) == root;
        if is_about && (first..end).contains(&generation) { end } else { generation }
    }
}
