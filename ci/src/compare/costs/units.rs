//! What single events cost on processors, as published. Nothing stands here that no source states.

use std::fmt;

use serde::Serialize;

use crate::machines::Path;

/// From the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// What costs far more than an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An exit to the stub, and the way back.
    Exit,
    /// The same where the stub is itself a guest of KVM.
    NestedExit,
    /// An exit to KVM, below the stub.
    ExitToKvm,
    /// A switch of views by VMFUNC.
    Vmfunc,
    /// A write of CR3.
    RootWrite,
    /// An INVLPG, or an INVPCID of one address.
    Invlpg,
    /// An interrupt to another CPU, until it has answered.
    Ipi,
    /// Paging switched off and on again.
    PagingOff,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exit => "VM exit",
            Self::NestedExit => "nested VM exit",
            Self::ExitToKvm => "exit to KVM",
            Self::Vmfunc => "VMFUNC",
            Self::RootWrite => "MOV CR3",
            Self::Invlpg => "INVLPG",
            Self::Ipi => "IPI",
            Self::PagingOff => "paging off and on",
        })
    }
}

/// What an event costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Unit {
    /// The event.
    pub event: Event,
    /// Cycles.
    #[serde(flatten)]
    pub cycles: Range,
    /// Who says so.
    pub source: &'static str,
}

/// A processor, and what is published of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Processor {
    /// Its name.
    pub name: &'static str,
    /// What costs are known.
    pub units: &'static [Unit],
    #[serde(skip)]
    stub: Path,
}

impl Processor {
    /// Whether its CPUs have a path.
    pub fn has(&self, path: &str) -> bool {
        [Path::Bare, self.stub].iter().any(|it| it.name() == path)
    }

    /// Cycles of an event, if they are published.
    pub fn cycles(&self, event: Event) -> Option<Range> {
        self.units.iter().find(|unit| unit.event == event).map(|unit| unit.cycles)
    }
}

const fn unit(event: Event, low: f64, high: f64, source: &'static str) -> Unit {
    Unit { event, cycles: Range { low, high }, source }
}

/// From the hardware's share to all of a call to a minimal hypervisor. What the stub executes is counted among the instructions, too, so the
/// high end is too high rather than too low.
const EXIT: Unit = unit(
    Event::Exit,
    676.0,
    1426.0,
    "Errand notes, Skylake-SP: exit and resume by the hardware alone, to VMCALL of a minimal hypervisor",
);

const NESTED_EXIT: Unit = unit(
    Event::NestedExit,
    13_200.0,
    14_900.0,
    "\"VMX optimizations\", KVM list, 2019: VMCALL from L2 to L1",
);

const EXIT_TO_KVM: Unit = unit(
    Event::ExitToKvm,
    1800.0,
    3900.0,
    "kvm-unit-tests vmexit, Haswell, 2019: VMCALL; the high end with mitigations",
);

const VMFUNC: Unit = unit(
    Event::Vmfunc,
    134.0,
    134.0,
    "SkyBridge, EuroSys 2019, second-hand: EPTP switch with VPID",
);

/// Every processor of which something is published.
pub const PROCESSORS: [Processor; 6] = [
    Processor { name: "Skylake-SP", stub: Path::Vmx, units: &[EXIT] },
    Processor { name: "Haswell", stub: Path::Vmx, units: &[EXIT_TO_KVM] },
    Processor {
        name: "Intel of SkyBridge",
        stub: Path::Vmx,
        units: &[
            VMFUNC,
            unit(Event::RootWrite, 186.0, 186.0, "SkyBridge, EuroSys 2019, second-hand: with PCID"),
        ],
    },
    Processor {
        name: "Intel of Molnar",
        stub: Path::Vmx,
        units: &[
            unit(Event::RootWrite, 127.0, 230.0, "Molnar, Linux kernel list, 2015"),
            unit(Event::Invlpg, 93.0, 280.0, "Molnar, Linux kernel list, 2015: hot"),
        ],
    },
    Processor {
        name: "any Intel",
        stub: Path::Vmx,
        units: &[
            EXIT,
            NESTED_EXIT,
            EXIT_TO_KVM,
            VMFUNC,
            unit(Event::RootWrite, 127.0, 230.0, "the span of Molnar 2015 and SkyBridge 2019"),
            unit(
                Event::Invlpg,
                93.0,
                584.0,
                "the span of Molnar 2015 (hot 93, cold 584), Hansen 2014 (227 a page) and Hansen 2018 (INVPCID of one address, 350)",
            ),
        ],
    },
    Processor {
        name: "AMD of Roth",
        stub: Path::Svm,
        units: &[unit(
            Event::Exit,
            1344.0,
            1376.0,
            "Roth, Linux kernel list, December 2020: VMRUN until the exit, in KVM",
        )],
    },
];
