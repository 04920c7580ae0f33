use super::{Base, RootView, TABLES};
use crate::mtrr::Mtrrs;
use crate::nested::alias::Window;
use crate::nested::ept::{READ, WRITE};
use crate::nested::format::Format;
use crate::nested::layout::{Layout, end};
use crate::nested::walker::{Place, walk};
use crate::tree::{ADDRESS_BITS, Table, Tree, tables_needed};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const GATE_AT: u64 = 96 * MIB + 0x10_0000;
const VIEW_AT: u64 = 96 * MIB + 0x40_0000;
const ALIAS_AT: u64 = 96 * MIB + 0x60_0000;
const ALIAS_FRAME: u64 = 0x7_7000;

/// The gate view and one view of a root, and what lies in them.
struct Built {
    gate: Vec<Table>,
    view: Box<[Table; TABLES]>,
}

impl Built {
    fn load(&self, table: u64, index: usize) -> u64 {
        let of = |tables: &[Table], at: u64| {
            let place = table.checked_sub(at)? / 4096;
            tables.get(place as usize).map(|table| table.get(index))
        };
        // Each table of the alias shows the same frame, everywhere.
        let alias = || ALIAS_FRAME | READ | WRITE;
        of(&self.view[..], VIEW_AT).or_else(|| of(&self.gate, GATE_AT)).unwrap_or_else(alias)
    }

    fn walk(&self, root: u64, at: u64) -> Option<Place> {
        walk(root & ADDRESS_BITS, at, |table, index| self.load(table, index))
    }
}

fn build(width: u32, top: u64, gib_pages: bool, own: u64, target: u64) -> (Built, Base<'static>) {
    let mtrrs = Box::leak(Box::new(Mtrrs::read(|msr| if msr == 0x2ff { 0x806 } else { 0 }, width)));
    let window = Window::new(width, top, &[]).unwrap().with_tables_at(ALIAS_AT);
    let layout = Layout {
        format: Format::Ept,
        stub: 96 * MIB..104 * MIB,
        end: end(width, gib_pages, top),
        largest: if gib_pages { 3 } else { 2 },
        fine: 4 * MIB..6 * MIB,
        guarded: 0..0,
        rights: READ | WRITE,
        alias: Some(window.clone()),
        mtrrs,
    };
    let empty = |count| (0..count).map(|_| Table::empty()).collect::<Vec<_>>();
    let gate: &'static [Table] = empty(tables_needed(&layout)).leak();
    let tree = Tree::build(gate, GATE_AT, &layout).unwrap();
    let base = Base { tree, alias: window.range() };
    let view = Box::new([const { Table::empty() }; TABLES]);
    let root_view = RootView::new(&view, VIEW_AT);
    // Whatever it led to before, only the last is left.
    root_view.build(&base, own ^ 0x20_0000, target);
    root_view.build(&base, own, own);
    root_view.retarget(own, target);
    let copy = |table: &Table| Table(std::array::from_fn(|i| table.get(i).into()));
    (Built { gate: gate.iter().map(copy).collect(), view }, base)
}

#[test]
fn one_frame_leads_elsewhere_and_all_else_is_as_in_the_gate_view_but_the_alias() {
    let target = 9 * MIB + 0x5000;
    for (width, gib_pages) in [(39, true), (39, false), (46, true)] {
        for own in [0x3000, 4 * MIB + 0x3000, 8 * MIB, 95 * MIB, GIB + 0x7000, 2 * GIB - 0x1000] {
            let (built, base) = build(width, 2 * GIB, gib_pages, own, target);
            let pointer = RootView::new(&built.view, VIEW_AT).pointer();
            let borders = [own - 0x1000, own + 0x1000, own ^ 0x20_0000, own ^ GIB];
            let others = [0, 4 * MIB, 94 * MIB, 96 * MIB, 103 * MIB, 104 * MIB, 3 * GIB, 4 * GIB];
            for at in borders.into_iter().chain(others).filter(|at| *at != own) {
                let [here, there] = [pointer, base.tree.root()].map(|root| built.walk(root, at));
                let same = |place: &Place| (place.address, place.rights, place.kind);
                assert_eq!(here.as_ref().map(same), there.as_ref().map(same), "{at:#x} {own:#x}");
            }
            let place = built.walk(pointer, own + 8).unwrap();
            assert_eq!((place.address, place.rights), (target + 8, READ | WRITE));
            let shown = base.alias.start + 0x5000;
            assert_eq!(built.walk(base.tree.root(), shown).unwrap().address, ALIAS_FRAME);
            assert_eq!(built.walk(pointer, shown), None);
        }
    }
}
