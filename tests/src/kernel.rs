//! A small kernel on the model: spaces, page faults, eviction, as the real one does them.

mod choice;
mod chosen;
mod evacuation;
mod exchange;
mod layout;
mod machine;
mod meddling;
mod plain;
mod records;

use foreign_access::{Action, Cpu, Entry, Method, Operation, walk};
use page_reclaim::evacuate::EvacuateError;
use page_reclaim::tables::{self, TableError};
use page_reclaim::{
    Audited, Backing, BroughtIn, Evicted, FaultError, Memory, Reference, Rights, Room, Share,
    StillMapped, TearDownError, Write, Wrong, audit, bring_in, end_share, evict, tear_down,
};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

pub use choice::Choice;
pub use chosen::{METHODS, boot_views, chosen};
pub use evacuation::frames;
pub use exchange::APART;
pub use layout::{
    BOOT_ROOT, CPUS, FOREIGN_SLOTS, MOST_CPUS, SELF_SLOT, alias_window, boot, fill_root, place_of,
    places, shown, window_of, windows,
};
pub use machine::{Device, Happened, Intruder, ModelMachine, Protocol, protocol};
pub use meddling::{Meddler, Moment};
pub use plain::Plain;
pub use records::Records;

use crate::model::Model;

/// Spaces that can exist at a time.
pub const SPACES: usize = 6;

/// Pages of a space that are shared with all others; their number is that of the shared page.
pub const SHARED: usize = 6;

/// Pages that are evicted together.
const TOGETHER: usize = 8;

/// Where the pages of a space lie: the shared ones, then the private ones; some have a table of
/// each level in common, some none.
pub const PAGES: [u64; 10] = [
    0x40_0000,
    0x40_1000,
    0x5f_f000,
    0x60_0000,
    0x40_0020_0000,
    0x7fff_ffff_f000,
    0x40_2000,
    0x3fff_f000,
    0x41_0000_0000,
    0x40_0020_1000,
];

/// The page with this number.
pub fn page(number: usize) -> VirtAddr {
    VirtAddr::new(PAGES[number])
}

/// What went wrong, seen from a program or from the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The audit found this.
    Audit(Wrong),
    /// A fault could not be answered.
    Fault(FaultError),
    /// Tables could not be built.
    Tables(TableError),
    /// A space could not be torn down.
    TearDown(TearDownError),
    /// A shared page could not end, since it seemed to be mapped.
    End(StillMapped),
    /// An evacuation could not go on.
    Evacuation(EvacuateError),
    /// A range that was evacuated is not empty.
    Referenced(Reference),
    /// A page still was not there after its fault had been answered so often.
    StillFaults(VirtAddr),
}

impl Mistake {
    /// No frame was free, which happens to every kernel that has few.
    pub const fn is_missing_frame(&self) -> bool {
        matches!(self, Self::Fault(FaultError::NoFrame) | Self::Tables(TableError::NoFrame))
    }
}

/// The kernel.
pub struct Kernel<'r, 'm, C, M> {
    /// The records.
    pub memory: Memory<'r>,
    /// The deeds.
    pub machine: ModelMachine<'m, C, M>,
    /// Where operations are laid out.
    room: Vec<Operation>,
    /// Where pages are laid out that are evicted together.
    pages: Vec<Write>,
    /// Who chooses victims.
    pub choice: Choice,
}

impl<'r, 'm, C: Cpu, M: Method<C>> Kernel<'r, 'm, C, M> {
    /// A kernel that has booted: every CPU has the boot root loaded; there is room for so many
    /// operations.
    pub fn new(memory: Memory<'r>, machine: ModelMachine<'m, C, M>, room: usize) -> Self {
        let nothing = walk::top(BOOT_ROOT, VirtAddr::zero());
        let room = vec![Operation::new(nothing, Action::Load); room];
        Self {
            memory,
            machine,
            room,
            pages: vec![Write::NOTHING; TOGETHER],
            choice: Choice::default(),
        }
    }

    /// The model it runs on.
    pub fn model(&self) -> &'m Model<'m> {
        self.machine.model
    }

    /// Makes a space if there is none with this number.
    ///
    /// # Errors
    /// [`Mistake::Tables`].
    pub fn spawn(&mut self, space: usize) -> Result<(), Mistake> {
        if self.machine.world.spaces[space].is_none() {
            let root =
                self.with_frames(|memory, machine| match tables::new_root(memory, machine) {
                    Err(TableError::NoFrame) => None,
                    other => Some(other),
                });
            let root = root.unwrap_or(Err(TableError::NoFrame)).map_err(Mistake::Tables)?;
            self.machine.world.spaces[space] = Some(root);
            self.machine.known.renew(space);
        }
        Ok(())
    }

    /// Ends a space, if there is one: first no CPU has it loaded any more.
    ///
    /// # Errors
    /// [`Mistake::TearDown`].
    pub fn exit(&mut self, space: usize) -> Result<(), Mistake> {
        let Some(root) = self.machine.world.spaces[space].take() else { return Ok(()) };
        for cpu in 0..CPUS {
            if self.model().root(cpu) == root {
                self.machine.load_root(cpu, BOOT_ROOT);
            }
        }
        self.machine.world.forget_private(space);
        tear_down(&mut self.memory, &mut self.machine, root, &mut self.room)
            .map(drop)
            .map_err(Mistake::TearDown)
    }

    /// A program of a space, on a CPU, writes a page or reads it and checks what it reads.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn touch(
        &mut self,
        cpu: usize,
        space: usize,
        page: usize,
        value: Option<u64>,
    ) -> Result<(), Mistake> {
        self.spawn(space)?;
        let root = self.machine.world.spaces[space].unwrap_or(BOOT_ROOT);
        self.machine.on(cpu);
        for _ in 0..16 {
            // Others may have had their turns while a fault was answered.
            if self.model().root(cpu) != root {
                self.machine.load_root(cpu, root);
            }
            if self.machine.touch(cpu, space, page, value) {
                return Ok(());
            }
            self.fault(root, page)?;
        }
        Err(Mistake::StillFaults(self::page(page)))
    }

    /// Answers a page fault.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn fault(&mut self, root: PhysFrame, page: usize) -> Result<BroughtIn, Mistake> {
        self.machine.world.faults += 1;
        let (address, backing) = (self::page(page), backing(page));
        let name = self.with_frames(|memory, machine| {
            match tables::find_or_build(memory, machine, root, address) {
                Err(TableError::NoFrame) => None,
                other => Some(other),
            }
        });
        let name = name.unwrap_or(Err(TableError::NoFrame)).map_err(Mistake::Tables)?;
        let brought = self.with_frames(|memory, machine| {
            match bring_in(memory, machine, name, backing, Rights::DATA) {
                Err(FaultError::NoFrame) => None,
                other => Some(other),
            }
        });
        brought.unwrap_or(Err(FaultError::NoFrame)).map_err(Mistake::Fault)
    }

    /// Evicts so many pages that are chosen.
    pub fn evict_some(&mut self, count: usize) -> Evicted {
        let mut victims = vec![BOOT_ROOT; count];
        let Self { choice, memory, machine, room, .. } = self;
        let chosen = choice.choose(memory, machine, &mut victims, room);
        self.evict(&victims[..chosen])
    }

    /// Evicts these frames. If programs intrude, they also fault in the middle.
    pub fn evict(&mut self, victims: &[PhysFrame]) -> Evicted {
        if self.machine.intruder.is_somebody() {
            return self.evict_while(victims, |_, meddler| meddler.intrude());
        }
        let mut room = Room { operations: &mut self.room, pages: &mut self.pages };
        evict(&mut self.memory, &mut self.machine, victims, &mut room)
    }

    /// Compares all tables with all records.
    ///
    /// # Errors
    /// [`Mistake::Audit`].
    pub fn audit(&mut self) -> Result<Audited, Mistake> {
        let roots: Vec<_> = self.machine.world.spaces.iter().flatten().copied().collect();
        let mut scratch = vec![0; self.memory.swap.len()];
        let room = &mut self.room;
        audit(&mut self.memory, &mut self.machine, &roots, &mut scratch, room)
            .map_err(Mistake::Audit)
    }

    /// How many frames, mappings and slots are free; bad slots count, since they are not lost by mistake.
    pub fn free(&self) -> [usize; 3] {
        let Memory { frames, reverse, swap, .. } = &self.memory;
        let slots = swap.free_count() + swap.bad_count();
        [frames.free_count() as usize, reverse.free_count(), slots as usize]
    }

    /// Ends everything: all spaces, then the shared pages. What is free afterwards must be what was
    /// free at first.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn end(&mut self) -> Result<(), Mistake> {
        for space in 0..SPACES {
            self.exit(space)?;
        }
        for share in (0..SHARED as u32).map(Share::new) {
            end_share(&mut self.memory, &mut self.machine, share).map_err(Mistake::End)?;
        }
        self.open_all();
        Ok(())
    }

    /// The frame that a space's page is in, by the tables in memory.
    pub fn frame_of(&self, space: usize, page: usize) -> Option<PhysFrame> {
        self.leaf(space, page)?.frame()
    }

    /// What the level-one entry of a space's page holds, by the tables in memory.
    pub fn leaf(&self, space: usize, page: usize) -> Option<Entry> {
        let root = self.machine.world.spaces[space]?;
        self.model().entries(root).into_iter().find_map(|(level, address, entry)| {
            (level == 1 && address == PAGES[page]).then_some(entry)
        })
    }

    /// Does something that needs frames; evicts as long as there is none.
    fn with_frames<T>(
        &mut self,
        mut work: impl FnMut(&mut Memory<'r>, &mut ModelMachine<'m, C, M>) -> Option<T>,
    ) -> Option<T> {
        for _ in 0..8 {
            if let Some(done) = work(&mut self.memory, &mut self.machine) {
                return Some(done);
            }
            self.evict_some(2);
        }
        None
    }
}

/// Whose a page is.
fn backing(page: usize) -> Backing {
    match page < SHARED {
        true => Backing::Shared(Share::new(page as u32)),
        false => Backing::Private,
    }
}

/// Answers a page fault with the frames that are free.
fn answer_fault<C: Cpu, M: Method<C>>(
    memory: &mut Memory<'_>,
    machine: &mut ModelMachine<'_, C, M>,
    root: PhysFrame,
    page: usize,
) -> Result<BroughtIn, Mistake> {
    machine.world.faults += 1;
    let name = tables::find_or_build(memory, machine, root, self::page(page));
    let name = name.map_err(Mistake::Tables)?;
    bring_in(memory, machine, name, backing(page), Rights::DATA).map_err(Mistake::Fault)
}
