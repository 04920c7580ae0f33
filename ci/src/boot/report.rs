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
