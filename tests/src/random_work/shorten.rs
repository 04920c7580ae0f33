//! Fewer steps that go wrong too.

use super::{Finding, Life};

/// Leaves out of a life what it does not need to go wrong under a method: first halves of it, then ever smaller
/// parts, until every step is needed. Gives back what is left, and what goes wrong then.
pub fn shortened(life: &Life, finding: Finding) -> (Life, Finding) {
    let (mut life, mut finding) = (life.clone(), finding);
    let mut part = life.steps.len().div_ceil(2);
    while part > 0 {
        let before = life.steps.len();
        leave_out(&mut life, &mut finding, part);
        if part > 1 || life.steps.len() == before {
            part /= 2;
        }
    }
    (life, finding)
}

/// Leaves out parts of this length where something goes wrong all the same.
fn leave_out(life: &mut Life, finding: &mut Finding, part: usize) {
    let mut from = 0;
    while from < life.steps.len() {
        let mut fewer = life.clone();
        fewer.steps.drain(from..(from + part).min(life.steps.len()));
        match wrong(&fewer, finding.method) {
            Some(still) => (*life, *finding) = (fewer, still),
            None => from += part,
        }
    }
}

/// What goes wrong under a method, if anything does.
fn wrong(life: &Life, method: &'static str) -> Option<Finding> {
    match life.plain() {
        Err(finding) => (method == "plain").then_some(finding),
        Ok(plain) => life.under(method, &plain).err(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;
    use crate::flushes::{Flushing, Kind, Site};
    use crate::random_work::{Finding, Life};
    use crate::scenario::run;

    fn finding(life: &Life) -> Option<Finding> {
        life.under("direct-map", &life.plain().ok()?).err()
    }

    /// The flush of an eviction.
    fn flush_of(life: &Life) -> Site {
        let listed = Life { flushing: Flushing::Listed, ..life.clone() };
        let sites = run(&listed.setup("direct-map"), &listed.steps).sites;
        let is_of_eviction =
            |site: &Site| site.kind == Kind::Flush && site.file.ends_with("evict.rs");
        sites.into_iter().find(is_of_eviction).unwrap()
    }

    #[test]
    fn what_is_left_goes_wrong_and_needs_every_step() {
        let life = Life::of(1);
        assert!(finding(&life).is_none());
        let broken = Life { flushing: Flushing::Without(flush_of(&life)), ..life };
        let (left, _) = shortened(&broken, finding(&broken).unwrap());
        assert!((1..50).contains(&left.steps.len()), "{:?}", left.steps);
        assert!(finding(&left).is_some());
        for step in 0..left.steps.len() {
            let mut fewer = left.clone();
            fewer.steps.remove(step);
            assert!(finding(&fewer).is_none(), "without step {step} of {:?}", left.steps);
        }
    }
}
