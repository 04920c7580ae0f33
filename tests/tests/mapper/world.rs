//! A space on the model: CPU 0 edits it through a method while a program of it runs on CPU 1.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use foreign_access::methods::{AnyMethod, Bindings};
use foreign_access::space::{ForeignSpace, TableDeeds, Unlinked};
use foreign_access::{Action, Cpu, Entry, Method, Operation, Refusal, Stopped};
use loadphys_abi::batch::Item;
use loadphys_rules::Tables;
use loadphys_tests::kernel::{BOOT_ROOT, CPUS, Records, boot, boot_views, chosen, fill_root};
use loadphys_tests::model::{Model, ModelCpu, Random, WORDS};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{FrameAllocator, FrameDeallocator, PhysFrame, Size4KiB};
use x86_64::{PhysAddr, VirtAddr};

/// Frames of the model; the second half is data of the program.
const FRAMES: usize = 1024;

/// The root of the space.
pub const ROOT: u64 = 8;

/// Frames that become tables.
pub const TABLES: core::ops::Range<u64> = 9..40;

/// Addresses that the program uses, where pages of every size lead into its data.
pub const USED: [u64; 6] = [
    0x40_0020_0000,
    0x40_0020_1008,
    0x40_0020_2010,
    0x40_4020_0000,
    0x40_4020_1008,
    0x40_403f_f000,
];

/// How things are.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The method.
    pub method: &'static str,
    /// Whether CPU 0 has the space loaded; otherwise it is foreign there.
    pub loaded: bool,
    /// Decides what CPUs cache and what the program does.
    pub seed: u64,
    /// What is broken on purpose.
    pub broken: Broken,
}

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing.
    Nothing,
    /// The shootdown of unlinked tables does nothing.
    ShootDown,
    /// Frames become tables with what was in them.
    Zero,
    /// Entries are stored whatever they hold by then.
    Atomicity,
}

pub fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

/// The method, with the program running in between, which sets Accessed and Dirty.
pub struct Busy<'m, 'i> {
    method: AnyMethod<'i>,
    program: Program<'m>,
    broken: Broken,
}

/// The program on CPU 1.
pub struct Program<'m> {
    model: &'m Model<'m>,
    random: Random,
    /// Runs only just before an entry is edited, and writes all it may write.
    eager: bool,
    /// Where it reads and writes.
    uses: &'static [u64],
}

impl Program<'_> {
    /// Reads and writes here and there; a page fault is no harm.
    fn run(&self) {
        for address in self.uses.iter().copied().map(VirtAddr::new) {
            match self.random.below(6) {
                0 => drop(self.model.user_store(1, address, 1)),
                1 => drop(self.model.user_load(1, address)),
                _ => {}
            }
        }
    }

    /// Runs before these operations are done.
    fn run_before(&self, operations: &[Operation]) {
        let edits = operations.iter().any(|operation| operation.action != Action::Load);
        if !self.eager {
            self.run();
        } else if edits {
            for address in self.uses.iter().copied().map(VirtAddr::new) {
                self.model.user_store(1, address, 1);
            }
        }
    }
}

impl Busy<'_, '_> {
    /// The twin without atomicity stores where the entry may have changed since it was seen.
    fn torn(&self, operation: Operation) -> Operation {
        match operation.action {
            Action::CompareExchange { new, .. } if self.broken == Broken::Atomicity => {
                Operation::new(operation.name, Action::Exchange(new))
            }
            _ => operation,
        }
    }
}

// SAFETY: no address is a real one; the twin is broken on purpose.
unsafe impl<C: Cpu> Method<C> for Busy<'_, '_> {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        self.program.run_before(operations);
        for operation in &mut *operations {
            *operation = self.torn(*operation);
        }
        // SAFETY: the caller's duty is the same.
        unsafe { self.method.apply(cpu, operations) }
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        self.method.adopt(cpu, table, level)
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        self.program.run();
        self.method.release(cpu, table)
    }

    fn detach(&mut self, cpu: &C) {
        self.method.detach(cpu);
    }
}

/// Tables that were shot down and not yet given back.
type Shot = Rc<RefCell<BTreeSet<PhysFrame>>>;

/// The kernel's part.
pub struct Deeds<'m, 'i> {
    model: &'m Model<'m>,
    /// The method on CPU 1.
    other: AnyMethod<'i>,
    shot: Shot,
    broken: Broken,
}

impl Deeds<'_, '_> {
    /// Every CPU that has the space loaded forgets a page, and all ways to tables.
    pub fn flush(&self, page: VirtAddr) {
        for cpu in (0..CPUS).filter(|cpu| self.model.root(*cpu) == frame(ROOT)) {
            self.model.invlpg(cpu, page);
        }
    }
}

// SAFETY: does what is asked, unless it is broken on purpose.
unsafe impl TableDeeds for Deeds<'_, '_> {
    fn zero(&mut self, frame: PhysFrame) {
        if self.broken != Broken::Zero {
            self.model.memory.fill(frame, &[0; WORDS]);
        }
        self.model.memory.set_table(frame, true);
    }

    fn shoot_down(&mut self, unlinked: &[Unlinked]) {
        self.shot.borrow_mut().extend(unlinked.iter().map(|unlinked| unlinked.table));
        if self.broken != Broken::ShootDown {
            unlinked.iter().for_each(|unlinked| self.flush(unlinked.entry.page()));
            self.other.detach(&ModelCpu::new(self.model, 1));
        }
    }
}

/// Frames for tables: the lowest that is free.
pub struct Pool<'m> {
    model: Option<&'m Model<'m>>,
    shot: Shot,
    free: BTreeSet<PhysFrame>,
    /// How many more can be had.
    pub left: usize,
}

impl<'m> Pool<'m> {
    /// Of the model's memory, if there is one; otherwise of some other memory of the same size.
    pub fn new(model: Option<&'m Model<'m>>) -> Self {
        Self { model, shot: Shot::default(), free: TABLES.map(frame).collect(), left: usize::MAX }
    }

    /// What is free.
    pub fn free(&self) -> &BTreeSet<PhysFrame> {
        &self.free
    }
}

// SAFETY: a frame is given out once until it comes back.
unsafe impl FrameAllocator<Size4KiB> for Pool<'_> {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        self.left = self.left.checked_sub(1)?;
        self.free.pop_first()
    }
}

impl FrameDeallocator<Size4KiB> for Pool<'_> {
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        assert!(self.free.insert(frame), "{frame:?} was free");
        if let Some(model) = self.model {
            assert!(self.shot.borrow_mut().remove(&frame), "{frame:?} was not shot down");
            model.memory.set_table(frame, false);
            model.memory.freed(frame);
        }
    }
}

/// All of it.
pub struct World<'m, 'i> {
    pub model: &'m Model<'m>,
    pub method: Busy<'m, 'i>,
    pub deeds: Deeds<'m, 'i>,
    pub pool: Pool<'m>,
    cpu: ModelCpu<'m>,
}

/// The space as the tests use it.
pub type Space<'w, 'm, 'i> = ForeignSpace<'w, ModelCpu<'m>, Busy<'m, 'i>, Deeds<'m, 'i>>;

impl<'m, 'i> World<'m, 'i> {
    /// The space, and frames for it.
    pub fn parts(&mut self) -> (Space<'_, 'm, 'i>, &mut Pool<'m>) {
        let Self { method, deeds, pool, cpu, .. } = self;
        // SAFETY: no address is a real one.
        let space = unsafe { ForeignSpace::new(&*cpu, method, deeds, frame(ROOT)) };
        (space.unwrap(), pool)
    }

    /// From now on the program writes all it may write, just before an entry is edited.
    pub fn be_eager(&mut self) {
        self.method.program.eager = true;
    }

    /// From now on the program reads and writes here only.
    pub fn use_only(&mut self, uses: &'static [u64]) {
        self.method.program.uses = uses;
    }

    /// The entry that maps a page was written back: it is clean, and every CPU knows.
    pub fn forget_dirty(&mut self, page: VirtAddr) {
        let (name, entry) = self.parts().0.leaf(page).unwrap();
        let word = self.model.memory.word(name.physical()).unwrap();
        word.set(entry.0 & !Entry::TOUCHED);
        self.deeds.flush(page);
    }

    /// The program goes on for a while.
    pub fn run(&self) {
        (0..8).for_each(|_| self.method.program.run());
    }

    /// Every entry of the lower half, Accessed and Dirty left out.
    pub fn entries(&self) -> Vec<(u32, u64, u64)> {
        let all = self.model.entries(frame(ROOT));
        all.into_iter().map(|(level, page, entry)| (level, page, entry.0)).collect()
    }
}

/// Makes an empty space and works with it.
pub fn with_world<T>(setup: &Setup, work: impl FnOnce(&mut World<'_, '_>) -> T) -> T {
    let states = Records::for_rules(FRAMES);
    let rules = Tables::new(&states);
    let model = Model::new(FRAMES, CPUS, BOOT_ROOT, rules, setup.seed);
    let mut records = Records::new(FRAMES, 1, 1);
    boot(&model, rules, &mut records.memory().frames);
    let (mut items, mut others) = (vec![Item::default(); 8], vec![Item::default(); 8]);
    boot_views(&model, setup.method);
    let bindings = Bindings::none();
    let pool = Pool::new(Some(&model));
    let (shot, broken) = (pool.shot.clone(), setup.broken);
    let program =
        Program { model: &model, random: Random::new(setup.seed + 1), eager: false, uses: &USED };
    let mut world = World {
        model: &model,
        method: Busy { method: chosen(setup.method, &mut items, &bindings), program, broken },
        deeds: Deeds {
            model: &model,
            other: chosen(setup.method, &mut others, &bindings),
            shot,
            broken,
        },
        pool,
        cpu: ModelCpu::new(&model, 0),
    };
    world.begin(setup.loaded);
    work(&mut world)
}

impl World<'_, '_> {
    fn begin(&mut self, loaded: bool) {
        let (model, root) = (self.model, frame(ROOT));
        for number in FRAMES as u64 / 2..FRAMES as u64 {
            model.memory.fill(frame(number), &[0; WORDS]);
        }
        model.memory.fill(root, &[0; WORDS]);
        fill_root(model, root);
        model.memory.set_table(root, true);
        self.method.adopt(&self.cpu, root, PageTableLevel::Four).unwrap();
        for cpu in if loaded { 0 } else { 1 }..CPUS {
            model.load_root(cpu, root);
        }
    }
}
