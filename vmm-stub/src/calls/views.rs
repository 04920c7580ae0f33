//! Calls about views: the gate, and views of other roots.

use core::hint::spin_loop;

use loadphys_abi::Status;

use super::Answer;
use crate::cpu::Cpu;
use crate::flush::{self, Caches};
use crate::stale::Stale;
use crate::vcpu::Vcpu;
use crate::views::{Taken, Views};

fn views<V: Vcpu>(cpu: &Cpu<V>) -> Result<&'static Views<'static>, Status> {
    cpu.shared.views.as_ref().ok_or(Status::NotOffered)
}

fn answer(done: Result<u64, Status>) -> Answer {
    done.map_or_else(Answer::refused, Answer::done)
}

/// The frame is taken, all CPUs forget that they could write to it, and only then can it be executed in other views.
pub(super) fn set_gate<V: Vcpu>(frame: u64, cpu: &mut Cpu<V>) -> Answer {
    let done = views(cpu).and_then(|views| {
        let stale = views.set_gate(cpu.shared.rules.tables()?, frame)?;
        flush::forget(stale, cpu);
        views.open_gate(frame);
        Ok(0)
    });
    answer(done)
}

pub(super) fn bind_view<V: Vcpu>(own: u64, target: u64, cpu: &mut Cpu<V>) -> Answer {
    answer(views(cpu).and_then(|views| bind(views, (own, target), cpu)).map(u64::from))
}

fn bind<V: Vcpu>(views: &Views<'_>, roots: (u64, u64), cpu: &mut Cpu<V>) -> Result<u32, Status> {
    let tables = cpu.shared.rules.tables()?;
    let view = loop {
        match views.take(tables, roots, cpu.number)? {
            Taken::Bound(view) => return Ok(view),
            Taken::Free(view) => break view,
            Taken::Recycled(view, stale) => {
                cpu.counts.views_recycled.add(1);
                flush::forget(stale, cpu);
                break view;
            }
            // Those who hold them wait for this CPU.
            Taken::NoneNow => cpu.shared.team.catch_up(cpu.number, &mut Caches::of(cpu)),
        }
        spin_loop();
    };
    views.bind(tables, view, roots, cpu.number)
}

/// Takes away what a root that was released has a part in.
pub(super) fn unbind<V: Vcpu>(root: u64, cpu: &Cpu<V>) -> Option<Stale> {
    views(cpu).ok()?.unbind(root, cpu.number)
}

/// All CPUs have forgotten it.
pub(super) fn settle<V: Vcpu>(cpu: &Cpu<V>) {
    if let Ok(views) = views(cpu) {
        views.settle(cpu.number);
    }
}
