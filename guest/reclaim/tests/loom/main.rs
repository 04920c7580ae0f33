//! The shootdown protocol in every order in which its steps can happen, and broken twins for which one of them is wrong.
//!
//! Run by `cargo xtask test`. "Every order" is bounded: each scene says how often a CPU is stopped that
//! could have gone on.
//!
//! The races that stand in no order of steps but in TLBs, tables and records are tested on the model of the MMU, in
//! `loadphys-tests`: `tests/races.rs` there has the table of all.
#![cfg(all(loom, feature = "twins"))]

mod machine;
mod scenes;

use std::rc::Rc;
use std::thread;

use machine::Computer;
use page_reclaim::shootdown::twin::{self, Twin};
use scenes::{
    ALL, BOTH_USE_WHAT_BOTH_EDIT, EDIT_AND_LOAD, FROM_ONE_TO_THE_NEXT, Scene, TWO_EDIT,
    TWO_EDIT_AND_FORGET_ALL,
};

/// Lets a scene happen in every order; says what went wrong in the first that did.
fn check(twin: Option<Twin>, scene: &'static Scene) -> Result<(), String> {
    let checked = thread::spawn(move || {
        twin::choose(twin);
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(scene.preemptions);
        model.check(move || once(scene));
    });
    checked.join().map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic").to_owned(),
    })
}

fn once(scene: &'static Scene) {
    let computer = Rc::new(Computer::new(scene.scripts.len(), scene.most));
    let work = |number: usize| {
        let computer = Rc::clone(&computer);
        move || {
            let mut cpu = computer.cpu(number, scene.pcids);
            scene.scripts[number](&mut cpu);
            cpu.idle();
        }
    };
    let others = (1..scene.scripts.len()).map(|cpu| loom::thread::spawn(work(cpu)));
    let others: Vec<_> = others.collect();
    work(0)();
    others.into_iter().for_each(|other| other.join().expect("no panic"));
}

#[test]
fn nothing_stale_is_used() {
    for scene in ALL {
        assert_eq!(check(None, scene), Ok(()), "{}", scene.name);
    }
}

/// A twin, a scene in which it goes wrong, and what loom says.
const TWINS: &[(Twin, &Scene, &str)] = &[
    (Twin::NothingIsRaised, &EDIT_AND_LOAD, STALE),
    (Twin::NobodyIsAsked, &EDIT_AND_LOAD, STALE),
    (Twin::LoaderHasNoFence, &EDIT_AND_LOAD, STALE),
    (Twin::EditorHasNoFence, &EDIT_AND_LOAD, STALE),
    (Twin::OldRootIsOverlooked, &FROM_ONE_TO_THE_NEXT, STALE),
    (Twin::OldRootIsReadFirst, &FROM_ONE_TO_THE_NEXT, STALE),
    (Twin::LoadedIsRelaxed, &EDIT_AND_LOAD, STALE),
    (Twin::ClockIsReadAfterTheFlush, &TWO_EDIT_AND_FORGET_ALL, STALE),
    (Twin::OthersEditsCountAsMine, &TWO_EDIT, STALE),
    (Twin::AcknowledgesFirst, &EDIT_AND_LOAD, STALE),
    (Twin::AcknowledgementIsRelaxed, &EDIT_AND_LOAD, STALE),
    (Twin::WaitsWithoutAnswering, &BOTH_USE_WHAT_BOTH_EDIT, STUCK),
];

/// A frame was used that was somebody else's.
const STALE: &str = "Causality violation";
/// Nobody went on.
const STUCK: &str = "maximum number of branches";

#[test]
fn every_twin_is_found_broken() {
    for (twin, scene, expected) in TWINS {
        let found = check(Some(*twin), scene).expect_err(&format!("{twin:?} goes undetected"));
        assert!(found.contains(expected), "{twin:?}: {found}");
    }
}
