//! What happens in the kernel's life.

use foreign_access::{Cpu, Method};

use crate::kernel::{CPUS, Kernel, Mistake, PAGES, SPACES, frames};
use crate::model::Random;

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A program touches a page: writes this, or reads.
    Touch {
        /// On this CPU.
        cpu: usize,
        /// A program of this space.
        space: usize,
        /// This page.
        page: usize,
        /// Writes this, or reads and checks.
        value: Option<u64>,
    },
    /// So many victims are chosen.
    EvictSome(usize),
    /// This page of this space is the victim, if it is in memory.
    EvictPage(usize, usize),
    /// So many writes to the swap device fail from now on.
    FailWrites(u32),
    /// A space ends.
    Exit(usize),
    /// This CPU does nothing, but translates on its own account what it used before.
    Idle(usize),
    /// On this CPU, tables of this space change places and are looked at.
    ExchangeTables(usize, usize),
    /// On this CPU, the range that begins with this frame and has so many frames is evacuated; the one before is
    /// opened.
    Evacuate(usize, u64, u64),
    /// On this CPU, the table of this level on the way to a page of this space is evacuated alone.
    MoveTable {
        /// On this CPU.
        cpu: usize,
        /// Of this space.
        space: usize,
        /// On the way to this page.
        page: usize,
        /// From one to four: a root.
        level: u32,
    },
}

impl Step {
    /// So many steps of all kinds, that a seed decides.
    pub fn sequence(seed: u64, count: usize) -> Vec<Self> {
        let random = Random::new(seed);
        (0..count).map(|_| Self::any(&random)).collect()
    }

    fn any(random: &Random) -> Self {
        let (cpu, space, page) =
            (random.below(CPUS), random.below(SPACES), random.below(PAGES.len()));
        match random.below(60) {
            0 => Self::Exit(space),
            1..8 => Self::EvictSome(1 + random.below(5)),
            8..15 => Self::EvictPage(space, page),
            15..17 => Self::ExchangeTables(cpu, space),
            // Each costs a slot for good.
            17..19 if random.chance(1, 10) => Self::FailWrites(1 + random.below(2) as u32),
            19 => Self::MoveTable { cpu, space, page, level: 1 + random.below(4) as u32 },
            20..22 => Self::Evacuate(cpu, random.below(120) as u64, 1 + random.below(64) as u64),
            chance => {
                let value = (chance < 41).then(|| random.below(1 << 30) as u64);
                Self::Touch { cpu, space, page, value }
            }
        }
    }

    /// Takes it; `evicted` counts pages.
    ///
    /// # Errors
    /// What the kernel could not do.
    pub fn take<C: Cpu, M: Method<C>>(
        self,
        kernel: &mut Kernel<'_, '_, C, M>,
        evicted: &mut u32,
    ) -> Result<(), Mistake> {
        match self {
            Self::Touch { cpu, space, page, value } => {
                return kernel.touch(cpu, space, page, value);
            }
            Self::EvictSome(count) => *evicted += kernel.evict_some(count).evicted,
            Self::EvictPage(space, page) => {
                let victim = kernel.frame_of(space, page);
                *evicted += kernel.evict(victim.as_slice()).evicted;
            }
            Self::Idle(cpu) => kernel.model().idle(cpu),
            Self::ExchangeTables(cpu, space) => kernel.exchange_tables(cpu, space),
            Self::Evacuate(cpu, start, count) => {
                return kernel.evacuate_another(cpu, frames(start, start + count));
            }
            Self::MoveTable { cpu, space, page, level } => {
                return kernel.move_table(cpu, space, page, level);
            }
            Self::FailWrites(count) => kernel.machine.device.failures = count,
            Self::Exit(space) => return kernel.exit(space),
        }
        Ok(())
    }
}
