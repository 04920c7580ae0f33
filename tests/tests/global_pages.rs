//! Global pages, and what a walk through a slot makes of entries that map large ones.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::walk::{self, NoEntry};
use foreign_access::{Action, Entry, Operation, Stopped};
use loadphys_tests::kernel::{BOOT_ROOT, SELF_SLOT, page, windows};
use loadphys_tests::model::{Model, Violation};
use loadphys_tests::scenario::{Setup, Tested, methods, with_kernel};
use page_reclaim::Machine;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

const SEEDS: u64 = 20;
const GLOBAL: u64 = 1 << 8;
/// A page of the kernel's that nothing else uses.
const KERNELS_PAGE: u64 = 100 << 12;
/// The page that spaces have, and two others: below the same table of level two, and of level three.
const PAGE: usize = 0;
const BESIDE: [(u64, PageTableLevel); 2] =
    [(0x80_0000, PageTableLevel::Two), (0x8000_0000, PageTableLevel::Three)];

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

/// How often, of all seeds, the kernel uses a global page under its old translation: the page is used, its entry
/// edited, and then `flush` has its turn.
fn stale(has_global_pages: bool, flush: impl Fn(&Model<'_>, VirtAddr)) -> usize {
    let is_stale = |seed: &u64| {
        with_kernel(&Setup::roomy("direct-map", *seed), |kernel| {
            let (model, address) = (kernel.model(), windows().0 + KERNELS_PAGE);
            model.set_global_pages(has_global_pages);
            let at = model.place(BOOT_ROOT, address, 1).unwrap();
            let lead_to = |number| {
                let flags = PageTableFlags::PRESENT | PageTableFlags::GLOBAL;
                model.memory.word(at).unwrap().set(Entry::new(frame(number), flags).0);
            };
            lead_to(0);
            (0..4).for_each(|_| assert!(model.kernel_load(0, address).is_some()));
            lead_to(1);
            flush(model, address);
            (0..4).for_each(|_| assert!(model.kernel_load(0, address).is_some()));
            model.take_violations().contains(&Violation::StaleKernelAddress(address))
        })
    };
    (0..SEEDS).filter(is_stale).count()
}

/// MOV to CR3 of the boot root, under this PCID, with a flush of what is known under it.
fn load(model: &Model<'_>, pcid: u64) {
    model.load_register(0, BOOT_ROOT.start_address().as_u64() | pcid);
}

#[test]
fn a_global_page_is_stale_until_its_invlpg_under_any_pcid() {
    let caught = stale(true, |model, _| load(model, 0));
    println!("a global page without INVLPG: caught with {caught} of {SEEDS} seeds");
    assert!(caught > 0);
    assert!(stale(true, |model, _| load(model, 1)) > 0);
    assert!(stale(true, |model, address| model.invlpg(0, address + 4096u64)) > 0);
    assert_eq!(stale(true, |model, address| model.invlpg(0, address)), 0);
    let under_another_pcid = |model: &Model<'_>, address| {
        load(model, 1);
        model.invlpg(0, address);
    };
    assert_eq!(stale(true, under_another_pcid), 0);
    assert_eq!(stale(true, |model, _| model.set_global_pages(true)), 0);
}

#[test]
fn bit_8_means_nothing_without_global_pages() {
    assert!(stale(false, |_, _| {}) > 0);
    assert_eq!(stale(false, |model, _| load(model, 0)), 0);
}

/// Where the loaded space's entry of level one is, through the self slot.
fn through_self_slot(page: VirtAddr) -> VirtAddr {
    let below = page.as_u64() >> 9 & ((1 << 39) - 1) & !7;
    VirtAddr::new_truncate(u64::from(SELF_SLOT) << 39 | below)
}

/// Whether an entry is reached in the wrong space after the other was loaded with a flush, when entries that
/// lead to tables hold these bits.
fn reaches_the_other_space(seed: u64, bits: u64) -> bool {
    with_kernel(&Setup::roomy("direct-map", seed), |kernel| {
        let model = kernel.model();
        model.set_global_pages(true);
        for space in [1, 0, 1, 0] {
            kernel.touch(0, space, PAGE, None).unwrap();
            let at = model.place(model.root(0), page(PAGE), 2).unwrap();
            let upper = model.memory.word(at).unwrap();
            upper.set(upper.get() | bits);
            assert!(model.kernel_load(0, through_self_slot(page(PAGE))).is_some());
        }
        !model.take_violations().is_empty()
    })
}

/// Why methods want bit 8 clear in entries that lead to tables.
#[test]
fn a_walk_through_the_self_slot_reads_bit_8_of_an_upper_entry_as_global() {
    assert!((0..SEEDS).any(|seed| reaches_the_other_space(seed, GLOBAL)));
    assert!(!(0..SEEDS).any(|seed| reaches_the_other_space(seed, 0)));
}

/// For every method and seed, with global pages: a foreign space that has the page, and beside its tables large
/// global pages of level two and three.
fn with_large_pages(work: impl Fn(&mut Tested<'_, '_, '_>, PhysFrame)) {
    for (method, seed) in methods().iter().flat_map(|m| (0..SEEDS).map(move |s| (*m, s))) {
        with_kernel(&Setup { pcids: true, ..Setup::roomy(method, seed) }, |kernel| {
            kernel.model().set_global_pages(true);
            (0..3).for_each(|space| kernel.touch(0, space, PAGE, Some(1)).unwrap());
            let root = kernel.machine.world.spaces[0].unwrap();
            for (page, level) in BESIDE {
                exchange(kernel, root, VirtAddr::new(page), level, large());
            }
            work(kernel, root);
        });
    }
}

/// An entry that maps a large global page. It begins at physical address 0, where no table is.
fn large() -> Entry {
    let size_and_global = PageTableFlags::HUGE_PAGE | PageTableFlags::GLOBAL;
    Entry::new(frame(0), PageTableFlags::PRESENT | PageTableFlags::WRITABLE | size_and_global)
}

/// Puts an entry in its place by the method; gives back what was there.
fn exchange(
    kernel: &mut Tested<'_, '_, '_>,
    root: PhysFrame,
    page: VirtAddr,
    level: PageTableLevel,
    new: Entry,
) -> Entry {
    let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
    let (name, found) = walk::find(apply, root, page, level).unwrap();
    let mut batch = [Operation::new(name, Action::Exchange(new))];
    kernel.machine.apply(&mut batch).unwrap();
    kernel.machine.edited(&batch);
    kernel.machine.flush();
    assert_eq!(Entry(batch[0].found.0 & !0x60), Entry(found.0 & !0x60));
    batch[0].found
}

#[test]
fn walks_end_at_large_global_pages_and_go_on_beside_them() {
    with_large_pages(|kernel, root| {
        for (page, level) in BESIDE.map(|(page, level)| (VirtAddr::new(page), level)) {
            let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
            let found = walk::find(apply, root, page, PageTableLevel::One);
            assert!(matches!(found, Err(NoEntry::Large(name, _)) if name.level() == level));
            assert_eq!(exchange(kernel, root, page, level, Entry::EMPTY), large());
            assert_eq!(exchange(kernel, root, page, level, large()), Entry::EMPTY);
        }
        let victim = kernel.frame_of(0, PAGE).unwrap();
        assert_eq!((kernel.evict(&[victim]).edited, kernel.model().take_violations()), (3, vec![]));
        (0..3).for_each(|space| kernel.touch(0, space, PAGE, None).unwrap());
        assert_eq!(
            (kernel.model().take_violations(), kernel.machine.world.happened.len()),
            (vec![], 0)
        );
    });
}

/// The table of a space's page makes room for a large global page, and comes back; meanwhile the same page of
/// other spaces is looked at.
#[test]
fn a_large_global_page_in_place_of_a_table_is_not_taken_for_that_of_another_space() {
    with_large_pages(|kernel, root| {
        let others = [1, 2].map(|space| kernel.machine.world.spaces[space].unwrap());
        let look = |kernel: &mut Tested<'_, '_, '_>, root| {
            let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
            walk::find(apply, root, page(PAGE), PageTableLevel::One).map(|(_, entry)| entry.frame())
        };
        for _ in 0..10 {
            let found = look(kernel, root);
            let table = exchange(kernel, root, page(PAGE), PageTableLevel::Two, large());
            assert!(matches!(look(kernel, root), Err(NoEntry::Large(..))));
            for other in others {
                assert_eq!(look(kernel, other), found, "{:?}", kernel.model().take_violations());
            }
            exchange(kernel, root, page(PAGE), PageTableLevel::Two, table);
        }
        assert_eq!(kernel.model().take_violations(), []);
    });
}

/// The methods that read tables through slots of the root.
const THROUGH_SLOTS: [&str; 5] =
    ["recursive", "space-switch", "root-array", "in-context", "root-view"];

/// Whether a method is led to the wrong frame where INVLPG leaves global translations: the table of a page makes room for
/// a large page, global or not, and comes back.
fn is_misled(method: &'static str, seed: u64, pge: bool, large: Entry) -> bool {
    with_kernel(&Setup { pcids: true, ..Setup::roomy(method, seed) }, |kernel| {
        kernel.model().set_global_pages(pge);
        kernel.model().break_invlpg();
        kernel.touch(0, 0, PAGE, Some(1)).unwrap();
        let root = kernel.machine.world.spaces[0].unwrap();
        let look = |kernel: &mut Tested<'_, '_, '_>| {
            let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
            let _ = walk::find(apply, root, page(PAGE), PageTableLevel::One);
        };
        for _ in 0..10 {
            look(kernel);
            let table = exchange(kernel, root, page(PAGE), PageTableLevel::Two, large);
            look(kernel);
            exchange(kernel, root, page(PAGE), PageTableLevel::Two, table);
            look(kernel);
        }
        kernel.model().has_violations()
    })
}

/// What the crate asks for on such CPUs is needed, and does: no CR4.PGE, or no large global pages in spaces. (The third
/// remedy, no PCIDs, is that INVLPG is right.)
#[test]
fn methods_through_slots_need_an_invlpg_that_drops_global_translations() {
    let not_global = Entry(large().0 & !GLOBAL);
    for method in methods() {
        let caught =
            |pge, large| (0..SEEDS).filter(|seed| is_misled(method, *seed, pge, large)).count();
        let misled = caught(true, large());
        println!(
            "{method} where INVLPG leaves global translations: caught with {misled} of {SEEDS} seeds"
        );
        assert_eq!(
            misled > 0,
            THROUGH_SLOTS.iter().any(|name| method.starts_with(name)),
            "{method}"
        );
        assert_eq!((caught(false, large()), caught(true, not_global)), (0, 0), "{method}");
    }
}

/// A walk that goes down wherever an entry is present, as if there were no large pages.
fn reckless(
    kernel: &mut Tested<'_, '_, '_>,
    root: PhysFrame,
    page: VirtAddr,
) -> Result<(), Stopped> {
    let mut name = walk::top(root, page);
    loop {
        let mut operation = Operation::new(name, Action::Load);
        kernel.machine.apply(core::slice::from_mut(&mut operation))?;
        let Some((table, level)) = operation.found.frame().zip(name.level().next_lower_level())
        else {
            return Ok(());
        };
        name = name.in_table(table, level);
    }
}

#[test]
fn a_walk_that_goes_down_through_a_large_page_is_caught() {
    with_large_pages(|kernel, root| {
        assert_eq!(reckless(kernel, root, page(PAGE)), Ok(()));
        assert_eq!(kernel.model().take_violations(), []);
        for (page, _) in BESIDE {
            // The stub refuses; elsewhere the model sees an access to what is no table or not mapped.
            let refused = reckless(kernel, root, VirtAddr::new(page)).is_err();
            assert!(refused || !kernel.model().take_violations().is_empty());
        }
    });
}
