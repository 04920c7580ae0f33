//! What happens at the same time on several CPUs.

use crate::machine::Cpu;

/// What one CPU does; then it idles.
type Script = fn(&mut Cpu<'_>);

/// What happens on which CPU.
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What each CPU does.
    pub scripts: &'static [Script],
    /// PCIDs for spaces on each CPU.
    pub pcids: usize,
    /// Pages of a space that are forgotten one by one.
    pub most: usize,
    /// How often at most a CPU is stopped that could have gone on.
    pub preemptions: usize,
}

/// All of them.
pub const ALL: &[&Scene] = &[
    &EDIT_AND_LOAD,
    &WITHOUT_PCIDS,
    &FROM_ONE_TO_THE_NEXT,
    &TWO_EDIT,
    &TWO_EDIT_AND_FORGET_ALL,
    &BOTH_USE_WHAT_BOTH_EDIT,
    &MORE_PAGES_THAN_ROOM,
    &THREE,
];

fn evict(cpu: &mut Cpu<'_>) {
    cpu.evict(0, 0);
}

fn come_and_go(cpu: &mut Cpu<'_>) {
    cpu.load(0);
    cpu.answer();
    cpu.load_kernel();
    cpu.load(0);
}

/// A CPU takes a page away while another comes to use it, idles, and comes again.
pub const EDIT_AND_LOAD: Scene = Scene {
    name: "edit and load",
    scripts: &[evict, come_and_go],
    pcids: 2,
    most: 4,
    preemptions: 3,
};

/// The same without PCIDs.
pub const WITHOUT_PCIDS: Scene = Scene { name: "without PCIDs", pcids: 0, ..EDIT_AND_LOAD };

/// A CPU changes from one space to another while a page of the first is taken away.
pub const FROM_ONE_TO_THE_NEXT: Scene = Scene {
    name: "from one to the next",
    scripts: &[evict, |cpu| {
        cpu.load(0);
        cpu.load(1);
    }],
    pcids: 2,
    most: 4,
    preemptions: 3,
};

fn evict_and_come_again(cpu: &mut Cpu<'_>) {
    cpu.load(0);
    cpu.evict(0, 0);
    cpu.load_kernel();
    cpu.load(0);
    cpu.touch(1);
}

/// Two CPUs take two pages away at the same time; one of them goes on to use the space.
pub const TWO_EDIT: Scene = Scene {
    name: "two edit",
    scripts: &[
        |cpu| cpu.evict(0, 1),
        |cpu| {
            cpu.load(0);
            cpu.touch(1);
            evict_and_come_again(cpu);
        },
    ],
    pcids: 2,
    most: 4,
    preemptions: 3,
};

/// The same, forgetting everything.
pub const TWO_EDIT_AND_FORGET_ALL: Scene =
    Scene { name: "two edit and forget all", most: 0, ..TWO_EDIT };

/// Two CPUs use the same space, and each takes a page away.
pub const BOTH_USE_WHAT_BOTH_EDIT: Scene = Scene {
    name: "both use what both edit",
    scripts: &[
        |cpu| {
            cpu.load(0);
            cpu.touch(1);
            cpu.evict(0, 0);
        },
        |cpu| {
            cpu.load(0);
            cpu.evict(0, 1);
        },
    ],
    pcids: 2,
    most: 4,
    preemptions: 2,
};

/// One round for more pages than a request has room for.
pub const MORE_PAGES_THAN_ROOM: Scene = Scene {
    name: "more pages than room",
    scripts: &[
        |cpu| {
            [0, 1, 0].into_iter().for_each(|page| cpu.edit(0, page));
            cpu.flush();
            [0, 1].into_iter().for_each(|page| cpu.reuse(0, page));
        },
        |cpu| {
            cpu.load(0);
            cpu.touch(1);
        },
    ],
    pcids: 2,
    most: 4,
    preemptions: 3,
};

/// Two CPUs take pages away that a third is using.
pub const THREE: Scene = Scene {
    name: "three",
    scripts: &[
        evict,
        |cpu| cpu.evict(0, 1),
        |cpu| {
            cpu.load(0);
            cpu.touch(1);
            cpu.answer();
        },
    ],
    pcids: 2,
    most: 4,
    preemptions: 1,
};
