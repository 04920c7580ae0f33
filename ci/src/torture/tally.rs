//! What boots came to: the counts that guests report, summed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use loadphys_plan::records::{Record, Skipped, counts};

use crate::boot::Report;

/// Sums by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    boots: u64,
    counts: BTreeMap<String, u64>,
    /// What no boot could do, and why.
    skipped: BTreeSet<String>,
}

/// What people are told, in this order, and in which words.
const TOLD: [(&str, &str); 12] = [
    (counts::EVICTED, "pages evicted"),
    (counts::FAULTED_IN, "brought back from swap"),
    (counts::EVACUATED, "frames evacuated"),
    (counts::FORKS, "forks"),
    (counts::FINISHED_PROGRAMS, "programs that came to their end"),
    (counts::DEVICE_FAULTS, "requests that a swap device refused"),
    (counts::CORRUPTED, "pages that one gave back with a bit flipped"),
    (counts::WRITE_FAILURES, "pages kept that could not be written"),
    (counts::ENDED_BY_DEVICE, "programs ended by a page that could not be read"),
    (counts::AUDITS, "audits"),
    (counts::VERIFIED, "pages verified"),
    (counts::LOST, "lost"),
];

/// What must be zero.
const WRONG: [(&str, &str); 3] = [
    (counts::LOST, "pages lost"),
    (counts::STALE, "stale translations"),
    (counts::AUDIT_FAULTS, "audit faults"),
];

/// What must happen in every boot.
const MUST_HAPPEN: [&str; 5] =
    [counts::EVICTED, counts::VERIFIED, counts::EVACUATED, counts::FORKS, counts::AUDITS];

impl Tally {
    /// Adds what one boot said.
    pub fn take(&mut self, report: &Report) {
        self.boots += 1;
        for record in &report.records {
            match record {
                Record::Count(count) => {
                    *self.counts.entry(count.name.to_string()).or_default() += count.count;
                }
                Record::Skipped(Skipped { path, method, reason }) => {
                    self.skipped.insert(format!("{method} on {path}: {reason}"));
                }
                _ => {}
            }
        }
    }

    /// Adds all boots of another.
    pub fn add(&mut self, other: &Self) {
        self.boots += other.boots;
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.skipped.extend(other.skipped.iter().cloned());
    }

    fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// What was found that must not be, if anything. That something never happened is wrong too.
    pub fn wrong(&self) -> Option<String> {
        for (name, what) in WRONG {
            match self.count(name) {
                0 => {}
                count => return Some(format!("{count} {what}")),
            }
        }
        if let Some(what) = self.wrongly_ended() {
            return Some(what);
        }
        let idle = MUST_HAPPEN.into_iter().find(|name| self.count(name) == 0);
        idle.map(|name| format!("the count of '{name}' is zero"))
    }

    /// Programs may end before their time only where a device has failed them, each by a request of its own.
    fn wrongly_ended(&self) -> Option<String> {
        let [ended, by_device] =
            [counts::ENDED_PROGRAMS, counts::ENDED_BY_DEVICE].map(|it| self.count(it));
        let faults = self.count(counts::DEVICE_FAULTS) + self.count(counts::CORRUPTED);
        let is_wrong = ended > by_device || by_device > faults;
        is_wrong.then(|| {
            format!("{ended} programs ended, {by_device} by {faults} faults of the device")
        })
    }

    /// In a few words.
    pub fn short(&self) -> String {
        let (evicted, lost) = (self.count(counts::EVICTED), self.count(counts::LOST));
        format!("{} boots, {evicted} evicted, {lost} lost", self.boots)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12} boots", self.boots)?;
        TOLD.iter()
            .try_for_each(|(name, words)| write!(f, "\n{:>12} {words}", self.count(name)))?;
        self.skipped.iter().try_for_each(|skipped| write!(f, "\nskipped {skipped}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loadphys_plan::records::{Count, Record, counts};

    use super::Tally;
    use crate::boot::{Ending, Report};

    /// A boot in which everything has happened that must, and this.
    fn busy(said: &[(&str, u64)]) -> Report {
        let happened = super::MUST_HAPPEN.map(|name| (name, 1));
        report(&[&happened, said].concat())
    }

    fn report(said: &[(&str, u64)]) -> Report {
        let count = |(name, count): &(&str, u64)| {
            let name = (*name).try_into().expect("a short name");
            Record::Count(Count { name, count: *count })
        };
        let records = said.iter().map(count).collect();
        let ending = Ending::ByItself(Some(1));
        Report { lines: Vec::new(), records, ending, elapsed: Duration::ZERO }
    }

    #[test]
    fn boots_are_summed() {
        let (mut all, mut one) = (Tally::default(), Tally::default());
        one.take(&busy(&[(counts::EVICTED, 2), (counts::VERIFIED, 5)]));
        all.add(&one);
        all.take(&busy(&[(counts::EVICTED, 3)]));
        assert_eq!(all.short(), "2 boots, 7 evicted, 0 lost");
        assert_eq!(all.wrong(), None);
    }

    #[test]
    fn programs_end_by_faults_of_the_device_only() {
        let wrong = |ended, by_device, faults| {
            let mut tally = Tally::default();
            tally.take(&busy(&[
                (counts::ENDED_PROGRAMS, ended),
                (counts::ENDED_BY_DEVICE, by_device),
                (counts::DEVICE_FAULTS, faults),
                (counts::CORRUPTED, 1),
            ]));
            tally.wrong()
        };
        assert_eq!((wrong(0, 0, 0), wrong(3, 3, 2), wrong(1, 1, 5)), (None, None, None));
        let told = |ended, by_device, faults| {
            Some(format!("{ended} programs ended, {by_device} by {faults} faults of the device"))
        };
        assert_eq!(wrong(3, 2, 2), told(3, 2, 3), "one for what it did");
        assert_eq!(wrong(3, 3, 1), told(3, 3, 2), "one that no fault explains");
    }

    #[test]
    fn what_must_not_be_is_named() {
        let mut tally = Tally::default();
        tally.take(&busy(&[(counts::LOST, 2)]));
        assert_eq!(tally.wrong().as_deref(), Some("2 pages lost"));
        let mut idle = Tally::default();
        idle.take(&report(&[(counts::EVICTED, 1)]));
        assert_eq!(idle.wrong().as_deref(), Some("the count of 'verified' is zero"));
    }
}
