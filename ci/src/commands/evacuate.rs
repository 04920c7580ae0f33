//! `cargo xtask evacuate`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use loadphys_plan::command_line::{List, MemoryRange, Methods, Plan, PlanName};
use loadphys_plan::records::{Evacuation, Record};
use loadphys_plan::work::MOST_SHARERS;

use super::options::{list, memory, methods, number, refused};
use crate::boot::{self, Job, Report, USUAL_MEMORY_MIB};
use crate::build::Programs;
use crate::evacuation;
use crate::machines::choose::{check, choose};
use crate::machines::kvm::Trial;
use crate::machines::{MachineName, Path};
use crate::tools;

/// Move everything out of a range of memory while programs run, by every method, and print one table.
///
/// Programs write and check their pages, and the timer interrupts them. After each slice of one a batch of frames moves out
/// of the range: pages, then tables, then roots of these very programs. Afterwards no entry of any space and no record leads
/// into the range, which is shown by walking all of them; pages go to swap and come back, and the range is still unused. Then it
/// is opened again for the next method.
///
/// Columns: frames that moved, by kind; ticks per frame, its copy included (half of them are pages and take no more than
/// p50; tables are dearer, as the reverse map of all their pages changes); the longest that programs waited; entries and
/// records looked at; frames of the range that the kernel's half still leads to, which are none unless the method maps all of
/// memory. On an emulator a tick is an instruction.
///
/// Exit code: 0 if every range was emptied, every page was verified and none was lost; 1 if not; 2 for bad
/// arguments or a missing tool.
#[derive(Args)]
pub struct Arguments {
    /// What runs below the guest: a list of bare, vmx, svm
    #[arg(long, value_name = "LIST", default_value = "bare")]
    path: String,
    /// What runs below that: auto, qemu-kvm, qemu-tcg or bochs
    #[arg(long, default_value = "auto")]
    machine: String,
    /// Methods: a list, or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    methods: String,
    /// Which physical memory, in hexadecimal, such as 0x400000-0x500000; auto: where programs have most frames
    #[arg(long, value_name = "START-END", default_value = "auto")]
    range: String,
    /// Programs, which share all their pages but four each; at most 200
    #[arg(long, value_name = "N", default_value = "4")]
    sharers: String,
    /// Pages that they share
    #[arg(long, value_name = "N", default_value = "256")]
    pages: String,
    /// Memory of the machine; at least 16 on bare, 128 on vmx and svm
    #[arg(long, value_name = "MIB", default_value_t = USUAL_MEMORY_MIB.to_string())]
    memory: String,
    /// End a boot by force after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    time_limit: String,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let paths = list(&self.path, Path::named)?;
        let asked = MachineName::named(&self.machine)?;
        paths.iter().try_for_each(|path| check(*path, asked))?;
        let plan = self.plan()?;
        let memory_mib = memory(&self.memory, &paths)?;
        let limit = Duration::from_secs(number("--time-limit", &self.time_limit, 1, 1 << 20)?);
        let programs = Programs::build(&paths)?;
        let mut reports = Vec::new();
        for path in paths {
            let choice = choose(path, asked, Trial { programs: &programs, cpus: plan.cpus })?;
            eprintln!("{path}: {} ({})", choice.machine, choice.reason);
            tools::ensure(tools::Need::of(choice.machine))?;
            let line = Plan { exit: choice.machine.exit(), ..plan.clone() }.to_string();
            let job = Job::of_guest(path, choice.machine, &programs, line, limit);
            let report = boot::boot(&Job { memory_mib, ..job }, |_, record| told(record))?;
            reports.push((choice.machine, report));
        }
        show(&reports);
        conclude(&reports)
    }

    /// What the guest is asked to do. Frames are not poisoned: ticks are those of the work.
    fn plan(&self) -> Result<Plan> {
        let named = |names: Vec<_>| Methods::Named(List::new(names).expect("different methods"));
        let sharers = number("--sharers", &self.sharers, 1, MOST_SHARERS.into())? as u32;
        Ok(Plan {
            plan: PlanName::Evacuate,
            methods: methods(&self.methods)?.map_or(Methods::All, named),
            sharers: List::new([sharers]).expect("one number"),
            pages: number("--pages", &self.pages, 1, MOST_PAGES)? as u32,
            check: false,
            range: MemoryRange::parse(&self.range).map_err(refused)?,
            ..Plan::default()
        })
    }
}

/// The most pages that the guest's segments have addresses for.
const MOST_PAGES: u64 = 1 << 20;

fn told(record: Option<&Record>) {
    if let Some(Record::Evacuation(Evacuation { method, frames, .. })) = record {
        eprintln!("{method}: {frames} frames are empty");
    }
}

fn show(reports: &[(MachineName, Report)]) {
    println!("{}", evacuation::table(reports));
    println!("{}", evacuation::verdict(reports));
    for (machine, report) in reports {
        println!("{machine}: a tick is one {}", machine.tick());
        for skipped in evacuation::skipped(report) {
            println!("skipped {} on {}: {}", skipped.method, skipped.path, skipped.reason);
        }
    }
}

fn conclude(reports: &[(MachineName, Report)]) -> Result<()> {
    for (machine, report) in reports {
        if let Err(reason) = report.verdict() {
            eprintln!("last lines of {machine}:");
            report.tail().iter().for_each(|line| eprintln!("  {line}"));
            bail!("the evacuation failed: {reason}");
        }
        if let Some(wrong) = evacuation::wrong(report) {
            bail!("the evacuation failed: {wrong}");
        }
    }
    Ok(())
}
