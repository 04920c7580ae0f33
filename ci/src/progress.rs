//! Says how far long work has come: a moving line on a terminal, plain lines elsewhere.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

static LINES: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// One piece of long work.
pub struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// Begins work of so many steps; 0 if that is not known.
    pub fn start(name: impl Into<String>, steps: u64) -> Self {
        let name = name.into();
        let bar = std::io::stderr().is_terminal().then(|| moving_line(&name, steps));
        if bar.is_none() {
            eprintln!("{name} ...");
        }
        Self { name, bar, started: Instant::now() }
    }

    /// One step is done; `what` says which.
    pub fn step(&self, what: impl Into<Cow<'static, str>>) {
        self.steps(1, what);
    }

    /// So many steps are done.
    pub fn steps(&self, count: u64, what: impl Into<Cow<'static, str>>) {
        match &self.bar {
            Some(bar) => {
                bar.inc(count);
                bar.set_message(what);
            }
            None => eprintln!("{}: {}", self.name, what.into()),
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Ends the work; `how` it ended stays to be read.
    pub fn finish(self, how: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{} {how} ({:.1} s)", self.name, self.started.elapsed().as_secs_f64());
    }
}

fn moving_line(name: &str, steps: u64) -> ProgressBar {
    let style = if steps == 0 {
        "{spinner} {prefix} {msg} {elapsed}"
    } else {
        "{spinner} {prefix} [{bar:24}] {pos}/{len} {msg} {elapsed}"
    };
    let style = ProgressStyle::with_template(style).expect("the template is well formed");
    let bar = LINES.add(ProgressBar::new(steps)).with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
