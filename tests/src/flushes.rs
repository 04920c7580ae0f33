//! Who asks for flushes, and a twin of the computer in which one of them asks in vain.
//!
//! A flush is known by where it stands in the sources: what flushes is `#[track_caller]`, from the
//! method or the kernel down to here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// INVLPG.
    Invlpg,
    /// A write of CR3 with bit 63 clear.
    RootWrite,
    /// The same, the first time that a new space is loaded under the PCID of another.
    FirstLoad,
    /// The same as the root of the kernel is loaded.
    KernelLoad,
    /// [`page_reclaim::Machine::flush`].
    Flush,
    /// [`page_reclaim::Machine::let_go`].
    LetGo,
    /// [`foreign_access::Method::detach`], where the method had something to let go of.
    Detach,
}

/// One place in the sources that asks for a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The file, from the root of the workspace.
    pub file: &'static str,
    /// The line.
    pub line: u32,
    /// What it asks for.
    pub kind: Kind,
}

/// What is done about flushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flushing {
    /// All are done.
    #[default]
    Done,
    /// All are done, and who asks is remembered.
    Listed,
    /// All are done but those that are asked for there.
    Without(Site),
}

/// Does flushes, or not.
#[derive(Debug)]
pub struct Flushes {
    flushing: Flushing,
    asked: RefCell<BTreeSet<Site>>,
    /// What is being done that consists of smaller flushes.
    around: Cell<Option<Site>>,
}

impl Flushes {
    /// Nobody has asked yet.
    pub fn new(flushing: Flushing) -> Self {
        Self { flushing, asked: RefCell::default(), around: Cell::default() }
    }

    /// The caller asks for a flush: whether it is to be done.
    #[track_caller]
    pub fn asks(&self, kind: Kind) -> bool {
        match self.flushing {
            Flushing::Done => true,
            Flushing::Listed => {
                self.asked.borrow_mut().extend(self.around.get());
                self.asked.borrow_mut().insert(Site::of_caller(kind));
                true
            }
            Flushing::Without(site) => site != Site::of_caller(kind),
        }
    }

    /// The caller asks for what consists of smaller flushes. It counts as asked for if one of them is.
    #[track_caller]
    pub fn all_of(&self, kind: Kind, work: impl FnOnce()) {
        let site = Site::of_caller(kind);
        if self.flushing != Flushing::Without(site) {
            let outer = self.around.replace(Some(site));
            work();
            self.around.set(outer);
        }
    }

    /// Who has asked.
    pub fn asked(&self) -> BTreeSet<Site> {
        self.asked.borrow().clone()
    }
}

impl Site {
    #[track_caller]
    fn of_caller(kind: Kind) -> Self {
        let place = Location::caller();
        Self { file: place.file(), line: place.line(), kind }
    }
}

impl Kind {
    /// Its name, in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invlpg => "invlpg",
            Self::RootWrite => "root-write",
            Self::FirstLoad => "first-load",
            Self::KernelLoad => "kernel-load",
            Self::Flush => "flush",
            Self::LetGo => "let-go",
            Self::Detach => "detach",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({})", self.file, self.line, self.kind.name())
    }
}
