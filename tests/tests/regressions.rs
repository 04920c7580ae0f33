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
