//! The whole of a plan.

use core::fmt;
use core::str::FromStr;

use super::list::List;
use super::mistake::{Mistake, Problem};
use super::names::{Check, Exit, Methods, NestedPage, PlanName, Rules, Swap};
use super::range::MemoryRange;
use crate::work::{MOST_BATCH, MOST_CPUS, MOST_SHARERS, MOST_SPACES};

/// What one boot is to do. Read from a command line, written back as the canonical one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the boot is for.
    pub plan: PlanName,
    /// Ways to reach foreign entries, one after the other.
    pub methods: Methods,
    /// Numbers of mappings of each page, one after the other.
    pub sharers: List<u32>,
    /// Numbers of pages evicted together, one after the other.
    pub batch: List<u32>,
    /// Pages of the shared segment: each is evicted once a round.
    pub pages: u32,
    /// How often the segment is evicted and brought back for one row.
    pub rounds: u32,
    /// Where the order of victims and the patterns begin.
    pub seed: u64,
    /// Whether freed frames are poisoned and stale translations probed.
    pub check: bool,
    /// Whether each method must conform before anything else is done with it.
    pub conformance: bool,
    /// How the machine is told that the boot is over.
    pub exit: Exit,
    /// Pages that swap can hold; 0 is as many as are needed.
    pub swap_pages: u32,
    /// Where evicted pages go.
    pub swap: Swap,
    /// Seconds for which a disk may be silent before it counts as dead.
    pub swap_timeout: u32,
    /// Of so many requests to swap in memory one fails, at random; 0 is for none to fail.
    pub faults: u32,
    /// CPUs that are used.
    pub cpus: u32,
    /// Spaces that exist while a row is measured, sharers included; 0 is the sharers alone.
    pub spaces: u32,
    /// Physical memory that is evacuated; `None` is for the guest to choose.
    pub range: Option<MemoryRange>,
    /// What the stub below checks; to the guest it is known by discovery.
    pub rules: Rules,
    /// The largest pages of the nested tables of the stub below; the guest cannot tell.
    pub nested_page: NestedPage,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            plan: PlanName::Compare,
            methods: Methods::Auto,
            sharers: List::new([1, 2, 4, 8]).expect("four different numbers"),
            batch: List::new([1, 32]).expect("two different numbers"),
            pages: 256,
            rounds: 1,
            seed: 1,
            check: true,
            conformance: true,
            exit: Exit::Acpi,
            swap_pages: 0,
            swap: Swap::Ram,
            swap_timeout: 10,
            faults: 0,
            cpus: 1,
            spaces: 0,
            range: None,
            rules: Rules::Tables,
            nested_page: NestedPage::Auto,
        }
    }
}

/// The keys, in the canonical order.
const KEYS: [&str; 19] = [
    "plan",
    "methods",
    "sharers",
    "batch",
    "pages",
    "rounds",
    "seed",
    "check",
    "conformance",
    "exit",
    "swap-pages",
    "swap",
    "swap-timeout",
    "faults",
    "cpus",
    "spaces",
    "range",
    "rules",
    "nested-page",
];
/// [`KEYS`] as they are told to people.
const KEYS_LISTED: &str = "plan methods sharers batch pages rounds seed check conformance exit swap-pages swap swap-timeout faults cpus spaces range rules \
    nested-page, each as key=value";

impl FromStr for Plan {
    type Err = Mistake;

    fn from_str(line: &str) -> Result<Self, Mistake> {
        let mut plan = Self::default();
        let mut seen = [false; KEYS.len()];
        for word in line.split_ascii_whitespace() {
            let (index, value) = key_and_value(word)?;
            if core::mem::replace(&mut seen[index], true) {
                return Err(Mistake::new(Problem::Twice, "key", KEYS[index], "once is enough"));
            }
            plan.set(KEYS[index], value)?;
        }
        Ok(plan)
    }
}

/// Which key a word sets, and to what.
fn key_and_value(word: &str) -> Result<(usize, &str), Mistake> {
    let unknown = || Mistake::new(Problem::Unknown, "key", word, KEYS_LISTED);
    let (key, value) = word.split_once('=').ok_or_else(unknown)?;
    let index = KEYS.iter().position(|known| *known == key).ok_or_else(unknown)?;
    Ok((index, value))
}

impl Plan {
    fn set(&mut self, key: &'static str, value: &str) -> Result<(), Mistake> {
        match key {
            "plan" => self.plan = value.parse()?,
            "methods" => self.methods = value.parse()?,
            "sharers" => self.sharers = List::parse(key, value, sharers)?,
            "batch" => self.batch = List::parse(key, value, batch)?,
            "pages" => self.pages = from_one(key, value)?,
            "rounds" => self.rounds = from_one(key, value)?,
            "seed" => self.seed = number(key, value, "a number from 0 to 18446744073709551615")?,
            "check" => self.check = value.parse::<Check>()? == Check::On,
            "conformance" => self.conformance = value.parse::<Check>()? == Check::On,
            "exit" => self.exit = value.parse()?,
            "swap-pages" => self.swap_pages = number(key, value, "a number from 0 to 4294967295")?,
            "swap" => self.swap = value.parse()?,
            "swap-timeout" => self.swap_timeout = from_one(key, value)?,
            "faults" => self.faults = number(key, value, "a number from 0 to 4294967295")?,
            "cpus" => self.cpus = within(key, value, MOST_CPUS, "a number from 1 to 64")?,
            "spaces" => self.spaces = spaces(value)?,
            "rules" => self.rules = value.parse()?,
            "nested-page" => self.nested_page = value.parse()?,
            "range" => self.range = MemoryRange::parse(value)?,
            _ => unreachable!("'{key}' is one of KEYS"),
        }
        Ok(())
    }
}

/// A number that must not be zero.
fn from_one(what: &'static str, text: &str) -> Result<u32, Mistake> {
    let wanted = "a number from 1 to 4294967295";
    match number(what, text, wanted)? {
        0 => Err(Mistake::new(Problem::BadNumber, what, text, wanted)),
        value => Ok(value),
    }
}

fn sharers(text: &str) -> Result<u32, Mistake> {
    within("sharers", text, MOST_SHARERS, "a number from 1 to 4096")
}

fn batch(text: &str) -> Result<u32, Mistake> {
    within("batch", text, MOST_BATCH, "a number from 1 to 512")
}

fn spaces(text: &str) -> Result<u32, Mistake> {
    let wanted = "a number from 0 to 4096";
    match number("spaces", text, wanted)? {
        value if value <= MOST_SPACES => Ok(value),
        _ => Err(Mistake::new(Problem::BadNumber, "spaces", text, wanted)),
    }
}

const _: () = {
    assert!(MOST_SHARERS == 4096 && MOST_BATCH == 512, "the messages above name them");
    assert!(MOST_CPUS == 64 && MOST_SPACES == 4096, "the messages above name them");
};

fn within(what: &'static str, text: &str, most: u32, wanted: &'static str) -> Result<u32, Mistake> {
    match number(what, text, wanted)? {
        value if (1..=most).contains(&value) => Ok(value),
        _ => Err(Mistake::new(Problem::BadNumber, what, text, wanted)),
    }
}

fn number<T: FromStr>(what: &'static str, text: &str, wanted: &'static str) -> Result<T, Mistake> {
    text.parse().map_err(|_| Mistake::new(Problem::BadNumber, what, text, wanted))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, methods, sharers, batch, pages, rounds, seed, exit, .. } = self;
        let Self { swap_pages, swap, swap_timeout, faults, cpus, spaces, .. } = self;
        let on = |on| if on { Check::On } else { Check::Off };
        let (check, conformance) = (on(self.check), on(self.conformance));
        write!(f, "plan={plan} methods={methods} sharers={sharers} batch={batch} pages={pages} ")?;
        write!(f, "rounds={rounds} seed={seed} check={check} ")?;
        write!(f, "conformance={conformance} exit={exit} swap-pages={swap_pages} ")?;
        write!(f, "swap={swap} swap-timeout={swap_timeout} faults={faults} ")?;
        write!(f, "cpus={cpus} spaces={spaces}")?;
        match self.range {
            Some(range) => write!(f, " range={range}"),
            None => f.write_str(" range=auto"),
        }?;
        write!(f, " rules={} nested-page={}", self.rules, self.nested_page)
    }
}
