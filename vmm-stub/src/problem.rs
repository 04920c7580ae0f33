//! Why the guest cannot be run.

use core::fmt;

use heapless::String;
use loadphys_boot::handoff::HandoffError;

use crate::guest::image::BadImage;
use crate::madt::BadMadt;
use crate::needs::TooSmall;
use crate::svm::offer::Missing;
use crate::vmx::controls;
use crate::vmx::instructions::Failure;
use crate::vmx::support::NoVmx;

/// One line each.
#[derive(Debug)]
pub enum Problem {
    /// What the loader left cannot be used.
    Handoff(HandoffError),
    /// The CPU runs no guests; who made it.
    NoGuests(String<12>),
    /// VT-x is off.
    NoVmx(NoVmx),
    /// These rules cannot be had; why.
    NoRules(&'static str),
    /// No SVM that will do.
    Svm(Missing),
    /// Nested tables cannot have the pages of 1 GiB that were asked for.
    NoGibPages,
    /// VT-x without something that is needed.
    Control(controls::Missing),
    /// ACPI's list of CPUs cannot be read.
    Madt(BadMadt),
    /// A CPU offers other things for guests than the boot CPU.
    OtherCapabilities,
    /// Something is not there that a second CPU needs; what, was said.
    OneCpu,
    /// The stub does not have this CPU.
    Outside(u32),
    /// There is nothing to run.
    NoModule,
    /// The first module is no guest.
    Image(BadImage),
    /// Memory is too small for the stub.
    TooSmall(TooSmall),
    /// Memory is too small for something else; what.
    NoPlace(&'static str),
    /// An instruction of VT-x failed; what it was to do.
    Vmx(&'static str, Failure),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handoff(error) => write!(f, "{error}"),
            Self::NoGuests(vendor) => write!(
                f,
                "this CPU ({vendor}) offers no VMX (CPUID leaf 1, ECX bit 5) and no SVM (leaf 0x80000001, ECX bit 2): no guest can be run"
            ),
            Self::NoRules(why) => write!(f, "the rules that were asked for cannot be had: {why}"),
            Self::Svm(missing) => write!(f, "{missing}"),
            Self::NoGibPages => f.write_str("nested-page=1g: this CPU's nested tables have no 1 GiB pages; there is auto, 4k, 2m"),
            Self::NoVmx(error) => write!(f, "{error}"),
            Self::Control(missing) => write!(f, "{missing}"),
            Self::Madt(why) => write!(f, "ACPI's list of CPUs cannot be read: {why}"),
            Self::OtherCapabilities => {
                f.write_str("it differs from the boot CPU in what it offers for guests")
            }
            Self::OneCpu => f.write_str("the guest cannot be run on several CPUs here"),
            Self::Outside(id) => {
                write!(f, "the guest could start CPU {id} behind the stub's back: no guest is run")
            }
            Self::NoModule => {
                f.write_str("no guest: the first module has to be the guest's kernel")
            }
            Self::Image(error) => write!(f, "the guest module {error}"),
            Self::TooSmall(TooSmall(range)) => {
                let (start, end) = (range.start, range.end);
                write!(
                    f,
                    "memory too small: the stub needs {start:#x}..{end:#x}, and not all of it is usable"
                )
            }
            Self::NoPlace(what) => write!(f, "memory too small: no place for {what}"),
            Self::Vmx(what, failure) => write!(f, "{what} failed: {failure}"),
        }
    }
}
