//! The histogram against all samples, sorted.

use loadphys_plan::histogram::Histogram;
use proptest::prelude::*;

/// Ticks per page of every page, ascending.
fn per_page(samples: &[(u64, u32)]) -> Vec<f64> {
    let pages = |&(ticks, pages): &(u64, u32)| {
        std::iter::repeat_n(ticks as f64 / f64::from(pages), pages as usize)
    };
    let mut all: Vec<f64> = samples.iter().flat_map(pages).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn filled(samples: &[(u64, u32)]) -> Histogram {
    let mut histogram = Histogram::new();
    for &(ticks, pages) in samples {
        histogram.record_per(ticks, pages);
    }
    histogram
}

fn close(found: f64, exact: f64) -> bool {
    (found - exact).abs() <= (exact / 64.0).max(1.0 / 256.0) + 1e-9
}

#[test]
fn without_samples_everything_is_zero() {
    let ticks = Histogram::new().ticks();
    assert_eq!(ticks, loadphys_plan::records::Ticks::default());
}

#[test]
fn equal_samples_are_exact() {
    let ticks = filled(&[(1234, 1); 9]).ticks();
    assert_eq!([ticks.mean, ticks.p50, ticks.p999, ticks.max], [1234.0; 4]);
}

#[test]
fn a_batch_counts_once_for_each_page() {
    let histogram = filled(&[(320, 32), (1000, 1)]);
    assert_eq!(histogram.pages(), 33);
    assert!(close(histogram.ticks().p90, 10.0));
    assert_eq!(histogram.ticks().mean, 40.0);
    assert_eq!(histogram.ticks().max, 1000.0);
}

#[test]
fn extremes_do_not_overflow() {
    let histogram = filled(&[(u64::MAX, 1), (u64::MAX, u32::MAX), (0, 1), (7, 0)]);
    assert_eq!(histogram.ticks().max, u64::MAX as f64);
}

#[test]
fn cleared_is_as_new() {
    let mut histogram = filled(&[(5, 1), (9, 3)]);
    histogram.clear();
    assert_eq!(histogram.ticks(), Histogram::new().ticks());
    assert_eq!(histogram.pages(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: if cfg!(miri) { 2 } else { 256 }, ..ProptestConfig::default() })]

    #[test]
    fn percentiles_are_those_of_the_sorted_samples(
        samples in prop::collection::vec((prop_oneof![0..300_u64, 0..1_u64 << 40], 1..40_u32), 1..60),
        per_mille in 1..=1000_u64,
    ) {
        let (histogram, sorted) = (filled(&samples), per_page(&samples));
        let rank = (sorted.len() * per_mille as usize).div_ceil(1000);
        let (found, exact) = (histogram.percentile(per_mille), sorted[rank - 1]);
        prop_assert!(close(found, exact), "{} for {}", found, exact);
        let mean = samples.iter().map(|s| s.0).sum::<u64>() as f64 / sorted.len() as f64;
        prop_assert!((histogram.ticks().mean - mean).abs() <= mean * 1e-12);
        prop_assert_eq!(histogram.ticks().max, sorted[sorted.len() - 1]);
    }
}
