//! What a CPU remembers of tables: translations of pages, and the way to tables of every level.
//!
//! SDM volume 3, section 5.10 "Caching Translation Information": entries may be kept until they are
//! invalidated, several for the same page, and any of them may be used; they may also go at any
//! time. What is not present is never cached.
//!
//! Under a hypervisor these are *combined mappings* (SDM volume 3, "Caching Translation Information"
//! of VMX): each belongs to a PCID and a view. What is remembered of the view itself is in
//! [`super::nested`]. A translation here keeps the guest-physical address, which goes through the
//! view anew at each use: that part then lasts longer than the manual allows, never shorter.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::nested::Nested;
use super::random::Random;

/// How many entries of each kind are kept.
const ROOM: usize = 48;

/// What an entry was made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The PCID.
    pub pcid: u16,
    /// The view (EP4TA).
    pub view: usize,
}

/// What every entry on the way allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Writing.
    pub write: bool,
    /// Ring 3.
    pub user: bool,
    /// Fetching instructions.
    pub fetch: bool,
}

/// A page as it once was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Under what it is known.
    pub tag: Tag,
    /// It is used under every PCID.
    pub global: bool,
    /// Virtual address of the page's first byte.
    pub page: u64,
    /// Bytes that it translates: 4 KiB, 2 MiB or 1 GiB.
    pub bytes: u64,
    /// Guest-physical address of its first byte.
    pub physical: u64,
    /// What the entries allowed.
    pub allowed: Allowed,
    /// Dirty was set in the leaf.
    pub dirty: bool,
    /// When it was made, by the time of the memory.
    pub made: u32,
}

/// The way to a table as it once was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Under what it is known.
    pub tag: Tag,
    /// The level of the table it leads to, 1 to 3.
    pub level: u32,
    /// The part of the address that was translated: what is above the table's index.
    pub prefix: u64,
    /// The table, guest-physical.
    pub table: PhysFrame,
    /// What the entries allowed.
    pub allowed: Allowed,
}

/// The part of an address that the entries above a table of this level translate.
pub fn prefix(address: VirtAddr, level: u32) -> u64 {
    address.as_u64() >> (12 + 9 * level)
}

impl Translation {
    fn covers(&self, address: VirtAddr) -> bool {
        address.as_u64() & !(self.bytes - 1) == self.page
    }

    /// Whether it may be used under this tag. A global one may under every PCID, but not in
    /// another view.
    fn is_used(&self, tag: Tag) -> bool {
        self.tag.view == tag.view && self.is_of(tag.pcid)
    }

    /// Whether INVLPG under this PCID reaches it (SDM volume 3, "Global Pages").
    fn is_of(&self, pcid: u16) -> bool {
        self.global || self.tag.pcid == pcid
    }
}

/// The caches of one CPU.
#[derive(Debug, Default)]
pub struct Caches {
    translations: Vec<Translation>,
    structures: Vec<Structure>,
    /// What is remembered of views.
    nested: Vec<Nested>,
    /// Addresses used of late: what a CPU may translate on its own account.
    recent: Vec<VirtAddr>,
}

impl Caches {
    /// A translation of an address, perhaps stale; perhaps nothing, though one is known.
    pub fn translation(&self, tag: Tag, address: VirtAddr, random: &Random) -> Option<Translation> {
        let fits = |t: &Translation| t.covers(address) && t.is_used(tag);
        any(&self.translations, fits, random).filter(|_| random.chance(7, 8)).copied()
    }

    /// Whether a translation of an address is known.
    pub fn knows(&self, tag: Tag, address: VirtAddr) -> bool {
        self.translations.iter().any(|known| known.covers(address) && known.is_used(tag))
    }

    /// A view, from this one on, of which a way to a table is known.
    pub fn view_of_a_way(&self, first: usize) -> Option<usize> {
        self.structures.iter().map(|known| known.tag.view).find(|view| *view >= first)
    }

    /// A table from which a walk can go on, perhaps stale; perhaps nothing, though one is known.
    pub fn structure(&self, tag: Tag, address: VirtAddr, random: &Random) -> Option<Structure> {
        let fits = |s: &Structure| s.tag == tag && s.prefix == prefix(address, s.level);
        any(&self.structures, fits, random).filter(|_| random.chance(3, 4)).copied()
    }

    /// Where a view leads from a guest-physical frame, perhaps stale; perhaps nothing, though it is known.
    pub fn nested(&self, view: usize, guest: u64, random: &Random) -> Option<Nested> {
        let fits = |n: &Nested| n.view == view && n.guest == guest;
        any(&self.nested, fits, random).filter(|_| random.chance(7, 8)).copied()
    }

    /// An address used of late.
    pub fn recent(&self, random: &Random) -> Option<VirtAddr> {
        random.one_of(&self.recent).copied()
    }

    /// Remembers that an address was used.
    pub fn used(&mut self, address: VirtAddr, random: &Random) {
        keep(&mut self.recent, address, random, |a, b| a == b);
    }

    /// Remembers a translation; of two that differ in their age only, the older.
    pub fn keep_translation(&mut self, new: Translation, random: &Random) {
        let same = |a: &Translation, b: &Translation| {
            a.page == b.page && Translation { made: a.made, ..*b } == *a
        };
        keep(&mut self.translations, new, random, same);
    }

    /// Remembers the way to a table.
    pub fn keep_structure(&mut self, structure: Structure, random: &Random) {
        keep(&mut self.structures, structure, random, |a, b| a == b);
    }

    /// Remembers where a view leads; of two that differ in their age only, the older.
    pub fn keep_nested(&mut self, new: Nested, random: &Random) {
        let same = |a: &Nested, b: &Nested| Nested { made: a.made, ..*b } == *a;
        keep(&mut self.nested, new, random, same);
    }

    /// INVLPG: the page's translations go that are known under this PCID, global ones whatever theirs is; and under
    /// this PCID every way to a table. In all views.
    pub fn invlpg(&mut self, pcid: u16, address: VirtAddr) {
        self.translations.retain(|known| !(known.covers(address) && known.is_of(pcid)));
        self.structures.retain(|known| known.tag.pcid != pcid);
    }

    /// INVLPG as some CPUs do it where PCIDs are on: global translations stay, under every PCID (errata ADL063 and
    /// RPL042).
    pub fn invlpg_but_global(&mut self, pcid: u16, address: VirtAddr) {
        self.translations
            .retain(|known| known.global || !(known.covers(address) && known.tag.pcid == pcid));
        self.structures.retain(|known| known.tag.pcid != pcid);
    }

    /// What a page fault does: as INVLPG, but only under this tag; a global translation that was made
    /// under another PCID may stay.
    pub fn page_fault(&mut self, tag: Tag, address: VirtAddr) {
        self.translations.retain(|known| !(known.covers(address) && known.tag == tag));
        self.structures.retain(|known| known.tag != tag);
    }

    /// MOV to CR3: everything goes that is known under a PCID and is not global. In all views.
    pub fn forget(&mut self, pcid: u16) {
        self.translations.retain(|known| known.global || known.tag.pcid != pcid);
        self.structures.retain(|known| known.tag.pcid != pcid);
    }

    /// A change of CR4.PGE: everything goes, under every PCID.
    pub fn forget_all(&mut self) {
        self.translations.clear();
        self.structures.clear();
    }

    /// INVEPT of one view: everything goes that was learned in it.
    pub fn invept(&mut self, view: usize) {
        self.translations.retain(|known| known.tag.view != view);
        self.structures.retain(|known| known.tag.view != view);
        self.nested.retain(|known| known.view != view);
    }

    /// What a violation of a view does: what is known of the frame goes.
    pub fn violation(&mut self, view: usize, guest: u64) {
        self.nested.retain(|known| !(known.view == view && known.guest == guest));
    }
}

/// Any of the entries that fit.
fn any<'a, T>(cache: &'a [T], fits: impl Fn(&T) -> bool, random: &Random) -> Option<&'a T> {
    let (mut fitting, mut count) = ([0; ROOM + 1], 0);
    for (place, entry) in (0_u8..).zip(cache) {
        fitting[count] = place;
        count += usize::from(fits(entry));
    }
    random.one_of(&fitting[..count]).map(|place| &cache[usize::from(*place)])
}

/// Adds to a full cache by replacing something at random.
fn keep<T>(cache: &mut Vec<T>, new: T, random: &Random, same: impl Fn(&T, &T) -> bool) {
    if cache.iter().any(|known| same(known, &new)) {
        return;
    }
    if cache.len() < ROOM {
        cache.push(new);
    } else {
        cache[random.below(ROOM)] = new;
    }
}
