//! Where the kernel's half of the spaces leads, by a walk of its own.

use alloc::vec::Vec;

use foreign_access::Entry;
use loadphys_plan::command_line::MemoryRange;
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use crate::layout::{FOREIGN_SLOTS, KERNEL_HALF, MOST_CPUS, SELF_SLOT};
use crate::machine::Machine;

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// How many frames of a range the kernel's half leads to, tables or pages, each time that it does. The kernel's root is
/// walked; of other roots, which lead to the same tables, the slots are looked at.
pub fn leads_into(
    machine: &mut Machine,
    kernel: PhysFrame,
    roots: &[PhysFrame],
    range: MemoryRange,
) -> u64 {
    let mut found = 0;
    for root in roots {
        let slots = upper_half(machine, *root);
        found +=
            slots.iter().map(|(_, entry)| overlap(table_of(*entry), FRAME, range)).sum::<u64>();
    }
    for (slot, entry) in upper_half(machine, kernel) {
        found += overlap(table_of(entry), FRAME, range);
        if !leads_to_root(slot) {
            found += below(machine, entry, 3, range);
        }
    }
    found
}

/// Slots by which methods see tables: what lies below is the lower half of a space, or tables that were walked.
fn leads_to_root(slot: u16) -> bool {
    slot == SELF_SLOT || (FOREIGN_SLOTS..FOREIGN_SLOTS + MOST_CPUS).contains(&slot)
}

fn upper_half(machine: &mut Machine, root: PhysFrame) -> Vec<(u16, Entry)> {
    let entries = present(machine, root);
    entries.into_iter().filter(|(index, _)| *index >= KERNEL_HALF).collect()
}

/// What a table of this level leads to.
fn below(machine: &mut Machine, above: Entry, level: u32, range: MemoryRange) -> u64 {
    let mut found = 0;
    for (_, entry) in
        present(machine, PhysFrame::containing_address(PhysAddr::new(table_of(above))))
    {
        if level == 1 || entry.is_large() {
            let bytes = FRAME << (9 * (level - 1));
            found += overlap(table_of(entry) & !(bytes - 1), bytes, range);
        } else {
            found += overlap(table_of(entry), FRAME, range);
            found += below(machine, entry, level - 1, range);
        }
    }
    found
}

/// The entries of a table that are present.
fn present(machine: &mut Machine, table: PhysFrame) -> Vec<(u16, Entry)> {
    machine.show(table, |words| {
        let entries = (0..).zip(words.iter().map(|word| Entry(*word)));
        entries.filter(|(_, entry)| entry.is_present()).collect()
    })
}

const fn table_of(entry: Entry) -> u64 {
    entry.0 & Entry::FRAME_BITS
}

/// How many frames of a range lie among so many bytes from an address.
fn overlap(start: u64, bytes: u64, range: MemoryRange) -> u64 {
    let end = (start + bytes).min(range.end);
    end.saturating_sub(start.max(range.start)) / FRAME
}
