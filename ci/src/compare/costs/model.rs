//! What a row would cost on a processor: its instructions, and what it did that costs more than an instruction.

use loadphys_plan::command_line::MethodName;

use super::units::{Event, Processor, Range};
use crate::compare::document::MeasuredRow;
use crate::machines::MachineName;

/// Instructions that a processor completes in a cycle.
pub const IPC: Range = Range { low: 0.5, high: 2.0 };

/// What a row did per page that costs more than an instruction.
pub fn events(measured: &MeasuredRow) -> Vec<(Event, f64)> {
    let (row, events) = (&measured.row, &measured.row.events);
    // KVM lets no guest of a guest switch views by itself.
    let nested = measured.machine == MachineName::QemuKvm.name() && measured.nested_page.is_some();
    let (exit, vmfunc) =
        if nested { (Event::NestedExit, Event::ExitToKvm) } else { (Event::Exit, Event::Vmfunc) };
    // How often is not recorded: once a batch, at least.
    let off = row.method == MethodName::PagingOff.name();
    let paging_off = if off { 1.0 / f64::from(row.batch) } else { 0.0 };
    let all = [
        (exit, events.vm_exits),
        (vmfunc, events.vmfuncs),
        (Event::RootWrite, events.root_writes),
        (Event::Invlpg, events.invlpgs),
        (Event::Ipi, events.ipis),
        (Event::PagingOff, paging_off),
    ];
    all.into_iter().filter(|(_, count)| *count > 0.0).collect()
}

/// Cycles on a processor.
///
/// # Errors
/// The events of which no cost is published for it.
pub fn cycles(
    instructions: f64,
    events: &[(Event, f64)],
    processor: &Processor,
) -> Result<Range, Vec<Event>> {
    let unknown = events.iter().filter(|(event, _)| processor.cycles(*event).is_none());
    let unknown: Vec<Event> = unknown.map(|(event, _)| *event).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let alone = Range { low: instructions / IPC.high, high: instructions / IPC.low };
    let costs =
        events.iter().filter_map(|(event, count)| Some((processor.cycles(*event)?, *count)));
    Ok(costs.fold(alone, |sum, (unit, count)| Range {
        low: unit.low.mul_add(count, sum.low),
        high: unit.high.mul_add(count, sum.high),
    }))
}

/// By how much a projection misses what was measured, in percent: below zero it is too low.
pub fn error_percent(projected: Range, measured: f64) -> Option<Range> {
    let off = |projected: f64| (projected / measured - 1.0) * 100.0;
    let error = Range { low: off(projected.low), high: off(projected.high) };
    (error.low.is_finite() && error.high.is_finite()).then_some(error)
}
