//! What comes of each recorded CPU with SVM: a table, worked out from the bits by hand.

use super::offer::{Absent, Missing, negotiate};
use crate::fixtures::{ALL, Extension, Fixture};

const NEXT_RIP: u32 = 3;
const FLUSH_BY_ASID: u32 = 6;

/// Names, and bits of the abilities that are absent, or what is missing.
const OUTCOMES: [(&str, Result<&[u32], Missing>); 11] = [
    ("amd-athlon64-x2-4200", Err(Missing::NestedPaging)),
    ("amd-fx-8150", Ok(&[])),
    ("amd-phenom-ii-1100t", Ok(&[FLUSH_BY_ASID])),
    ("amd-ryzen-1800x", Ok(&[])),
    ("amd-ryzen-z1", Ok(&[])),
    ("bochs-phenom", Ok(&[NEXT_RIP, FLUSH_BY_ASID])),
    ("bochs-ryzen", Ok(&[])),
    ("bochs-trinity", Ok(&[])),
    ("bochs-turion64", Err(Missing::NestedPaging)),
    ("bochs-zambezi", Ok(&[])),
    ("qemu-tcg", Ok(&[NEXT_RIP, FLUSH_BY_ASID])),
];

#[test]
fn every_recorded_cpu_runs_as_the_table_says() {
    let fixtures = ALL.iter().map(|(name, text)| (*name, Fixture::parse(text).unwrap()));
    let of_svm = fixtures.filter(|(_, fixture)| fixture.extension() == Extension::Svm);
    let mut tried = 0;
    for (name, fixture) in of_svm {
        let expected = OUTCOMES.iter().find(|(told, _)| *told == name);
        let (_, expected) = expected.unwrap_or_else(|| panic!("{name} is not in the table"));
        let setup = negotiate(&fixture.offer().unwrap());
        let absent = setup.as_ref().map(|setup| setup.absent.iter().map(|absent| absent.bit));
        let absent = absent.map(Iterator::collect::<Vec<u32>>).map_err(|missing| *missing);
        assert_eq!(absent, expected.map(<[u32]>::to_vec), "{name}");
        if let Ok(setup) = setup {
            let lacks = |bit| setup.absent.iter().any(|Absent { bit: told, .. }| *told == bit);
            let there = (!lacks(NEXT_RIP), !lacks(FLUSH_BY_ASID));
            assert_eq!((setup.next_rip, setup.flush_by_asid), there, "{name}");
        }
        tried += 1;
    }
    assert_eq!(tried, OUTCOMES.len());
}
