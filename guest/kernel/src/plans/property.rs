//! What is told of a method besides its rows.

use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Property;

use crate::conformance::Conformance;
use crate::measure::report::name;

/// What a method takes and asks for, as far as it was seen; how long it kept interrupts off and waited is what was
/// measured.
pub fn property(
    method: MethodName,
    seen: &Conformance,
    irq_off_max: u64,
    latency: u64,
) -> Property {
    Property {
        method: name(method.name()),
        virtual_bytes: seen.extent.virtual_bytes,
        bytes_per_space: seen.extent.bytes_per_space,
        irqs_off: irq_off_max > 0 || seen.interrupts.is_some_and(|struck| struck.held > 0),
        recursive_format: seen.extent.recursive_format,
        above_4gib: seen.above_4gib,
        cpus_at_once: name(apart(method)),
        nmi: seen.nmi,
        interrupts: seen.interrupts,
        oracle_sees: seen.oracle_sees,
        oracle_sees_foreign: seen.oracle_sees_foreign,
        conformance: seen.passed,
        untested: seen.untested,
        irq_off_max,
        context_latency_max: latency,
    }
}

/// What keeps several CPUs apart that use the method at once. This is what the method promises and is held to on the model of
/// the MMU.
const fn apart(method: MethodName) -> &'static str {
    match method {
        MethodName::DirectMap | MethodName::Mirror | MethodName::Alias => {
            "nothing is written but entries"
        }
        MethodName::Gate => "its own view",
        MethodName::RootView => "views, asked for one at a time",
        MethodName::TempMap => "a window each",
        MethodName::Recursive | MethodName::RootArray => "a slot each",
        MethodName::SpaceSwitch | MethodName::SpaceSwitchPcid => "its own CR3",
        MethodName::PagingOff => "items and a stack each",
        MethodName::Hypercall => "items each",
        MethodName::InContext => "one at a time in a space",
    }
}
