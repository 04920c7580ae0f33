//! A computer as loom can check it: CPUs whose TLBs keep what they may, one page, and a frame that must not be used any
//! more once it is somebody else's.

use foreign_access::{Action, Entry, EntryName, Operation};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use page_reclaim::shootdown::{
    Generation, Generations, Identities, Identity, Loading, Local, Owner, Pcids, Shared, Shown, Tlb,
};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::{PhysAddr, VirtAddr};

/// Spaces, by their numbers; the kernel's root comes after them.
pub const SPACES: usize = 2;

/// Pages of each space.
pub const PAGES: usize = 2;

type OfAll = Shared<[Generation; 2], Vec<Shown>>;

/// What all CPUs share.
pub struct Computer {
    shared: OfAll,
    identities: [Identity; SPACES],
    /// The entries of the pages of each space: 1 leads to the frame, 0 to nothing.
    entries: [[AtomicU64; PAGES]; SPACES],
    /// Their frames.
    frames: [[UnsafeCell<()>; PAGES]; SPACES],
    /// For each CPU, whether an interrupt is due.
    interrupts: Vec<AtomicU64>,
    /// CPUs that have not come to their end.
    at_work: AtomicU64,
}

/// One CPU, with what it knows.
pub struct Cpu<'c> {
    computer: &'c Computer,
    tlb: Tlb<'c, [Generation; 2], Vec<Shown>, Vec<Owner>>,
    here: Here<'c>,
    number: usize,
    was_used: bool,
}

/// The CPU itself.
struct Here<'c> {
    computer: &'c Computer,
    root: PhysFrame,
    pcid: u16,
    /// Under which PCID which page leads to its frame.
    known: Vec<(u16, usize)>,
}

impl Computer {
    /// With so many CPUs, on which the kernel's root is loaded; up to `most` pages are forgotten one by one.
    pub fn new(cpus: usize, most: usize) -> Self {
        let identities = Identities::default();
        let shown = (0..cpus).map(|_| Shown::new(root(SPACES))).collect();
        Self {
            shared: Shared::new(Generations::new(Default::default()), shown, most),
            identities: std::array::from_fn(|_| identities.next()),
            entries: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(1))),
            frames: std::array::from_fn(|_| std::array::from_fn(|_| UnsafeCell::new(()))),
            interrupts: (0..cpus).map(|_| AtomicU64::new(0)).collect(),
            at_work: AtomicU64::new(cpus as u64),
        }
    }

    /// The CPU with this number, which has so many PCIDs for spaces.
    pub fn cpu(&self, number: usize, pcids: usize) -> Cpu<'_> {
        let owners = vec![Owner::default(); pcids];
        let here = Here { computer: self, root: root(SPACES), pcid: 0, known: Vec::new() };
        let tlb = Tlb::new(&self.shared, number, Pcids::new(owners));
        Cpu { computer: self, tlb, here, number, was_used: false }
    }
}

impl Cpu<'_> {
    /// Loads a space.
    pub fn load(&mut self, space: usize) {
        self.was_used = true;
        self.tlb.load(root(space), self.computer.identities[space], &mut self.here);
    }

    /// Runs no program any more.
    pub fn load_kernel(&mut self) {
        self.tlb.load_kernel(root(SPACES), &mut self.here);
    }

    /// A program uses a page, if it is there.
    pub fn touch(&mut self, page: usize) {
        self.here.touch(page);
    }

    /// An interrupt comes, if one is due.
    pub fn answer(&mut self) {
        let due = &self.computer.interrupts[self.number];
        if due.load(Ordering::Relaxed) != 0 && due.swap(0, Ordering::Acquire) != 0 {
            self.tlb.answer(&mut self.here);
        }
    }

    /// Takes a page away from a space.
    pub fn edit(&mut self, space: usize, page: usize) {
        self.computer.entries[space][page].swap(0, Ordering::Relaxed);
        self.tlb.edited(&[operation(space, page)]);
    }

    /// Has everybody forget it.
    pub fn flush(&mut self) {
        self.tlb.flush(&mut self.here);
    }

    /// The frame of a page is somebody else's.
    pub fn reuse(&self, space: usize, page: usize) {
        self.computer.frames[space][page].with_mut(|_| ());
    }

    /// Takes a page away from a space and gives its frame to somebody else.
    pub fn evict(&mut self, space: usize, page: usize) {
        self.edit(space, page);
        self.flush();
        self.reuse(space, page);
    }

    /// There is nothing left to do but to answer others, if this CPU may have been asked, until all have come to their
    /// ends.
    pub fn idle(mut self) {
        self.computer.at_work.fetch_sub(1, Ordering::Relaxed);
        while self.was_used && self.computer.at_work.load(Ordering::Relaxed) > 0 {
            self.answer();
            thread::yield_now();
        }
    }
}

impl Here<'_> {
    fn touch_all(&mut self, known: &[(u16, usize)]) {
        known.iter().for_each(|(_, page)| self.touch(*page));
    }

    /// Uses a page: by what is known of it, or else by its entry, if that leads anywhere.
    fn touch(&mut self, page: usize) {
        let Some(space) = (0..SPACES).find(|space| root(*space) == self.root) else { return };
        let known = (self.pcid, page);
        if !self.known.contains(&known) {
            if self.computer.entries[space][page].load(Ordering::Relaxed) == 0 {
                return;
            }
            self.known.push(known);
        }
        self.computer.frames[space][page].with(|_| ());
    }
}

impl Local for Here<'_> {
    fn load(&mut self, root: PhysFrame, Loading { pcid, flush }: Loading) {
        // Up to the last moment the CPU may use, on its own account, what the root before leads to.
        self.touch(0);
        (self.root, self.pcid) = (root, pcid);
        if flush {
            self.known.retain(|known| known.0 != pcid);
        }
        self.touch(0);
    }

    fn invlpg(&mut self, page: VirtAddr) {
        let known = (self.pcid, number(page));
        // Until then it may be used.
        self.known.contains(&known).then(|| self.touch(known.1));
        self.known.retain(|other| *other != known);
    }

    fn flush_loaded(&mut self) {
        // Until then it may be used, and what a program uses all the time is known again at once.
        let pcid = self.pcid;
        let (known, others): (Vec<_>, Vec<_>) =
            self.known.iter().partition(|known| known.0 == pcid);
        self.touch_all(&known);
        self.known = others;
        self.touch_all(&known);
    }

    fn let_go(&mut self) {}

    fn interrupt(&mut self, cpu: usize) {
        self.computer.interrupts[cpu].store(1, Ordering::Release);
    }

    fn pause(&mut self) {
        thread::yield_now();
    }
}

fn root(space: usize) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new((space as u64 + 1) << 12))
}

fn number(page: VirtAddr) -> usize {
    (page.as_u64() >> 12) as usize
}

fn operation(space: usize, page: usize) -> Operation {
    let root = root(space);
    let page = VirtAddr::new((page as u64) << 12);
    let name = EntryName::new(root, root, page, PageTableLevel::One);
    Operation::new(name, Action::Exchange(Entry::EMPTY))
}
