//! Cases that random work once found.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

use loadphys_tests::scenario::{Setup, Step, run};

/// A space that ends while another CPU's foreign slot still leads to its root.
#[test]
fn a_root_without_tables_is_let_go_on_every_cpu() {
    let touch = |cpu, space, page, value| Step::Touch { cpu, space, page, value };
    let steps = [
        touch(0, 4, 4, None),
        touch(0, 1, 0, None),
        touch(0, 0, 1, None),
        touch(0, 2, 8, Some(151_144_292)),
        touch(0, 3, 8, None),
        touch(1, 2, 3, None),
        touch(0, 2, 7, None),
        touch(0, 4, 6, None),
        touch(1, 1, 9, None),
        touch(1, 3, 9, None),
        touch(1, 5, 9, Some(623_103_113_299)),
        touch(0, 2, 9, Some(752_483_759_378)),
        touch(1, 3, 9, Some(798_375_395_589)),
        Step::Exit(5),
    ];
    let mut found =
        run(&Setup { pcids: true, ..Setup::scarce("recursive", 2_202_313_511) }, &steps);
    found.forgive_missing_frames();
    assert_eq!(found.first_wrong(), None);
}

/// A root that another CPU loads while it is on its way to another frame.
#[test]
fn a_root_that_moves_is_not_loaded_before_it_has() {
    let touch = |cpu, space, page| Step::Touch { cpu, space, page, value: None };
    let steps = [
        touch(0, 4, 4),
        touch(0, 2, 8),
        touch(0, 1, 7),
        touch(1, 0, 0),
        Step::ExchangeTables(0, 0),
        Step::EvictPage(0, 1),
        Step::EvictSome(1),
        Step::ExchangeTables(0, 0),
        touch(0, 1, 2),
        touch(0, 5, 3),
        Step::EvictSome(2),
        touch(0, 3, 3),
        Step::Evacuate(0, 8, 1),
        touch(0, 0, 6),
        touch(0, 0, 5),
        touch(0, 0, 1),
        touch(0, 2, 0),
        Step::Evacuate(0, 104, 56),
    ];
    let setup = Setup {
        intruder: true,
        room: 8,
        audited_every: 8,
        ..Setup::roomy("recursive", 3_325_253_603)
    };
    assert_eq!(run(&setup, &steps).first_wrong(), None);
}
