//! The attacks and races that are known of kernels and hypervisors which let others edit page tables, and the tests that
//! withstand them.
//!
//! Each is tested on the layer where it lives, together with something that is broken on purpose and must be caught; or it cannot
//! apply here, for a reason. [`list::ALL`] has them all, [`run`] runs their tests.

mod list;
mod run;

pub use list::ALL;
pub use run::{Verdict, run};

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its number in the list, from 1.
    pub number: usize,
    /// What is tried.
    pub title: &'static str,
    /// What answers it.
    pub answer: Answer,
}

/// Why an attack fails.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Tests see it fail, and see a broken twin of what withstands it go down.
    Tested {
        /// What withstands it.
        right: &'static [Test],
        /// What shows that the tests would notice.
        broken: Broken,
    },
    /// It cannot be tried on anything here.
    CannotApply(&'static str),
}

/// What shows that a test would notice.
#[derive(Clone, Copy, Debug)]
pub enum Broken {
    /// The tests run a broken twin themselves and want to see it fail.
    Inside,
    /// Tests of a build, or of a twin, that is broken on purpose.
    By(&'static [Test]),
}

/// A test by its full name, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test(pub Suite, pub &'static str);

/// Tests that one command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// Unit tests of a crate's library.
    Lib(&'static str),
    /// A test file of a crate.
    File(&'static str, &'static str),
    /// A test file on the model, with a feature that breaks something.
    BrokenModel(&'static str, &'static str),
    /// A test file of the rules, with the choice of broken twins.
    Rules(&'static str),
    /// The shootdown protocol under loom.
    Loom,
    /// Boots.
    Boot,
}

impl Suite {
    /// The layer that it tests, in a word.
    pub const fn layer(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Loom => "reclaim",
            Self::BrokenModel(..) => "model",
            Self::Rules(_) => "rules",
            Self::Lib(package) | Self::File(package, _) => layer_of(package),
        }
    }
}

const fn layer_of(package: &str) -> &'static str {
    match package.as_bytes() {
        b"loadphys-stub" => "stub",
        b"loadphys-tests" => "model",
        b"page-reclaim" => "reclaim",
        b"foreign-access" => "access",
        b"xtask" => "build",
        _ => "kernel",
    }
}

impl Answer {
    /// All tests that are named, broken ones last.
    pub fn tests(&self) -> impl Iterator<Item = Test> + '_ {
        let (right, broken): (&[Test], &[Test]) = match self {
            Self::Tested { right, broken: Broken::By(broken) } => (right, broken),
            Self::Tested { right, broken: Broken::Inside } => (right, &[]),
            Self::CannotApply(_) => (&[], &[]),
        };
        right.iter().chain(broken).copied()
    }
}
