//! Views: what a CPU reaches depends on the view it is in, and on what it remembers of it.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use foreign_access::Entry;
use loadphys_abi::discovery::GATE_VIEW;
use loadphys_tests::kernel::{BOOT_ROOT, CPUS, SHARED, alias_window, page, windows};
use loadphys_tests::model::{ALIAS_BASE, Model, Rights, Violation};
use loadphys_tests::scenario::{Setup, Tested, with_kernel};
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

const PRIVATE_PAGE: usize = SHARED;
const SEEDS: u64 = 20;
/// How often each view is entered, so that whatever can be cached is.
const TIMES: usize = 50;

/// A kernel for each seed. With calls, tables are registered, but nothing goes through the alias.
fn with_seeds(method: &'static str, work: impl Fn(&mut Tested<'_, '_, '_>)) {
    (0..SEEDS).for_each(|seed| with_kernel(&Setup::roomy(method, seed), &work));
}

/// The bit of an entry that forbids fetching.
const NO_EXECUTE: u64 = 1 << 63;

/// The leaf of a space's private page: where it is, guest-physical.
fn leaf(kernel: &Tested<'_, '_, '_>, space: usize) -> u64 {
    let root = kernel.machine.world.spaces[space].unwrap();
    kernel.model().place(root, page(PRIVATE_PAGE), 1).unwrap()
}

fn frame(address: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(address))
}

#[test]
fn an_alias_in_one_view_is_not_in_another() {
    with_seeds("gate", |kernel| {
        let (model, inside) = (kernel.model(), GATE_VIEW as usize);
        kernel.touch(0, 0, PRIVATE_PAGE, Some(1)).unwrap();
        let at = leaf(kernel, 0);
        let entry = model.memory.word(at).unwrap().get();
        for _ in 0..TIMES {
            assert_eq!(model.kernel_load(0, alias_window() + at), None);
            assert_eq!(model.take_violations(), [Violation::NotInView(ALIAS_BASE + at)]);
            model.switch_view(0, inside);
            assert_eq!(model.kernel_load(0, alias_window() + at), Some(entry));
            assert_eq!(model.kernel_load(1, alias_window() + at), None);
            assert_eq!(model.take_violations(), [Violation::NotInView(ALIAS_BASE + at)]);
            model.switch_view(0, 0);
        }
    });
}

#[test]
fn the_method_alias_works_in_the_view_that_has_it_and_nowhere_else() {
    with_seeds("alias", |kernel| {
        let model = kernel.model();
        let inside = model.add_view();
        model.set_alias_views(&[inside]);
        (0..CPUS).for_each(|cpu| model.switch_view(cpu, inside));
        (0..4).for_each(|space| kernel.touch(space % CPUS, space, 0, Some(1)).unwrap());
        assert_eq!(kernel.evict(&[kernel.frame_of(0, 0).unwrap()]).evicted, 1);
        (0..4).for_each(|space| kernel.touch(space % CPUS, space, 0, None).unwrap());
        assert_eq!((model.take_violations(), &*kernel.machine.world.happened), (vec![], &[][..]));
        (0..CPUS).for_each(|cpu| model.switch_view(cpu, 0));
        kernel.audit().unwrap_err();
        assert!(matches!(model.take_violations()[0], Violation::NotInView(ALIAS_BASE..)));
    });
}

/// Maps two pages of the kernel's that may be executed: of frame 0, and of the boot root.
fn with_code(model: &Model<'_>) -> [VirtAddr; 2] {
    [0, 1].map(|number| {
        let address = windows().0 + 4096 * (100 + number);
        let word =
            |level| model.memory.word(model.place(BOOT_ROOT, address, level).unwrap()).unwrap();
        (2..=4).map(word).for_each(|upper| upper.set(upper.get() & !NO_EXECUTE));
        let entry = Entry::new(frame(4096 * number), PageTableFlags::PRESENT);
        word(1).set(entry.0);
        address
    })
}

#[test]
fn only_the_gate_is_executable_in_its_view() {
    with_seeds("hypercall", |kernel| {
        let model = kernel.model();
        let [gate, elsewhere] = with_code(model);
        let inside = model.add_view();
        model.set_nested(inside, BOOT_ROOT, Some((BOOT_ROOT, Rights::DATA)));
        for _ in 0..TIMES {
            for (view, expected) in [(0, Some(())), (inside, None)] {
                model.switch_view(0, view);
                assert_eq!(model.fetch(0, gate, false), Some(()));
                assert_eq!(model.fetch(0, elsewhere, false), expected);
                assert!(model.kernel_load(0, elsewhere).is_some());
            }
        }
        assert_eq!(model.take_violations(), []);
    });
}

#[test]
fn a_view_of_our_root_as_another_changes_the_tables_without_a_write_of_cr3() {
    with_seeds("direct-map", |kernel| {
        let model = kernel.model();
        // Space 0 comes last: it stays loaded.
        let roots = [2, 1, 0].map(|space| {
            kernel.touch(0, space, PRIVATE_PAGE, Some(10 + space as u64)).unwrap();
            kernel.machine.world.spaces[space].unwrap()
        });
        let [second, first, ours] = roots;
        let views = [first, second].map(|other| {
            let view = model.add_view();
            model.set_nested(view, ours, Some((other, Rights::ALL)));
            view
        });
        for (view, expected) in [(0, 10), (views[0], 11), (views[1], 12)].repeat(TIMES) {
            model.switch_view(0, view);
            assert_eq!(model.root(0), ours);
            assert_eq!(model.user_load(0, page(PRIVATE_PAGE) + 40), Some(expected));
        }
        assert_eq!(model.take_violations(), []);
    });
}

/// A table is used through the alias on every CPU, then its space ends; what comes of it when the alias is used
/// once more.
fn after_the_release(seed: u64, forgets: bool) -> Vec<Violation> {
    with_kernel(&Setup::roomy("alias", seed), |kernel| {
        let model = kernel.model();
        if forgets {
            model.let_stub_forget_flushes();
        }
        kernel.touch(0, 0, PRIVATE_PAGE, Some(1)).unwrap();
        let at = leaf(kernel, 0);
        for cpu in 0..CPUS {
            assert!(model.kernel_load(cpu, alias_window() + at).is_some());
        }
        kernel.exit(0).unwrap();
        assert_eq!(model.take_violations(), []);
        for cpu in 0..CPUS {
            model.kernel_load(cpu, alias_window() + at);
        }
        model.take_violations()
    })
}

#[test]
fn a_released_table_is_in_no_alias_on_any_cpu() {
    let gone = |violation: &Violation| matches!(violation, Violation::NotInView(_));
    for seed in 0..SEEDS {
        let found = after_the_release(seed, false);
        assert!(found.len() == CPUS && found.iter().all(gone), "{found:?}");
    }
}

#[test]
fn a_stub_that_forgets_invept_lets_a_cpu_reach_a_freed_frame() {
    let freed = |violation: &Violation| matches!(violation, Violation::FreedFrame(..));
    let caught = |seed: &u64| after_the_release(*seed, true).iter().any(freed);
    let caught = (0..SEEDS).filter(caught).count();
    println!("a stub without INVEPT: caught with {caught} of {SEEDS} seeds");
    assert!(caught > 0);
}

/// A frame of memory leads elsewhere in view 0, after the CPU has used it; whether the CPU then still goes where
/// it led before.
fn is_stale(seed: u64, flush: impl Fn(&Model<'_>, VirtAddr)) -> bool {
    with_kernel(&Setup::roomy("direct-map", seed), |kernel| {
        let model = kernel.model();
        let [at, _] = with_code(model);
        let (here, there) = (frame(0), BOOT_ROOT);
        let load = || (0..4).for_each(|_| assert!(model.kernel_load(0, at).is_some()));
        model.set_nested(0, here, Some((here, Rights::ALL)));
        load();
        model.set_nested(0, here, Some((there, Rights::ALL)));
        flush(model, at);
        load();
        model.take_violations().contains(&Violation::StaleKernelAddress(at))
    })
}

#[test]
fn what_is_remembered_of_a_view_stays_until_invept() {
    let stale =
        |flush: &dyn Fn(&Model<'_>, VirtAddr)| (0..SEEDS).filter(|s| is_stale(*s, flush)).count();
    assert!(stale(&|_, _| {}) > 0);
    assert!(stale(&|model, at| model.invlpg(0, at)) > 0);
    assert!(stale(&|model, _| model.load_root(0, BOOT_ROOT)) > 0);
    assert!(stale(&|model, _| model.invept(1, 0)) > 0, "another CPU's");
    assert_eq!(stale(&|model, _| model.invept(0, 0)), 0);
}

#[test]
fn tables_that_are_read_only_in_a_view_stop_the_walker_when_it_sets_accessed() {
    with_seeds("direct-map", |kernel| {
        let model = kernel.model();
        kernel.touch(0, 0, PRIVATE_PAGE, Some(1)).unwrap();
        let (at, address) = (leaf(kernel, 0), page(PRIVATE_PAGE));
        let word = model.memory.word(at).unwrap();
        let view = model.add_view();
        let rights = Rights { write: false, ..Rights::DATA };
        model.set_nested(view, frame(at), Some((frame(at), rights)));
        model.switch_view(0, view);
        assert_eq!(model.user_load(0, address + 40), Some(1), "its bits are set");
        word.set(word.get() & !0x60);
        model.invlpg(0, address);
        assert_eq!(model.user_load(0, address + 40), None);
        assert_eq!(model.take_violations(), [Violation::NotInView(at)]);
    });
}
