//! Recorded CPUs: what each offers to a hypervisor, as a text, so that what would run there can be known here.
//!
//! The first line is a title, `# Intel Core i7-5600U`. Further comments say where the values are from, one at least
//! beginning with `# source: `. The rest are MSRs, `0x480 0x00da040000000012`, and leaves of CPUID with EAX, EBX, ECX
//! and EDX, `cpuid 0x8000000a 0x1 0x8000 0x0 0x1bcff`. A CPU with VT-x has IA32_VMX_BASIC, one with SVM has leaf 0x8000_000a.

use core::cell::Cell;
use core::fmt;

use crate::cpuid::Answer;
use crate::svm::offer::Offer;
use crate::vmx::capability::{Capabilities, msr};

mod line;
mod list;

pub use line::Malformed;
use line::{Line, lines};
pub use list::{ALL, find};

/// The leaf that says whether there is SVM, and the one that says what of it.
const FEATURES_LEAF: u32 = 0x8000_0001;
const SVM_LEAF: u32 = 0x8000_000a;

/// The MSR that may switch SVM off.
pub const VM_CR: u32 = 0xc001_0114;

/// Whose extension it is that a CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// VT-x.
    Vmx,
    /// SVM.
    Svm,
}

/// A recorded CPU whose text is well formed.
#[derive(Clone, Copy, Debug)]
pub struct Fixture<'a> {
    title: &'a str,
    extension: Extension,
    text: &'a str,
}

/// What counts on this CPU, given the rest, and is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// An MSR.
    Msr(u32),
    /// A leaf of CPUID.
    Leaf(u32),
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Msr(number) => write!(f, "MSR {number:#x}")?,
            Self::Leaf(number) => write!(f, "cpuid {number:#x}")?,
        }
        f.write_str(" is not recorded, and by the rest it counts")
    }
}

impl<'a> Fixture<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// What is [`Malformed`] first.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let title = line::check(text)?;
        let has = |wanted: fn(&Line<'_>) -> bool| lines(text).any(|line| wanted(&line));
        let vmx = has(|line| matches!(line, Line::Msr(msr::BASIC, _)));
        let svm = has(|line| matches!(line, Line::Leaf(SVM_LEAF, _)));
        let extension = match (vmx, svm) {
            (true, false) => Extension::Vmx,
            (false, true) => Extension::Svm,
            _ => return Err(Malformed::NOT_ONE_EXTENSION),
        };
        Ok(Self { title, extension, text })
    }

    /// What it is, in a few words.
    pub const fn title(&self) -> &'a str {
        self.title
    }

    /// Whose extension it has.
    pub const fn extension(&self) -> Extension {
        self.extension
    }

    /// Every MSR that is recorded.
    pub fn msrs(&self) -> impl Iterator<Item = (u32, u64)> + 'a {
        lines(self.text).filter_map(|line| match line {
            Line::Msr(number, value) => Some((number, value)),
            _ => None,
        })
    }

    /// One MSR.
    pub fn msr(&self, number: u32) -> Option<u64> {
        self.msrs().find(|(msr, _)| *msr == number).map(|(_, value)| value)
    }

    /// One leaf of CPUID.
    pub fn leaf(&self, number: u32) -> Option<Answer> {
        lines(self.text).find_map(|line| match line {
            Line::Leaf(leaf, answer) if leaf == number => Some(answer),
            _ => None,
        })
    }

    /// What it offers of VT-x.
    ///
    /// # Errors
    /// [`Unrecorded`].
    pub fn capabilities(&self) -> Result<Capabilities, Unrecorded> {
        let missing = Cell::new(None);
        let capabilities = Capabilities::read(|number| {
            self.msr(number).unwrap_or_else(|| {
                missing.set(missing.get().or(Some(number)));
                0
            })
        });
        missing.get().map_or(Ok(capabilities), |number| Err(Unrecorded::Msr(number)))
    }

    /// What it offers of SVM. Where VM_CR is not recorded, SVM counts as not switched off.
    ///
    /// # Errors
    /// [`Unrecorded`].
    pub fn offer(&self) -> Result<Offer, Unrecorded> {
        let leaf = |number| self.leaf(number).ok_or(Unrecorded::Leaf(number));
        let [_, _, features, _] = leaf(FEATURES_LEAF)?;
        let [_, asids, _, abilities] = leaf(SVM_LEAF)?;
        Ok(Offer { features, asids, abilities, vm_cr: self.msr(VM_CR).unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests;
