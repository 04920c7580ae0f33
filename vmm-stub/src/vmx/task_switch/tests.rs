use std::cell::RefCell;

use super::{
    CS, ESP, Entered, Exception, LDTR, Memory, Mode, NESTED_TASK, Paging, Request, SS, Segment,
    Source, State, TR, UNUSABLE, VIRTUAL_8086, switch,
};

/// Where things lie.
const GDT: u32 = 0x1000;
const OLD: u32 = 0x2000;
const NEW: u32 = 0x3000;
const SMALL: u32 = 0x3800;
const LOCAL: u32 = 0x4000;
const STACK: u32 = 0x5000;

/// Selectors.
const CODE: u16 = 0x08;
const DATA: u16 = 0x10;
const OLD_TSS: u16 = 0x18;
const NEW_TSS: u16 = 0x20;
const SMALL_TSS: u16 = 0x28;
const LDT: u16 = 0x30;
const ABSENT: u16 = 0x38;
const USER_DATA: u16 = 0x40;
const LAST: u16 = USER_DATA;

const CODE_DESCRIPTOR: u64 = 0x00cf_9a00_0000_ffff;
const DATA_DESCRIPTOR: u64 = 0x00cf_9200_0000_ffff;

const fn tss(base: u32, kind: u64, limit: u64) -> u64 {
    limit | (base as u64) << 16 | kind << 40
}

/// 64 KiB of memory from address 0; one page cannot be stored to.
struct Ram {
    words: RefCell<Vec<u64>>,
    constant: Option<u64>,
}

impl Memory for Ram {
    fn load(&self, at: u64) -> Option<u64> {
        assert_eq!(at % 8, 0);
        self.words.borrow().get(at as usize / 8).copied()
    }

    fn replace(&self, at: u64, mask: u64, bits: u64) -> Option<()> {
        assert_eq!((at % 8, bits & !mask), (0, 0));
        if self.constant.is_some_and(|page| at >> 12 == page >> 12) {
            return None;
        }
        let mut words = self.words.borrow_mut();
        let word = words.get_mut(at as usize / 8)?;
        *word = *word & !mask | bits;
        Some(())
    }
}

impl Ram {
    fn new() -> Self {
        let ram = Self { words: RefCell::new(vec![0; 0x2000]), constant: None };
        let descriptors = [
            (CODE, CODE_DESCRIPTOR),
            (DATA, DATA_DESCRIPTOR),
            (OLD_TSS, tss(OLD, 0x8b, 0x67)),
            (NEW_TSS, tss(NEW, 0x89, 0x67)),
            (SMALL_TSS, tss(SMALL, 0x81, 0x2b)),
            (LDT, tss(LOCAL, 0x82, 0xf)),
            (ABSENT, DATA_DESCRIPTOR & !(1 << 47)),
            (USER_DATA, DATA_DESCRIPTOR | 3 << 45),
        ];
        for (selector, descriptor) in descriptors {
            ram.put(GDT + u32::from(selector), 8, descriptor);
        }
        ram.put(NEW + 0x1c, 4, 0x9000);
        ram.put(NEW + 0x20, 4, 0x1234_5678);
        ram.put(NEW + 0x24, 4, 0x202);
        for register in 0..8 {
            ram.put(NEW + 0x28 + 4 * register, 4, u64::from(0x0a00_0000 + register));
        }
        ram.put(NEW + 0x28 + 4 * 4, 4, u64::from(STACK));
        for (place, selector) in [DATA, CODE, DATA, DATA, 0, DATA].into_iter().enumerate() {
            ram.put(NEW + 0x48 + 4 * place as u32, 4, u64::from(selector));
        }
        ram
    }

    /// Bytes one by one, wherever they lie.
    fn put(&self, at: u32, bytes: u32, value: u64) {
        for i in 0..bytes {
            let shift = 8 * ((at + i) % 8);
            let byte = value >> (8 * i) & 0xff;
            self.replace(u64::from((at + i) & !7), 0xff << shift, byte << shift).unwrap();
        }
    }

    fn get(&self, at: u32, bytes: u32) -> u64 {
        let byte = |at: u32| self.words.borrow()[at as usize / 8] >> (8 * (at % 8)) & 0xff;
        (0..bytes).map(|i| byte(at + i) << (8 * i)).sum()
    }

    fn is_busy(&self, selector: u16) -> bool {
        self.get(GDT + u32::from(selector) + 5, 1) & 2 != 0
    }
}

fn flat(selector: u16, rights: u64) -> Segment {
    Segment { selector: u64::from(selector), base: 0, limit: 0xffff_ffff, rights }
}

/// The old task, without paging.
fn old() -> State {
    let (data, code) = (flat(DATA, 0xc093), flat(CODE, 0xc09b));
    let ldt = Segment { rights: UNUSABLE, ..flat(0, 0) };
    let task =
        Segment { selector: u64::from(OLD_TSS), base: u64::from(OLD), limit: 0x67, rights: 0x8b };
    State {
        registers: core::array::from_fn(|i| 0xe000_0000 + i as u32),
        eip: 0x40_0005,
        eflags: 0x4246,
        segments: [data, code, data, data, data, data, ldt, task],
        paging: Paging { mode: Mode::Off, root: 0, write_protect: true },
        gdt: (GDT, u32::from(LAST) + 7),
    }
}

const fn request(source: Source) -> Request {
    Request { selector: NEW_TSS, source, error: None, external: false }
}

fn enter(request: Request, old: &State, ram: &Ram) -> (State, Option<Exception>, bool) {
    let Entered { state, exception, trap } = switch(request, old, ram).unwrap();
    (state, exception, trap)
}

fn entered(request: Request, old: &State, ram: &Ram) -> State {
    let (state, exception, _) = enter(request, old, ram);
    assert_eq!(exception, None);
    state
}

/// An exception of the new task.
fn spoilt(ram: &Ram) -> Exception {
    enter(request(Source::Jump), &old(), ram).1.expect("an exception")
}

#[test]
fn a_jump_saves_one_task_and_loads_the_other() {
    let ram = Ram::new();
    let state = entered(request(Source::Jump), &old(), &ram);
    assert_eq!((state.eip, state.eflags), (0x1234_5678, 0x202));
    assert_eq!(
        (state.registers[0], state.registers[ESP], state.registers[7]),
        (0x0a00_0000, STACK, 0x0a00_0007)
    );
    assert_eq!(state.segments[CS], flat(CODE, 0xc09b));
    assert_eq!(state.segments[SS], flat(DATA, 0xc093));
    assert_eq!(state.segments[4], Segment { limit: 0, ..flat(0, UNUSABLE) });
    let task =
        Segment { selector: u64::from(NEW_TSS), base: u64::from(NEW), limit: 0x67, rights: 0x8b };
    assert_eq!(state.segments[TR], task);
    assert_eq!((ram.get(OLD + 0x20, 4), ram.get(OLD + 0x24, 4)), (0x40_0005, 0x4246));
    assert_eq!((ram.get(OLD + 0x28, 4), ram.get(OLD + 0x44, 4)), (0xe000_0000, 0xe000_0007));
    assert_eq!(
        (ram.get(OLD + 0x4c, 2), ram.get(OLD + 0x5c, 2)),
        (u64::from(CODE), u64::from(DATA))
    );
    assert_eq!((ram.get(OLD, 0x4), ram.get(OLD + 0x5e, 4), ram.get(NEW, 2)), (0, 0, 0));
    assert!(!ram.is_busy(OLD_TSS) && ram.is_busy(NEW_TSS));
}

#[test]
fn loaded_segments_are_touched() {
    let ram = Ram::new();
    assert_eq!(ram.get(GDT + u32::from(CODE) + 5, 1), 0x9a);
    entered(request(Source::Jump), &old(), &ram);
    assert_eq!(ram.get(GDT + u32::from(CODE) + 5, 1), 0x9b);
    assert_eq!(ram.get(GDT + u32::from(DATA) + 5, 1), 0x93);
}

#[test]
fn calls_and_gates_link_the_tasks() {
    for source in [Source::Call, Source::Gate] {
        let ram = Ram::new();
        let state = entered(request(source), &old(), &ram);
        assert_eq!(state.eflags, 0x202 | NESTED_TASK);
        assert_eq!(ram.get(NEW, 2), u64::from(OLD_TSS));
        assert!(ram.is_busy(OLD_TSS) && ram.is_busy(NEW_TSS));
    }
}

#[test]
fn an_iret_goes_back_for_good() {
    let ram = Ram::new();
    ram.put(GDT + u32::from(NEW_TSS), 8, tss(NEW, 0x8b, 0x67));
    ram.put(NEW + 0x24, 4, 0x4202);
    let state = entered(request(Source::Iret), &old(), &ram);
    assert_eq!((state.eflags, ram.get(OLD + 0x24, 4)), (0x4202, 0x246));
    assert!(!ram.is_busy(OLD_TSS) && ram.is_busy(NEW_TSS));
    assert_eq!(ram.get(NEW, 2), 0);
}

#[test]
fn a_task_of_16_bits_has_halves() {
    let ram = Ram::new();
    for (place, value) in [0x1111, 0x0202, 0x2222].into_iter().enumerate() {
        ram.put(SMALL + 14 + 2 * place as u32, 2, value);
    }
    for (place, selector) in [DATA, CODE, DATA, DATA].into_iter().enumerate() {
        ram.put(SMALL + 34 + 2 * place as u32, 2, u64::from(selector));
    }
    let to = Request { selector: SMALL_TSS, ..request(Source::Call) };
    let small = entered(to, &old(), &ram);
    assert_eq!((small.eip, small.eflags, small.registers[0]), (0x1111, 0x4202, 0xffff_2222));
    assert_eq!((small.segments[4].rights, small.segments[5].selector), (UNUSABLE, 0));
    assert_eq!((small.segments[TR].rights, ram.get(SMALL, 2)), (0x83, u64::from(OLD_TSS)));
    // And on to one of 32 bits: halves are saved.
    let mut small = small;
    small.registers = core::array::from_fn(|i| 0x7777_8000 + i as u32);
    entered(request(Source::Jump), &small, &ram);
    assert_eq!((ram.get(SMALL + 18, 2), ram.get(SMALL + 32, 2)), (0x8000, 0x8007));
    assert_eq!((ram.get(SMALL + 40, 2), ram.get(SMALL + 42, 2)), (u64::from(DATA), 0));
}

#[test]
fn an_error_code_goes_to_the_new_stack() {
    let ram = Ram::new();
    let with = Request { error: Some(0xabc), external: true, ..request(Source::Gate) };
    let state = entered(with, &old(), &ram);
    assert_eq!((state.registers[ESP], ram.get(STACK - 4, 4)), (STACK - 4, 0xabc));
    // A small stack of 16 bits ends above where it would go.
    ram.put(GDT + u32::from(DATA), 8, 0x0000_9300_0000_0002);
    ram.put(GDT + u32::from(NEW_TSS), 8, tss(NEW, 0x89, 0x67));
    let (state, exception, _) = enter(with, &old(), &ram);
    assert_eq!(exception, Some(Exception { vector: 12, error: 1, address: None }));
    assert_eq!(state.registers[ESP], STACK);
}

#[test]
fn segments_that_cannot_be_loaded_are_the_new_tasks_exceptions() {
    for (place, selector, vector) in [
        (1, 0, 10),
        (1, DATA, 10),
        (1, CODE | 3, 10),
        (1, LAST + 8, 10),
        (2, 0, 10),
        (2, CODE, 10),
        (2, USER_DATA, 10),
        (2, DATA | 1, 10),
        (2, ABSENT, 12),
        (0, OLD_TSS, 10),
        (3, ABSENT, 11),
        (4, DATA | 3, 10),
        (5, 4, 10),
    ] {
        let ram = Ram::new();
        ram.put(NEW + 0x48 + 4 * place, 2, u64::from(selector));
        let wanted = Exception { vector, error: u32::from(selector & !3), address: None };
        assert_eq!(spoilt(&ram), wanted, "segment {place}: {selector:#x}");
        assert!(ram.is_busy(NEW_TSS), "it is the new task that has it");
    }
}

#[test]
fn an_ldt_is_loaded_first_and_used() {
    let ram = Ram::new();
    ram.put(NEW + 0x60, 2, u64::from(LDT));
    ram.put(LOCAL + 8, 8, DATA_DESCRIPTOR | 0x1234 << 16);
    ram.put(NEW + 0x54, 2, 0xc);
    let state = entered(request(Source::Jump), &old(), &ram);
    assert_eq!((state.segments[LDTR].base, state.segments[LDTR].rights), (u64::from(LOCAL), 0x82));
    assert_eq!((state.segments[3].base, state.segments[3].selector), (0x1234, 0xc));
    for bad in [DATA, LDT | 4, LAST + 8] {
        let ram = Ram::new();
        ram.put(NEW + 0x60, 2, u64::from(bad));
        assert_eq!(spoilt(&ram).vector, 10, "{bad:#x}");
    }
}

#[test]
fn segments_of_virtual_8086_mode_are_paragraphs() {
    let ram = Ram::new();
    ram.put(NEW + 0x24, 4, u64::from(VIRTUAL_8086 | 2));
    ram.put(NEW + 0x20, 4, 0x100);
    let state = entered(request(Source::Jump), &old(), &ram);
    let wanted = Segment { selector: u64::from(CODE), base: 0x80, limit: 0xffff, rights: 0xf3 };
    assert_eq!(state.segments[CS], wanted);
}

#[test]
fn code_has_to_be_inside_its_segment() {
    let ram = Ram::new();
    ram.put(GDT + u32::from(CODE), 8, 0x0040_9a00_0000_ffff);
    assert_eq!(spoilt(&ram), Exception { vector: 13, error: 0, address: None });
}

#[test]
fn a_task_may_ask_for_a_debug_exception() {
    let ram = Ram::new();
    assert!(!enter(request(Source::Jump), &old(), &ram).2);
    let ram = Ram::new();
    ram.put(NEW + 0x64, 2, 1);
    assert!(enter(request(Source::Jump), &old(), &ram).2);
}

/// Tables of 32-bit paging at 0x8000 that map the first pages at their own addresses, and others at 0x9000.
fn with_tables(ram: &Ram, absent: u32) -> State {
    for (root, table) in [(0x8000, 0xa000), (0x9000, 0xb000)] {
        ram.put(root, 4, u64::from(table) | 3);
        for page in 0..16 {
            let entry = if page << 12 == absent { 0 } else { page << 12 | 3 };
            ram.put(table + 4 * page, 4, u64::from(entry));
        }
    }
    let paging = Paging { mode: Mode::Bits32 { large: false }, root: 0x8000, write_protect: true };
    State { paging, ..old() }
}

#[test]
fn cr3_is_loaded_where_there_is_paging() {
    let ram = Ram::new();
    assert_eq!(entered(request(Source::Jump), &old(), &ram).paging.root, 0);
    let ram = Ram::new();
    let state = entered(request(Source::Jump), &with_tables(&ram, 0xf000), &ram);
    assert_eq!(state.paging.root, 0x9000);
    // Segments are loaded by the new tables: here they lead to no GDT.
    let ram = Ram::new();
    let old = with_tables(&ram, 0xf000);
    ram.put(0xb000 + 4, 4, 0);
    let (_, exception, _) = enter(request(Source::Jump), &old, &ram);
    let wanted = Exception { vector: 14, error: 0, address: Some(GDT + u32::from(CODE)) };
    assert_eq!(exception, Some(wanted));
}

#[test]
fn pointers_are_loaded_with_pae_and_refused_if_bad() {
    for (pointer, wanted) in [(0xa001, None), (0xa003, Some(10))] {
        let ram = Ram::new();
        ram.put(0x9000, 8, pointer);
        ram.put(0xa000, 8, 0x83);
        let paging = Paging { mode: Mode::Pae([0xa001, 0, 0, 0]), root: 0, write_protect: true };
        let (state, exception, _) = enter(request(Source::Jump), &State { paging, ..old() }, &ram);
        assert_eq!(exception.map(|it| it.vector), wanted);
        assert!(wanted.is_some() || state.paging.mode == Mode::Pae([0xa001, 0, 0, 0]));
    }
}

#[test]
fn what_cannot_be_reached_is_the_old_tasks_exception_and_changes_nothing() {
    let refused = |absent, constant| {
        let mut ram = Ram::new();
        let old = with_tables(&ram, absent);
        ram.constant = constant;
        let before = ram.words.borrow().clone();
        let exception = switch(request(Source::Call), &old, &ram).unwrap_err();
        let same =
            |(i, (a, b)): (usize, (&u64, &u64))| a == b || (0x8000..0xc000).contains(&(8 * i));
        assert!(
            before.iter().zip(&*ram.words.borrow()).enumerate().all(same),
            "all but the tables"
        );
        exception
    };
    let fault = |error, address| Exception { vector: 14, error, address: Some(address) };
    assert_eq!(refused(NEW, None), fault(0, NEW));
    assert_eq!(refused(OLD, None), fault(2, OLD + 0x20));
    assert_eq!(refused(GDT, None), fault(0, GDT + u32::from(NEW_TSS)));
    // What the guest may not store to.
    for constant in [OLD, NEW, GDT] {
        assert_eq!(refused(0xf000, Some(constant.into())), Exception::general_protection());
    }
}

#[test]
fn a_task_that_crosses_a_page_is_reached_on_both() {
    let ram = Ram::new();
    let base = NEW + 0xfd0;
    ram.put(GDT + u32::from(NEW_TSS), 8, tss(base, 0x89, 0x67));
    let old = with_tables(&ram, 0x4000);
    let exception = switch(request(Source::Jump), &old, &ram).unwrap_err();
    assert_eq!(exception.address, Some(base + 0x67));
}

#[test]
fn tasks_that_are_too_short_are_refused() {
    let ram = Ram::new();
    ram.put(GDT + u32::from(NEW_TSS), 8, tss(NEW, 0x89, 0x66));
    let exception = switch(request(Source::Jump), &old(), &ram).unwrap_err();
    assert_eq!(exception, Exception { vector: 10, error: u32::from(NEW_TSS), address: None });
    let mut short = old();
    short.segments[TR].limit = 0x5c;
    let external = Request { external: true, ..request(Source::Gate) };
    let exception = switch(external, &short, &Ram::new()).unwrap_err();
    assert_eq!(exception, Exception { vector: 10, error: u32::from(OLD_TSS) | 1, address: None });
}
