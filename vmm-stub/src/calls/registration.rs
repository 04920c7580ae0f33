//! Frames become tables, and cease to be.

use loadphys_abi::{Kept, Status};
use loadphys_rules::Tables;
use spin::Mutex;

use super::{Answer, views};
use crate::cpu::{Cpu, Shared};
use crate::flush;
use crate::nested::ept::{READ, WRITE};
use crate::physical::Guest;
use crate::rules::{Guarded, Rules};
use crate::stale::Stale;
use crate::vcpu::Vcpu;
use crate::views::Views;

pub(super) fn register<V: Vcpu>(frame: u64, level: u64, kept: Kept, cpu: &mut Cpu<V>) -> Answer {
    let done = match &cpu.shared.rules {
        Rules::Tables(tables) => in_tables(tables, frame, level, kept, cpu.shared),
        Rules::Typed(guarded, _) => in_typed(guarded, frame, level, kept, cpu),
    };
    done.map_or_else(Answer::refused, |()| Answer::done(0))
}

fn in_tables(
    tables: &Tables<'_>,
    frame: u64,
    level: u64,
    kept: Kept,
    shared: &Shared,
) -> Result<(), Status> {
    let gate = shared.views.as_ref().and_then(Views::alias);
    if kept == Kept::Open || kept == Kept::Gate && gate.is_none() {
        return Err(Status::NotOffered);
    }
    let alias = shared.alias.as_ref().map(Mutex::lock);
    let table = tables.register(frame, level)?;
    match kept {
        Kept::Alias => alias.iter().for_each(|alias| alias.show(table, READ | WRITE)),
        Kept::Gate => gate.iter().for_each(|alias| alias.show(table, READ | WRITE)),
        Kept::Calls | Kept::Open => {}
    }
    Ok(())
}

/// The type first, then the flush, then the use: what lies in the frame is looked at when no CPU can change it.
fn in_typed<V: Vcpu>(
    guarded: &Mutex<Guarded<'_>>,
    frame: u64,
    level: u64,
    kept: Kept,
    cpu: &mut Cpu<V>,
) -> Result<(), Status> {
    match kept {
        Kept::Gate => return Err(Status::NotOffered),
        Kept::Open => return guarded.lock().typed_mut().open(frame, level).map(drop),
        Kept::Calls | Kept::Alias => {}
    }
    let (table, stale) = guarded.lock().begin(frame, level)?;
    flush::forget(stale, cpu);
    let mut guarded = guarded.lock();
    let table = guarded.finish(table, &Guest)?;
    if let (Some(alias), Kept::Alias) = (&cpu.shared.alias, kept) {
        alias.lock().show(table, READ);
    }
    Ok(())
}

/// Each alias forgets the table, on all CPUs, and so does each view of a root, before the guest hears that it is released.
pub(super) fn release<V: Vcpu>(frame: u64, cpu: &mut Cpu<V>) -> Answer {
    let hidden = match hide(frame, cpu.shared) {
        Ok(hidden) => hidden.into_iter().flatten(),
        Err(status) => return Answer::refused(status),
    };
    cpu.counts.alias_flushes.add(hidden.clone().count() as u64);
    if let Some(stale) = hidden.chain(views::unbind(frame, cpu)).next() {
        flush::forget(stale, cpu);
        views::settle(cpu);
    }
    Answer::done(0)
}

/// The frame is a table no more, and aliases do not show it.
fn hide(frame: u64, shared: &Shared) -> Result<[Option<Stale>; 2], Status> {
    match &shared.rules {
        Rules::Tables(tables) => {
            let alias = shared.alias.as_ref().map(Mutex::lock);
            let table = tables.release(frame)?;
            let gate = shared.views.as_ref().and_then(Views::alias);
            Ok([alias.as_deref(), gate].map(|alias| alias?.hide(table)))
        }
        // Locked in the order in which `in_typed` does.
        Rules::Typed(guarded, _) => {
            let mut guarded = guarded.lock();
            let table = guarded.release(frame, &Guest)?;
            Ok([shared.alias.as_ref().and_then(|alias| alias.lock().hide(table)), None])
        }
    }
}
