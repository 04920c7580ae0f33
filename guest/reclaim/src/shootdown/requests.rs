//! What one CPU asks of others.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::atomics::{AtomicU64, Ordering};
use super::twin::{Twin, is_broken};
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
        let relaxed = is_broken(Twin::AcknowledgementIsRelaxed);
        let order = if relaxed { Ordering::Relaxed } else { Ordering::Release };
        let before = self.waited_for.fetch_and(!(1 << cpu), order);
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

#[cfg(test)]
mod tests {
    use x86_64::VirtAddr;

    use super::{Kind, Request};
    use crate::number::frame_at;

    const PAGES: [u64; 4] = [0, 0x7fff_ffff_f000, 0xffff_8000_0000_0000, 0xffff_ffff_ffff_f000];

    /// Race 9 of the table in `tests/tests/races.rs`.
    #[test]
    fn every_page_comes_out_as_it_went_in() {
        let (request, root) = (Request::new(), frame_at(5));
        let pages = PAGES.map(VirtAddr::new);
        (0..).zip(pages).for_each(|(at, page)| request.set_page(at, root, page));
        assert_eq!(request.pages_of(root, 4).collect::<Vec<_>>(), pages);
        // The twin that keeps page numbers: some come out not canonical.
        let twin = pages.map(|page| VirtAddr::try_new(page.as_u64() << 16 >> 16).is_ok());
        assert_eq!(twin, [true, true, false, false]);
    }

    #[test]
    #[should_panic(expected = "sign extended")]
    fn an_address_that_is_not_canonical_gets_nowhere() {
        let (request, root) = (Request::new(), frame_at(5));
        request.set_page(0, root, VirtAddr::zero());
        request.pages[0].address.store(1 << 47, super::Ordering::Relaxed);
        request.pages_of(root, 1).for_each(drop);
    }

    #[test]
    fn pages_of_other_roots_are_left_alone() {
        let request = Request::new();
        request.set_page(0, frame_at(5), VirtAddr::zero());
        request.set_page(1, frame_at(6), VirtAddr::zero());
        assert_eq!(request.pages_of(frame_at(6), 2).count(), 1);
        assert_eq!(request.pages_of(frame_at(7), 2).count(), 0);
    }

    #[test]
    fn only_what_was_flushed_up_to_the_span_is_flushed_to_its_end() {
        let (request, root) = (Request::new(), frame_at(5));
        request.set_span(1, root, [4, 6]);
        let ends = [3, 4, 5, 6, 7].map(|before| request.flushed_to(1, root, before));
        assert_eq!(ends, [3, 6, 6, 6, 7]);
        assert_eq!(request.flushed_to(1, frame_at(6), 4), 4);
        assert_eq!(request.flushed_to(0, root, 4), 4);
    }

    #[test]
    fn every_kind_is_a_word() {
        for kind in [Kind::Pages(0), Kind::Pages(64), Kind::Everything, Kind::LetGo] {
            assert_eq!(Kind::of(kind.word()), kind);
        }
    }

    #[test]
    #[should_panic(expected = "acknowledged what it was not asked")]
    #[cfg(debug_assertions)]
    fn a_cpu_acknowledges_once() {
        let request = Request::new();
        request.begin(Kind::LetGo, 1 << 3);
        request.acknowledge(3);
        assert!(request.is_done());
        request.acknowledge(3);
    }
}
