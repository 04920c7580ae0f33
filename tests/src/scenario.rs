//! Work for the kernel, and what comes of it under a method.

mod outcome;
mod setup;
mod step;

use foreign_access::cpu::Counted;
use foreign_access::methods::{AnyMethod, Bindings};
use foreign_access::{Cpu, Method};
use loadphys_abi::batch::Item;
use loadphys_rules::Tables;

use crate::flushes::Flushes;
use crate::kernel::{
    BOOT_ROOT, CPUS, Intruder, Kernel, METHODS, ModelMachine, Plain, Protocol, Records, boot,
    boot_views, chosen, protocol,
};
use crate::model::{Model, ModelCpu, Random};

pub use outcome::{Checkpoint, Outcome};
pub use setup::Setup;
pub use step::Step;

/// A kernel whose method is one of the list, on CPUs that count.
pub type Tested<'r, 'm, 'i> = Kernel<'r, 'm, Counted<ModelCpu<'m>>, AnyMethod<'i>>;

/// The names of all methods.
pub fn methods() -> &'static [&'static str] {
    METHODS
}

/// Boots a kernel and works with it.
pub fn with_kernel<T>(
    setup: &Setup,
    work: impl for<'r, 'm, 'i> FnOnce(&mut Tested<'r, 'm, 'i>) -> T,
) -> T {
    with_model(setup, |model, rules, (flushes, protocol)| {
        let (mut items, bindings) = (vec![Item::default(); setup.room], Bindings::none());
        let method = chosen(setup.method, &mut items, &bindings);
        let cpus = cpus(model, Counted::new);
        booted(setup, rules, ModelMachine::new(model, flushes, protocol, cpus, method), work)
    })
}

/// Does the steps, with a method of the list or `plain`.
pub fn run(setup: &Setup, steps: &[Step]) -> Outcome {
    with_model(setup, |model, rules, (flushes, protocol)| {
        let (mut items, bindings) = (vec![Item::default(); setup.room], Bindings::none());
        let cpus = cpus(model, |cpu| cpu.asking(flushes));
        match setup.method {
            "plain" => {
                let machine = ModelMachine::new(model, flushes, protocol, cpus, Plain(model));
                booted(setup, rules, machine, |kernel| life(kernel, setup, steps))
            }
            name => {
                let method = chosen(name, &mut items, &bindings);
                let machine = ModelMachine::new(model, flushes, protocol, cpus, method);
                let outcome = booted(setup, rules, machine, |kernel| life(kernel, setup, steps));
                Outcome { sites: flushes.asked(), ..outcome }
            }
        }
    })
}

fn with_model<T>(
    setup: &Setup,
    work: impl FnOnce(&Model<'_>, Tables<'_>, (&Flushes, &Protocol)) -> T,
) -> T {
    let states = Records::for_rules(setup.frames);
    let rules = Tables::new(&states);
    let model = Model::new(setup.frames, CPUS, BOOT_ROOT, rules, setup.seed);
    work(&model, rules, (&Flushes::new(setup.flushing), &protocol(CPUS)))
}

/// The CPUs of a model, as the method sees them.
pub(crate) fn cpus<'m, C>(model: &'m Model<'m>, cpu: impl Fn(ModelCpu<'m>) -> C) -> Vec<C> {
    (0..CPUS).map(|number| cpu(ModelCpu::new(model, number))).collect()
}

/// Boots a kernel on this machine and works with it.
pub(crate) fn booted<'m, C: Cpu, M: Method<C>, T>(
    setup: &Setup,
    rules: Tables<'_>,
    mut machine: ModelMachine<'m, C, M>,
    work: impl FnOnce(&mut Kernel<'_, 'm, C, M>) -> T,
) -> T {
    let mut records = Records::new(setup.frames, 100, setup.slots);
    let mut memory = records.memory();
    boot(machine.model, rules, &mut memory.frames);
    boot_views(machine.model, setup.method);
    if setup.intruder {
        machine.intruder = Intruder::Somebody(Random::new(setup.seed + 1));
    }
    if setup.pcids {
        machine.use_pcids();
    }
    let mut kernel = Kernel::new(memory, machine, setup.room);
    kernel.choice = setup.choice;
    work(&mut kernel)
}

/// From the first step to the end.
fn life<C: Cpu, M: Method<C>>(
    kernel: &mut Kernel<'_, '_, C, M>,
    setup: &Setup,
    steps: &[Step],
) -> Outcome {
    let mut outcome = Outcome { free: [kernel.free(); 2], ..Outcome::default() };
    for (number, step) in (1..).zip(steps) {
        let taken = step.take(kernel, &mut outcome.evicted);
        outcome.take(taken);
        if kernel.model().has_violations() && !setup.goes_on {
            outcome.violations = kernel.model().take_violations();
            return outcome;
        }
        let due = |every| every > 0 && number % every == 0;
        // After the last step it is done anyway.
        if due(setup.audited_every) && number < steps.len() {
            outcome.take(kernel.audit().map(drop));
        }
        if due(setup.remembered_every) {
            outcome.remember(kernel);
        }
    }
    outcome.finish(kernel);
    outcome
}
