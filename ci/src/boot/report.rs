//! What a boot came to.

use std::time::Duration;

use loadphys_plan::exit_code;
use loadphys_plan::records::Record;

/// How the emulator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this exit status if it was not killed from outside.
    ByItself(Option<i32>),
    /// We ended it, after the guest had said that it was done.
    AfterVerdict,
    /// We ended it, since it had said what was waited for.
    Reached,
    /// We ended it, since its time was over.
    OverTime(Duration),
}

/// What a boot came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// All lines of the console.
    pub lines: Vec<String>,
    /// Those that are records.
    pub records: Vec<Record>,
    /// How the emulator ended.
    pub ending: Ending,
    /// How long it took on the host.
    pub elapsed: Duration,
}

/// What the stub says when it enters its guest.
const ENTERED: &str = "stub: guest entered at ";

/// Lines of the stub after which the guest runs on.
const HARMLESS: [&str; 2] = [ENTERED, "stub: the guest may not "];

/// How many lines are shown of a boot that failed.
const TAIL: usize = 15;

impl Report {
    /// Nothing, or one line that says what went wrong.
    pub fn verdict(&self) -> Result<(), String> {
        let end = self.records.iter().find_map(|record| match record {
            Record::End(end) => Some(end),
            _ => None,
        });
        match (end, self.ending) {
            (Some(end), _) if !end.ok => Err(format!("the guest found: {}", end.reason)),
            (Some(_), Ending::ByItself(Some(status))) if !self.is_good(status) => {
                Err(format!("the guest was content, but the emulator ended with {status}"))
            }
            (Some(_), _) => self.unreadable().map_or(Ok(()), Err),
            (None, ending) => Err(self.silence(ending)),
        }
    }

    /// The verdict on a kernel that is not ours and gives none: it must have been entered and have
    /// ended the machine, by a power-off or QEMU's debug exit, without the stub giving up on it.
    pub fn verdict_on_foreign(&self) -> Result<(), String> {
        if self.records.iter().any(|record| matches!(record, Record::End(_))) {
            return self.verdict();
        }
        match (self.ending, self.refusal()) {
            (_, Some(reason)) => Err(reason),
            (Ending::ByItself(_), None) if !self.was_entered() => {
                Err(self.complaint().unwrap_or_else(|| "the kernel was never entered".into()))
            }
            (Ending::ByItself(Some(status)), None) if self.is_good(status) => Ok(()),
            (Ending::ByItself(status), None) => Err(format!(
                "the emulator ended with {}",
                status.map_or("a signal".into(), |it| it.to_string())
            )),
            (ending, None) => Err(self.silence(ending)),
        }
    }

    fn was_entered(&self) -> bool {
        self.lines.iter().any(|line| line.trim().starts_with(ENTERED))
    }

    /// What the stub said last before it ended the machine.
    fn refusal(&self) -> Option<String> {
        let last = self.last_words()?;
        let gave_up = last.starts_with("stub: ") && !HARMLESS.iter().any(|it| last.starts_with(it));
        gave_up.then(|| last.to_owned())
    }

    /// The last line that is neither empty nor a record.
    pub fn last_words(&self) -> Option<&str> {
        let mut lines = self.lines.iter().map(|line| line.trim());
        lines.rfind(|line| !line.is_empty() && !line.starts_with('{'))
    }

    /// Whether an exit status fits a guest that was content: QEMU's debug exit, or a power-off.
    /// Bochs ends with 1 whatever happened.
    fn is_good(&self, status: i32) -> bool {
        [exit_code::qemu_status(exit_code::OK), 0, 1].contains(&status)
    }

    fn unreadable(&self) -> Option<String> {
        let records = self.lines.iter().filter(|line| line.starts_with('{')).count();
        (records != self.records.len()).then(|| "there are records that cannot be read".into())
    }

    /// Why there is no verdict.
    fn silence(&self, ending: Ending) -> String {
        let last = self.lines.iter().rev().find(|line| !line.trim().is_empty());
        match (ending, self.complaint(), last) {
            (_, Some(complaint), _) => complaint,
            (Ending::OverTime(limit), None, last) => {
                let last = last.map_or("nothing", String::as_str);
                format!("it did not end within {} s; its last line: {last}", limit.as_secs())
            }
            (_, None, None) => "it ended without a word".into(),
            (_, None, Some(_)) => {
                "it ended without a verdict, as after a reset or triple fault".into()
            }
        }
    }

    /// What the boot loader says first when it fails, or the stub last.
    fn complaint(&self) -> Option<String> {
        let lines = || self.lines.iter().map(|line| line.trim());
        let loader = lines().find(|line| line.starts_with("error: "));
        let last = lines().rfind(|line| !line.is_empty());
        let loader = loader.map(|line| format!("the boot loader says: {line}"));
        loader.or(last.filter(|line| line.starts_with("stub: ")).map(str::to_owned))
    }

    /// The last lines of the console, for people.
    pub fn tail(&self) -> &[String] {
        &self.lines[self.lines.len().saturating_sub(TAIL)..]
    }

    /// The count of this name, if there is one.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.records.iter().find_map(|record| match record {
            Record::Count(count) if count.name == name => Some(count.count),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ending, Report};

    fn foreign(lines: &[&str], ending: Ending) -> Result<(), String> {
        let lines = lines.iter().map(|line| line.to_string()).collect();
        let report = Report { lines, records: Vec::new(), ending, elapsed: Duration::ZERO };
        report.verdict_on_foreign()
    }

    const ENTERED: &str = "stub: guest entered at 0x100000";

    #[test]
    fn a_foreign_kernel_that_powers_off_is_well() {
        let well = foreign(&[ENTERED, "hello", ""], Ending::ByItself(Some(1)));
        assert_eq!(well, Ok(()));
        let warned = [ENTERED, "stub: the guest may not read guest-physical 0x6000000"];
        assert_eq!(foreign(&warned, Ending::ByItself(Some(0))), Ok(()));
    }

    #[test]
    fn a_foreign_kernel_that_the_stub_gives_up_is_not() {
        let refused = ["stub: loadphys 0.1.0", "stub: the guest has no PVH entry"];
        let reason = foreign(&refused, Ending::ByItself(Some(1)));
        assert_eq!(reason, Err("stub: the guest has no PVH entry".into()));
        let faulted = [ENTERED, "hello", "stub: triple fault of the guest"];
        let reason = foreign(&faulted, Ending::ByItself(Some(1)));
        assert_eq!(reason, Err("stub: triple fault of the guest".into()));
    }

    #[test]
    fn a_foreign_kernel_that_never_ran_or_never_ends_is_not() {
        assert!(foreign(&["error: no such file"], Ending::ByItself(Some(1))).is_err());
        assert!(foreign(&[ENTERED], Ending::OverTime(Duration::from_secs(1))).is_err());
        assert!(foreign(&[ENTERED], Ending::ByItself(Some(35))).is_err());
    }
}
