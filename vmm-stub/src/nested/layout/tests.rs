//! The nested tables are built in plain memory and walked as the hardware would.

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use loadphys_rules::Tables;

use super::{ALL_RIGHTS, Layout, end};
use crate::mtrr::{MemoryType, Mtrrs};
use crate::nested::alias::{Alias, Window};
use crate::nested::ept::{EXECUTE, READ, WRITE};
use crate::nested::format::Format;
use crate::nested::walker::{Place, walk};
use crate::places::overlap;
use crate::tree::{Table, Tree, page_bytes, tables_needed};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Where the tables pretend to lie: in the stub.
const TABLES_AT: u64 = 96 * MIB + 0x10_0000;
const ALIAS_TABLES_AT: u64 = 96 * MIB + 0x80_0000;

/// Write-back below `low`, uncacheable from there to 4 GiB, write-back above; the fixed ranges as PCs have them.
fn mtrrs(low: u64) -> Mtrrs {
    let read = move |msr| match msr {
        0xfe => 0x508,
        0x2ff => 0xc06,
        0x200 => low,
        0x201 => 0xff_ffff_ffff & !(4 * GIB - low - 1) | 1 << 11,
        0x250 | 0x258 | 0x268..=0x26f => 0x0606_0606_0606_0606,
        _ => 0,
    };
    Mtrrs::read(read, 40)
}

struct Built {
    tables: Vec<Table>,
    alias: Vec<AtomicU64>,
    root: u64,
}

fn build(layout: &Layout<'_>, top: u64) -> Built {
    let needed = tables_needed(layout);
    let tables: Vec<_> = (0..needed).map(|_| Table::empty()).collect();
    assert!(Tree::build(&tables[1..], TABLES_AT, layout).is_err());
    let root = Tree::build(&tables, TABLES_AT, layout).unwrap().root();
    let alias = (0..Window::tables(top) * 512).map(|_| AtomicU64::new(0)).collect();
    Built { tables, alias, root }
}

impl Built {
    fn entry(&self, table: u64, index: usize) -> u64 {
        let tables = self.tables.len() as u64 * 4096;
        if (TABLES_AT..TABLES_AT + tables).contains(&table) {
            self.tables[((table - TABLES_AT) / 4096) as usize].get(index)
        } else {
            let first = ((table - ALIAS_TABLES_AT) / 8) as usize;
            self.alias[first + index].load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    fn walk(&self, at: u64) -> Option<Place> {
        walk(self.root, at, |table, index| self.entry(table, index))
    }
}

fn layout(mtrrs: &Mtrrs, stub: Range<u64>, top: u64, gib_pages: bool) -> Layout<'_> {
    Layout {
        format: Format::Ept,
        stub,
        end: end(40, gib_pages, top),
        largest: if gib_pages { 3 } else { 2 },
        fine: 0..0,
        guarded: 0..0,
        rights: ALL_RIGHTS,
        alias: Window::new(40, top, &[]).map(|window| window.with_tables_at(ALIAS_TABLES_AT)),
        mtrrs,
    }
}

/// Addresses on both sides of every border.
fn borders(layout: &Layout<'_>, low: u64) -> Vec<u64> {
    let alias = layout.alias.as_ref().map_or(0..0, Window::range);
    let all =
        [layout.stub.start, layout.stub.end, low, 4 * GIB, layout.end, MIB, 0xa_0000, 0xc_0000];
    let at = all.into_iter().chain([0, GIB, 2 * MIB, 512 * GIB, alias.start, alias.end, 1 << 40]);
    at.flat_map(|at| [at.wrapping_sub(4096), at, at + 4096, at + 0x123_4568])
        .filter(|at| *at < 1 << 41)
        .collect()
}

#[test]
fn all_is_mapped_to_itself_but_the_stub_and_the_alias() {
    let (low, top) = (3 * GIB, 5 * GIB);
    let mtrrs = mtrrs(low);
    for (stub, gib_pages) in [
        (96 * MIB..98 * MIB, true),
        (96 * MIB..98 * MIB, false),
        (96 * MIB..97 * MIB + 0x3000, true),
        (96 * MIB..3 * GIB, true),
    ] {
        let layout = layout(&mtrrs, stub.clone(), top, gib_pages);
        let built = build(&layout, top);
        let alias = layout.alias.as_ref().unwrap().range();
        for at in borders(&layout, low) {
            let mapped = at < layout.end && !stub.contains(&at) && !alias.contains(&at);
            let frame = at & !0xfff;
            let kind = mtrrs.kind(&(frame..frame + 4096)).unwrap();
            let place = built.walk(at);
            assert_eq!(place.is_some(), mapped, "{at:#x}");
            if let Some(place) = place {
                let wanted = (at, READ | WRITE | EXECUTE, kind as u64);
                assert_eq!((place.address, place.rights, place.kind), wanted, "{at:#x}");
                assert!(gib_pages || place.level < 3);
            }
        }
    }
}

#[test]
fn no_entry_leads_into_the_stub() {
    let mtrrs = mtrrs(2 * GIB);
    for end in [97 * MIB, 97 * MIB + 0x1000, 128 * MIB, GIB + 0x5000] {
        let stub = 96 * MIB..end;
        let layout = layout(&mtrrs, stub.clone(), 2 * GIB, true);
        let built = build(&layout, 2 * GIB);
        let mut at = 0;
        while at < layout.end {
            let size = built.walk(at).map_or(4096, |place| page_bytes(place.level));
            let page = at & !(size - 1)..(at & !(size - 1)) + size;
            assert!(built.walk(at).is_none() || !overlap(&page, &stub), "{at:#x}");
            at = page.end;
            // The alias is empty and long.
            if layout.alias.as_ref().is_some_and(|alias| alias.range().contains(&at)) {
                at = layout.alias.as_ref().unwrap().range().end;
            }
        }
    }
}

#[test]
fn pages_are_as_large_as_they_can_be() {
    let mtrrs = mtrrs(3 * GIB);
    let layout = layout(&mtrrs, 96 * MIB..98 * MIB, 3 * GIB, true);
    let built = build(&layout, 3 * GIB);
    let level = |at| built.walk(at).unwrap().level;
    // The first 2 MiB for the fixed ranges, the first GiB for those and the stub, all else whole.
    assert_eq!(
        [0, MIB, 2 * MIB, 94 * MIB, 98 * MIB, GIB, 3 * GIB, 512 * GIB + 4 * GIB].map(level),
        [1, 1, 2, 2, 2, 3, 3, 3]
    );
    // Root, two tables of level 3; of level 2 one for the first GiB and three for the alias; one of level 1.
    assert_eq!(built.tables.len(), 1 + 2 + 1 + 3 + 1);
}

#[test]
fn the_alias_shows_registered_tables_and_nothing_else() {
    let top = 64 * MIB;
    let mtrrs = mtrrs(3 * GIB);
    let layout = layout(&mtrrs, 96 * MIB..98 * MIB, top, true);
    let built = build(&layout, top);
    let frames: Vec<_> = (0..top / 4096).map(|_| std::sync::atomic::AtomicU8::new(0)).collect();
    let tables = Tables::new(&frames);
    tables.grant(0..top);
    let alias = Alias::new(&built.alias, Format::Ept);
    let base = layout.alias.as_ref().unwrap().range().start;
    let shown =
        || (0..top).step_by(4096).filter(|at| built.walk(base + at).is_some()).collect::<Vec<_>>();
    assert!(shown().is_empty());
    for frame in [0, 0x1f_f000, 0x20_0000, top - 4096] {
        let table = tables.register(frame, 1).unwrap();
        alias.show(table, READ | WRITE);
        assert_eq!(shown(), [frame]);
        let place = built.walk(base + frame + 8).unwrap();
        let kind = MemoryType::WriteBack as u64;
        assert_eq!(place, Place { address: frame + 8, rights: READ | WRITE, kind, level: 1 });
        let _ = alias.hide(tables.release(frame).unwrap());
        assert!(shown().is_empty());
    }
}

#[test]
fn the_alias_goes_where_nothing_else_is() {
    let window = |width, top, taken: Option<Range<u64>>| {
        Window::new(width, top, taken.as_slice()).map(|window| window.range())
    };
    assert_eq!(window(36, 33 * GIB, None), None);
    assert_eq!(window(36, 32 * GIB, None), Some(32 * GIB..64 * GIB));
    assert_eq!(window(52, GIB, None), Some(1 << 47..(1 << 47) + GIB));
    let (graphics, all) = (256 * GIB..512 * GIB, 0..512 * GIB);
    assert_eq!(window(39, 64 * GIB, Some(graphics.clone())), Some(128 * GIB..192 * GIB));
    assert_eq!(window(39, 129 * GIB, Some(graphics)), None);
    assert_eq!(window(39, GIB, Some(all)), None);
}

#[test]
fn the_map_ends_with_the_cpus_addresses_or_with_memory() {
    assert_eq!(end(40, true, GIB), 1 << 40);
    assert_eq!(end(52, true, GIB), 1 << 48);
    assert_eq!(end(36, false, 5 * GIB), 64 * GIB);
    assert_eq!(end(40, false, GIB), 512 * GIB);
    assert_eq!(end(40, false, 600 * GIB + 1), 601 * GIB);
}

#[test]
fn a_view_has_its_own_rights_and_single_frames_where_they_are_wanted() {
    let mtrrs = mtrrs(3 * GIB);
    let fine = 4 * MIB + 0x3000..7 * MIB;
    let usual = layout(&mtrrs, 96 * MIB..98 * MIB, 3 * GIB, true);
    let view = Layout { fine: fine.clone(), rights: READ | WRITE, ..usual };
    let built = build(&view, 3 * GIB);
    for at in [0, 4 * MIB, 6 * MIB, 8 * MIB - 1, 8 * MIB, 2 * GIB] {
        let place = built.walk(at).unwrap();
        let single = at < 2 * MIB || (4 * MIB..8 * MIB).contains(&at);
        assert_eq!((place.address, place.rights), (at, READ | WRITE));
        assert_eq!(place.level == 1, single, "{at:#x}");
    }
    assert!(built.walk(97 * MIB).is_none());
}
