//! What is done to the space and to the reference, and what both say.

use std::fmt::Debug;

use foreign_access::space::PageLevel;
use foreign_access::walk::NoEntry;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use x86_64::VirtAddr;
use x86_64::structures::paging::mapper::{CleanUp, MapperFlush, Translate, TranslateResult};
use x86_64::structures::paging::page::PageRangeInclusive;
use x86_64::structures::paging::{
    Mapper, OffsetPageTable, Page, PageTableFlags, PhysFrame, Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, align_down};

use crate::reference::Reference;
use crate::world::{USED, World};

/// Addresses: those that the program uses, and some that it does not, below other tables of every level.
const PLACES: [u64; 10] = [
    USED[0],
    USED[1],
    USED[2],
    USED[3],
    USED[4],
    USED[5],
    0x40_0040_0000,
    0x7fff_ffff_f000,
    0x7fff_ffe0_0000,
    0x1000,
];

/// The size of a page.
#[derive(Clone, Copy, Debug)]
pub enum Size {
    /// 4 KiB.
    Small,
    /// 2 MiB.
    Large,
    /// 1 GiB.
    Huge,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Map(Size, VirtAddr, PageTableFlags, PageTableFlags),
    Unmap(Size, VirtAddr),
    UpdateFlags(Size, VirtAddr, PageTableFlags),
    SetFlags(Size, VirtAddr, u64, PageTableFlags),
    TranslatePage(Size, VirtAddr),
    Translate(VirtAddr),
    /// An edit of the kernel's own: what has lost Present gets it back, which no function of ours gives.
    Restore(VirtAddr),
    CleanUp,
    CleanUpRange(VirtAddr, VirtAddr),
    /// So many more frames can be had for tables.
    Frames(usize),
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let size = || select(&[Size::Small, Size::Small, Size::Large, Size::Huge][..]);
    let place = || select(&PLACES[..]).prop_map(VirtAddr::new);
    let range = (place(), place(), any::<bool>());
    prop_oneof![
        8 => (size(), place(), page_flags(), table_flags())
            .prop_map(|(size, place, page, table)| Step::Map(size, place, page, table)),
        4 => (size(), place()).prop_map(|(size, place)| Step::Unmap(size, place)),
        3 => (size(), place(), page_flags())
            .prop_map(|(size, place, flags)| Step::UpdateFlags(size, place, flags)),
        2 => (size(), place(), 2_u64..5, table_flags(), 0..6)
            .prop_map(|(size, place, level, flags, chance)| {
                let absent = if chance == 0 { PageTableFlags::PRESENT } else { PageTableFlags::empty() };
                Step::SetFlags(size, place, level, flags - absent)
            }),
        1 => (size(), place()).prop_map(|(size, place)| Step::TranslatePage(size, place)),
        1 => place().prop_map(|place| Step::Translate(place + 0xabc)),
        3 => place().prop_map(Step::Restore),
        2 => Just(Step::CleanUp),
        2 => range.prop_map(|(first, last, all)| match all {
            true => Step::CleanUpRange(VirtAddr::zero(), last),
            false => Step::CleanUpRange(first, last),
        }),
        1 => (0_usize..4).prop_map(Step::Frames),
    ]
}

/// Flags of a page; now and then not present.
fn page_flags() -> impl Strategy<Value = PageTableFlags> {
    let some = [
        PageTableFlags::PRESENT,
        PageTableFlags::PRESENT,
        PageTableFlags::PRESENT,
        PageTableFlags::WRITABLE,
        PageTableFlags::USER_ACCESSIBLE,
        PageTableFlags::USER_ACCESSIBLE,
        PageTableFlags::NO_CACHE,
        PageTableFlags::BIT_9,
        PageTableFlags::BIT_52,
        PageTableFlags::NO_EXECUTE,
    ];
    subsequence(some.to_vec(), 1..10).prop_map(|flags| flags.into_iter().collect())
}

/// Flags of entries that lead to tables: those that ours always gives them, and more.
fn table_flags() -> impl Strategy<Value = PageTableFlags> {
    let always = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
    let some =
        [PageTableFlags::USER_ACCESSIBLE, PageTableFlags::NO_EXECUTE, PageTableFlags::BIT_10];
    subsequence(some.to_vec(), 0..=3)
        .prop_map(move |flags| flags.into_iter().fold(always, |a, b| a | b))
}

impl Step {
    /// Does it to both; every answer must be the same.
    pub fn take(self, world: &mut World<'_, '_>, reference: &mut Reference) -> Result<(), String> {
        let mut both = Both { world, reference };
        let [ours, theirs] = match self {
            Self::Map(size, ..)
            | Self::Unmap(size, ..)
            | Self::UpdateFlags(size, ..)
            | Self::SetFlags(size, ..)
            | Self::TranslatePage(size, ..) => match size {
                Size::Small => both.take::<Size4KiB>(self),
                Size::Large => both.take::<Size2MiB>(self),
                Size::Huge => both.take::<Size1GiB>(self),
            },
            Self::Translate(address) => both.translate(address),
            Self::Restore(place) => both.restore(place),
            Self::CleanUp => both.clean_up(None),
            Self::CleanUpRange(first, last) => {
                let page = Page::containing_address;
                both.clean_up(Some(Page::range_inclusive(page(first), page(last))))
            }
            Self::Frames(count) => {
                (both.world.pool.left, both.reference.pool.left) = (count, count);
                Default::default()
            }
        };
        if ours == theirs { Ok(()) } else { Err(format!("{ours}, but the reference {theirs}")) }
    }
}

/// What ours said, and the reference.
type Said = [String; 2];

struct Both<'a, 'm, 'i> {
    world: &'a mut World<'m, 'i>,
    reference: &'a mut Reference,
}

impl Both<'_, '_, '_> {
    fn take<S: PageLevel + Debug>(&mut self, step: Step) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let page = |place| Page::<S>::containing_address(place);
        match step {
            Step::Map(_, place, flags, tables) => self.map(page(place), place, flags, tables),
            Step::Unmap(_, place) => self.unmap(page(place)),
            Step::UpdateFlags(_, place, flags) => self.update_flags(page(place), flags),
            Step::SetFlags(_, place, level, flags) => self.set_flags(page(place), level, flags),
            Step::TranslatePage(_, place) => self.translate_page(page(place)),
            _ => Default::default(),
        }
    }

    fn map<S: PageLevel + Debug>(
        &mut self,
        page: Page<S>,
        place: VirtAddr,
        flags: PageTableFlags,
        tables: PageTableFlags,
    ) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let level = S::LEVEL as u64;
        if self.reference.is_blocked(place, level) {
            return Default::default();
        }
        let frame = frame_of(place);
        let theirs = self.reference.keeping_large_pages(place, level, |reference| {
            let (mut mapper, pool) = reference.parts();
            // SAFETY: nobody uses these tables.
            said(unsafe { mapper.map_to_with_table_flags(page, frame, flags, tables, pool) })
        });
        let (mut space, pool) = self.world.parts();
        // SAFETY: the program takes what it gets.
        let ours = unsafe { space.map_to_with_table_flags(page, frame, flags, tables, pool) };
        [said(ours), theirs]
    }

    fn unmap<S: PageLevel>(&mut self, page: Page<S>) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let ours = self.world.parts().0.unmap(page).map(unmapped);
        let theirs = self.reference.parts().0.unmap(page).map(unmapped);
        self.world.deeds.flush(page.start_address());
        [format!("{ours:?}"), format!("{theirs:?}")]
    }

    fn update_flags<S: PageLevel>(&mut self, page: Page<S>, flags: PageTableFlags) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let known = self.reference.finds(page.start_address(), S::LEVEL as u64).map(refused);
        let theirs = known.unwrap_or_else(|| {
            // SAFETY: nobody uses these tables.
            said(unsafe { self.reference.parts().0.update_flags(page, flags) })
        });
        // SAFETY: the program takes what it gets.
        let ours = said(unsafe { self.world.parts().0.update_flags(page, flags) });
        self.world.deeds.flush(page.start_address());
        [ours, theirs]
    }

    fn set_flags<S: PageLevel>(&mut self, page: Page<S>, level: u64, flags: PageTableFlags) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let known = self.reference.sets(page.start_address(), level).map(refused);
        let theirs = known
            .filter(|_| level > S::LEVEL as u64)
            .unwrap_or_else(|| set_flags(&mut self.reference.parts().0, page, level, flags));
        let ours = set_flags(&mut self.world.parts().0, page, level, flags);
        PLACES.iter().for_each(|place| self.world.deeds.flush(VirtAddr::new(*place)));
        [ours, theirs]
    }

    fn translate_page<S: PageLevel>(&mut self, page: Page<S>) -> Said
    where
        for<'t> OffsetPageTable<'t>: Mapper<S>,
    {
        let level = S::LEVEL as u64;
        let known = self.reference.finds(page.start_address(), level).map(refused);
        let theirs =
            known.unwrap_or_else(|| format!("{:?}", self.reference.parts().0.translate_page(page)));
        [format!("{:?}", self.world.parts().0.translate_page(page)), theirs]
    }

    fn translate(&mut self, address: VirtAddr) -> Said {
        let theirs = match self.reference.is_mistaken(address) {
            true => TranslateResult::NotMapped,
            false => self.reference.parts().0.translate(address),
        };
        [shown(self.world.parts().0.translate(address)), shown(theirs)]
    }

    fn restore(&mut self, place: VirtAddr) -> Said {
        if let Err(NoEntry::Absent(name, entry)) = self.world.parts().0.leaf(place)
            && !entry.is_empty()
        {
            let present = entry.0 | PageTableFlags::PRESENT.bits();
            self.world.model.memory.word(name.physical()).unwrap().set(present);
        }
        self.reference.restore(place);
        Default::default()
    }

    /// Both must give back the same frames.
    fn clean_up(&mut self, range: Option<PageRangeInclusive>) -> Said {
        let (mut space, pool) = self.world.parts();
        let (mut mapper, other) = self.reference.parts();
        // SAFETY: every table is used once.
        unsafe {
            match range {
                Some(range) => {
                    space.clean_up_addr_range(range, pool);
                    mapper.clean_up_addr_range(range, other);
                }
                None => {
                    space.clean_up(pool);
                    mapper.clean_up(other);
                }
            }
        }
        [format!("{:?}", pool.free()), format!("{:?}", other.free())]
    }
}

/// The frame for a page: one that holds the program's data where the program uses the page.
fn frame_of<S: PageLevel>(place: VirtAddr) -> PhysFrame<S> {
    let data = match place.as_u64() & !0x7fff_ffff {
        0x40_0000_0000 => 0x20_0000 | place.as_u64() & 0x1f_ffff,
        _ => place.as_u64() & 0x7_ffff_ffff,
    };
    PhysFrame::containing_address(PhysAddr::new(align_down(data, S::SIZE)))
}

fn refused(word: &str) -> String {
    format!("Err({word})")
}

fn unmapped<S: PageLevel>((frame, flush): (PhysFrame<S>, MapperFlush<S>)) -> PhysFrame<S> {
    flush.ignore();
    frame
}

/// What a mapper said, its promise left out.
fn said<T, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(error) => format!("Err({error:?})"),
    }
}

fn set_flags<S: PageLevel>(
    mapper: &mut impl Mapper<S>,
    page: Page<S>,
    level: u64,
    flags: PageTableFlags,
) -> String {
    // SAFETY: the program takes what it gets.
    said(unsafe {
        match level {
            2 => mapper.set_flags_p2_entry(page, flags),
            3 => mapper.set_flags_p3_entry(page, flags),
            _ => mapper.set_flags_p4_entry(page, flags),
        }
    })
}

/// Without what the walker sets.
fn shown(result: TranslateResult) -> String {
    match result {
        TranslateResult::Mapped { frame, offset, flags } => {
            let flags = flags - PageTableFlags::ACCESSED - PageTableFlags::DIRTY;
            format!("{frame:?} {offset:x} {flags:?}")
        }
        other => format!("{other:?}"),
    }
}
