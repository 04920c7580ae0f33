//! The stub's own views, and the methods that go through them.
#![cfg(not(any(miri, feature = "broken-skip-flush", feature = "broken-free-before-flush")))]
#![expect(unsafe_code, reason = "calls the stub of the model; no address here is a real one")]

use foreign_access::cpu::Showing;
use foreign_access::{Action, Cpu, Entry, Operation, Refusal, Stopped, walk};
use loadphys_abi::discovery::{GATE_VIEW, USUAL_VIEW};
use loadphys_abi::{Call, Status};
use loadphys_tests::kernel::{BOOT_ROOT, CPUS, SHARED, SPACES, alias_window, page, windows};
use loadphys_tests::model::{Model, ModelCpu, Violation};
use loadphys_tests::scenario::{Setup, Tested, with_kernel};
use page_reclaim::{Machine, tables};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

const PRIVATE_PAGE: usize = SHARED;
const SEEDS: u64 = 20;
/// The frame that is the gate, and one that is the kernel's and no table.
const GATE: u64 = 0;
/// The first of the views of roots, of which there are three.
const FIRST: u64 = 2;

fn call(model: &Model<'_>, call: Call, arguments: [u64; 2]) -> (Status, u64) {
    let [first, second] = arguments;
    // SAFETY: no address is a real one.
    let (status, answer) =
        unsafe { ModelCpu::new(model, 0).vmcall(call.number(), [first, second, 0]) };
    (Status::from_number(status).unwrap(), answer)
}

/// A kernel with spaces, each with a page of its own; CPU 0 has the last one loaded.
fn with_spaces(method: &'static str, seed: u64, work: impl FnOnce(&mut Tested<'_, '_, '_>)) {
    with_kernel(&Setup::roomy(method, seed), |kernel| {
        (0..SPACES).for_each(|space| kernel.touch(0, space, PRIVATE_PAGE, Some(1)).unwrap());
        assert_eq!(kernel.model().take_violations(), []);
        work(kernel);
    });
}

fn root(kernel: &Tested<'_, '_, '_>, space: usize) -> u64 {
    kernel.machine.world.spaces[space].unwrap().start_address().as_u64()
}

#[test]
fn views_are_refused_where_there_are_none() {
    with_spaces("alias", 1, |kernel| {
        let (model, roots) = (kernel.model(), [0, 1].map(|space| root(kernel, space)));
        assert_eq!(call(model, Call::SetGate, [GATE, 0]), (Status::NotOffered, 0));
        assert_eq!(call(model, Call::BindView, roots), (Status::NotOffered, 0));
        model.offer_views(1);
        assert_eq!(call(model, Call::BindView, roots), (Status::NotOffered, 0), "no gate yet");
        for (frame, status) in [
            (roots[0], Status::AlreadyATable),
            (1 << 40, Status::OutsideMemory),
            (GATE + 8, Status::Unaligned),
            (GATE, Status::Done),
        ] {
            assert_eq!(call(model, Call::SetGate, [frame, 0]), (status, 0), "{frame:#x}");
        }
    });
}

#[test]
fn what_cannot_be_the_gate_or_a_root_is_refused() {
    with_spaces("root-view", 1, |kernel| {
        let (model, root) = (kernel.model(), root(kernel, 0));
        let mut frames = (8..).map(|number| number << 12);
        let free = frames.find(|frame| !model.memory.is_table(frame_at(*frame))).unwrap();
        let gate = |frame| call(model, Call::SetGate, [frame, 0]).0;
        assert_eq!([free, root, GATE].map(gate), [Status::GateIsSet; 3]);
        let below = model.place(frame_at(root), page(PRIVATE_PAGE), 3).unwrap() & !0xfff;
        let bind = |own, root| call(model, Call::BindView, [own, root]).0;
        assert_eq!([bind(free, root), bind(root, free)], [Status::NotATable; 2]);
        assert_eq!([bind(below, root), bind(root, below)], [Status::WrongLevel; 2]);
        assert_eq!(bind(GATE, root), Status::OutsideMemory, "the gate is nobody's");
        assert_eq!(bind(root, 1 << 40), Status::OutsideMemory);
        assert_eq!(bind(root, root + 8), Status::Unaligned);
    });
}

#[test]
fn nothing_but_the_gate_is_executable_in_other_views_and_nobody_writes_to_it() {
    with_spaces("root-view", 1, |kernel| {
        let (model, home) = (kernel.model(), BOOT_ROOT.start_address().as_u64());
        model.load_root(0, BOOT_ROOT);
        let other = root(kernel, 0);
        let code = [GATE, 1 << 12].map(|frame| mapped(model, frame_at(other), frame));
        let (status, bound) = call(model, Call::BindView, [home, other]);
        assert_eq!(status, Status::Done);
        for (view, elsewhere) in
            [(USUAL_VIEW.into(), Some(())), (GATE_VIEW.into(), None), (bound, None)]
        {
            model.switch_view(0, view as usize);
            let fetched = code.map(|address| model.fetch(0, address, false));
            assert_eq!(fetched, [Some(()), elsewhere], "view {view}");
            assert_eq!(model.take_violations(), []);
            // SAFETY: no address is a real one.
            unsafe { ModelCpu::new(model, 0).exchange(code[0], Entry::EMPTY) };
            assert_eq!(model.take_violations(), [Violation::NotInView(GATE)], "view {view}");
        }
    });
}

fn frame_at(address: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(address))
}

/// Maps a page of the kernel's that may be written and executed, in the boot root and another, which share the tables below.
fn mapped(model: &Model<'_>, other: PhysFrame, frame: u64) -> VirtAddr {
    const NO_EXECUTE: u64 = 1 << 63;
    let address = windows().0 + 4096 * (100 + (frame >> 12));
    let word = |root, level| model.memory.word(model.place(root, address, level).unwrap()).unwrap();
    for (root, level) in [(BOOT_ROOT, 4), (other, 4), (other, 3), (other, 2)] {
        let upper = word(root, level);
        upper.set(upper.get() & !NO_EXECUTE);
    }
    let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
    word(other, 1).set(Entry::new(frame_at(frame), flags).0);
    address
}

/// Loads the leaf of a space's page; says whether it is the one in memory.
fn is_read(kernel: &mut Tested<'_, '_, '_>, space: usize) -> Result<bool, Stopped> {
    let root = kernel.machine.world.spaces[space].unwrap();
    let (name, _) = tables::find(&mut kernel.machine, root, page(PRIVATE_PAGE)).unwrap();
    let mut load = [Operation::new(name, Action::Load)];
    kernel.machine.apply(&mut load)?;
    Ok(kernel.leaf(space, PRIVATE_PAGE) == Some(untouched(load[0].found)))
}

fn untouched(entry: Entry) -> Entry {
    Entry(entry.0 & !Entry::TOUCHED)
}

/// Goes from space to space, more of them than there are views; a broken twin of the stub recycles without INVEPT.
fn recycles(seed: u64, is_broken: bool) -> bool {
    let mut right = true;
    with_spaces("root-view", seed, |kernel| {
        if is_broken {
            kernel.model().let_stub_forget_views();
        }
        for space in (0..SPACES - 1).cycle().take(8 * SPACES) {
            let root = kernel.machine.world.spaces[space].unwrap();
            let apply = |operations: &mut [Operation]| kernel.machine.apply(operations);
            let found = walk::find(apply, root, page(PRIVATE_PAGE), PageTableLevel::One);
            let found = found.ok().map(|(_, entry)| untouched(entry));
            right &= found == kernel.leaf(space, PRIVATE_PAGE);
        }
        assert!(kernel.model().recycled() > 0);
        right &= kernel.model().take_violations().is_empty();
    });
    right
}

#[test]
fn more_spaces_than_views_are_reached_in_turn() {
    (0..SEEDS).for_each(|seed| assert!(recycles(seed, false), "{seed}"));
}

#[test]
fn a_stub_that_recycles_without_invept_shows_another_space() {
    let caught = (0..SEEDS).filter(|seed| !recycles(*seed, true)).count();
    println!("views recycled without INVEPT: caught with {caught} of {SEEDS} seeds");
    assert!(caught > 0);
}

#[test]
fn a_view_of_a_released_root_is_entered_by_nobody() {
    with_spaces("root-view", 1, |kernel| {
        assert_eq!(is_read(kernel, 0), Ok(true));
        let (model, own) = (kernel.model(), root(kernel, SPACES - 1));
        let (_, view) = call(model, Call::BindView, [own, root(kernel, 0)]);
        kernel.exit(0).unwrap();
        assert_eq!(model.take_violations(), [], "the method does not go there");
        let nothing = &mut [Operation::new(walk::top(BOOT_ROOT, VirtAddr::zero()), Action::Load)];
        let showing = Showing::At(VirtAddr::zero());
        let cpu = ModelCpu::new(model, 0);
        cpu.mask_interrupts();
        // SAFETY: no address is a real one.
        unsafe { cpu.through_view(view as u32, showing, nothing) };
        assert!(model.take_violations().contains(&Violation::NoView(view as u32)), "{view}");
        assert!((FIRST..FIRST + 3).contains(&view));
    });
}

#[test]
fn a_foreign_root_that_the_stub_does_not_know_is_refused() {
    with_spaces("root-view", 1, |kernel| {
        let unknown = kernel.machine.world.spaces[0].unwrap();
        kernel.machine.release(unknown).unwrap();
        let refusal = Refusal::Stub(Status::NotATable.number());
        let name = walk::top(unknown, page(PRIVATE_PAGE));
        let mut batch = [Operation::new(name, Action::Load)];
        assert_eq!(kernel.machine.apply(&mut batch), Err(Stopped { done: 0, refusal }));
        assert!(!kernel.model().is_masked(0), "interrupts are on again");
    });
}

/// A table of a space is used through the gate on every CPU, then the space ends: its alias is gone in the gate's view
/// too, unless a broken twin of the stub forgets to flush.
fn after_the_release(seed: u64, forgets: bool) -> bool {
    let mut gone = true;
    with_spaces("gate", seed, |kernel| {
        let model = kernel.model();
        if forgets {
            model.let_stub_forget_flushes();
        }
        let root = kernel.machine.world.spaces[0].unwrap();
        let at = model.place(root, page(PRIVATE_PAGE), 1).unwrap();
        let alias = alias_window() + at;
        let look = |cpu| {
            model.switch_view(cpu, GATE_VIEW as usize);
            let found = model.kernel_load(cpu, alias);
            model.switch_view(cpu, USUAL_VIEW as usize);
            found
        };
        assert!((0..CPUS).all(|cpu| look(cpu).is_some()));
        kernel.exit(0).unwrap();
        assert_eq!(model.take_violations(), []);
        gone = (0..CPUS).all(|cpu| look(cpu).is_none());
    });
    gone
}

#[test]
fn a_released_table_is_not_in_the_gates_view_on_any_cpu() {
    assert!((0..SEEDS).all(|seed| after_the_release(seed, false)));
    let caught = (0..SEEDS).filter(|seed| !after_the_release(*seed, true)).count();
    println!("a stub without INVEPT of the gate's view: caught with {caught} of {SEEDS} seeds");
    assert!(caught > 0);
}
