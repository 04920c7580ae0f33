//! What every root holds besides a program's part: the kernel's half, and what the method needs.
#![expect(unsafe_code, reason = "writes roots through the window")]

use alloc::boxed::Box;

use foreign_access::methods::AnyMethod;
use foreign_access::{Cpu, Entry};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::layout::KERNEL_HALF;
use crate::methods::{Reach, SlotEntry, own_entries};
use crate::window::{Window, Words};

/// Entries of the kernel's half.
const ENTRIES: usize = 512 - KERNEL_HALF as usize;

/// The kernel's root and a copy of its half. All its tables exist since boot, so the copy stays right for ever; slots of methods are
/// filled anew for each root.
pub struct Roots {
    kernel: PhysFrame,
    half: [u64; ENTRIES],
    reach: Reach,
    /// Entries have Accessed from the start, and Dirty if they map a page writable.
    preset: bool,
}

impl Roots {
    /// Reads the kernel's half, for ever.
    pub fn read(
        cpu: &impl Cpu,
        window: &mut Window,
        kernel: PhysFrame,
        reach: Reach,
        preset: bool,
    ) -> &'static Self {
        let mut half = [0; ENTRIES];
        // SAFETY: looking does no harm.
        unsafe {
            window.show(cpu, kernel, |words| half.copy_from_slice(&words[KERNEL_HALF.into()..]))
        };
        Box::leak(Box::new(Self { kernel, half, reach, preset }))
    }

    /// What methods have of the virtual space.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The tables that the kernel's half, and what methods add to it, lead to. None belongs to a space.
    pub fn open_tables(&self) -> impl Iterator<Item = PhysFrame> {
        let places = self.reach.places.map(|(slot, _)| slot);
        let added = [self.reach.alias, self.reach.direct, places].into_iter().flatten();
        let half = self.half.iter().map(|entry| Entry(*entry));
        half.chain(added.map(|slot| slot.entry)).filter_map(Entry::table)
    }

    /// Whether entries have Accessed and Dirty from the start, so that they say nothing.
    pub fn preset(&self) -> bool {
        self.preset
    }

    /// What a root holds in the kernel's half that is not the kernel's but a method's, by slot.
    pub fn added<'r>(&'r self, root: &'r Words) -> impl Iterator<Item = SlotEntry> + 'r {
        let half = root[KERNEL_HALF.into()..].iter().zip(&self.half).enumerate();
        let others = half.filter(|(_, (entry, own))| (**entry ^ **own) & !Entry::TOUCHED != 0);
        others.map(|(at, (entry, _))| SlotEntry {
            slot: KERNEL_HALF + at as u16,
            entry: Entry(*entry),
        })
    }

    /// The kernel's root.
    pub fn kernel(&self) -> PhysFrame {
        self.kernel
    }

    /// Makes the kernel's root, which is loaded, fit a method.
    pub fn fit(&self, cpu: &impl Cpu, window: &mut Window, method: &AnyMethod<'_>) {
        let entries = own_entries(method, &self.reach, self.kernel);
        // SAFETY: the slots belong to methods; the one before is at its end.
        unsafe { window.show(cpu, self.kernel, |words| put(words, &entries)) };
        // SAFETY: the same root again; all that was cached of the slots goes.
        unsafe { cpu.set_root_register(cpu.root_register()) };
    }

    /// Fills the kernel's half of a new root.
    pub fn fill(
        &self,
        cpu: &impl Cpu,
        window: &mut Window,
        method: &AnyMethod<'_>,
        root: PhysFrame,
    ) {
        let entries = own_entries(method, &self.reach, root);
        // SAFETY: nobody uses the root yet.
        unsafe {
            window.show(cpu, root, |words| {
                words[KERNEL_HALF.into()..].copy_from_slice(&self.half);
                put(words, &entries);
                if self.preset {
                    words[KERNEL_HALF.into()..].iter_mut().for_each(touch);
                }
            });
        }
    }
}

fn put(words: &mut Words, entries: &[SlotEntry]) {
    for SlotEntry { slot, entry } in entries {
        words[usize::from(*slot)] = entry.0;
    }
}

/// Of the root's entries none maps a page.
fn touch(word: &mut u64) {
    *word = Entry(*word).touched(PageTableLevel::Four).0;
}
