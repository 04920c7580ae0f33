//! `cargo xtask compare`.

use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use anyhow::{Error, Result, bail};
use clap::Args;
use loadphys_plan::command_line::{List, MethodName, Rules, Swap};
use loadphys_plan::work::{MOST_BATCH, MOST_CPUS, MOST_SHARERS, MOST_SPACES};

mod refusals;

use super::options::{
    list, memory, methods, nested_page, nested_page_needs_stub, number, numbers, refused,
};
use super::swap::SwapOptions;
use crate::boot::{Job, USUAL_MEMORY_MIB};
use crate::build::{Programs, sha256};
use crate::compare::{self, Asked, Document, Measured, Request};
use crate::disks::Bus;
use crate::machines::choose::{check, choose, emulator};
use crate::machines::kvm::Trial;
use crate::machines::{MachineName, Path};
use crate::outcome::bad_input;
use crate::peers::Peer;
use crate::{tools, workspace};

/// Boot what is needed, evict shared pages by every method, and print one table.
///
/// Rows are machine, path, method, rules, sharers and batch. Columns are ticks per page (median, 99th
/// percentile, mean, then the mean of each stage), exits, flushes and interrupts to other CPUs per
/// page, and the mean against that of recursive mapping. On an emulator a tick is an instruction.
///
/// With several CPUs all run programs, and all evict: ticks per page are the time of a round on the first CPU over its
/// pages, ticks of a stage those of the CPU that it is on.
///
/// Before a method is measured the guest tries whether it does what it must: the verdict counts these conformance checks, and
/// one that fails ends the run. Under the table stands what was verified, then which methods change places as batches grow
/// or sharers are added (means within 1 % are a draw), then what each method needs and withstands (a table, and a line for
/// what interrupts would do), then what was skipped. What the machine gives no way to try is called untested: "above 4 GiB"
/// wants --memory 5120.
///
/// Writes compare.json, compare.csv, report.html and its pictures. Exit code: 0 if all that was
/// asked ran, every page was verified and none was lost; 1 for a failed run; 2 for bad arguments or
/// a missing tool; 130 after an interrupt.
#[derive(Args)]
pub struct Arguments {
    /// What runs below the guest: a list of bare, vmx, svm [default: all, where the machine has the swap]
    #[arg(long, value_name = "LIST")]
    path: Option<String>,
    /// What runs below that: auto, qemu-kvm, qemu-tcg or bochs
    #[arg(long, default_value = "auto")]
    machine: String,
    /// Methods: a list, or all that a path has [default: recursive on bare; alias, hypercall and
    /// recursive on vmx and svm]
    ///
    /// There is direct-map, temp-map, paging-off, space-switch, space-switch-pcid, recursive, mirror,
    /// root-array, in-context; on vmx and svm hypercall and alias; on vmx gate and root-view, which switch views by VMFUNC.
    #[arg(long, value_name = "LIST")]
    methods: Option<String>,
    /// What the stub checks of what is stored by calls: a list of tables, typed, typed-preset; vmx boots for each, svm has tables alone
    ///
    /// With tables: that it goes to an entry of a registered table. With typed: what the entry says too; tables are read-only for the
    /// guest, so alias edits by calls, and the stub sets Accessed and Dirty (Bochs writes them past read-only nested pages, so there it has
    /// nothing to do). With typed-preset: entries have both set from the start.
    #[arg(long, value_name = "LIST", default_value = "tables")]
    rules: String,
    /// The largest pages of the stub's nested tables: auto (as the CPU has them), 4k, 2m or 1g
    ///
    /// On hardware a TLB miss under the stub walks two kinds of tables, 24 references at most instead of 4; large nested pages save some of
    /// them. An emulator counts instructions, which are the same whatever the size.
    #[arg(long, value_name = "SIZE")]
    nested_page: Option<String>,
    /// How many spaces share each page, at most 4096 [default: 1,2,4,8]
    #[arg(long, value_name = "LIST")]
    sharers: Option<String>,
    /// How many pages are evicted together, at most 512 and at most --pages [default: 1,32]
    #[arg(long, value_name = "LIST")]
    batch: Option<String>,
    /// Pages to evict for each row, at most a quarter of the memory [default: 1024]
    #[arg(long, value_name = "N")]
    pages: Option<String>,
    /// CPUs of the machine, at most 64; all run programs and evict
    #[arg(long, value_name = "N", default_value = "1")]
    cpus: String,
    /// Memory of the machine; at least 16 on bare, 128 on vmx and svm
    #[arg(long, value_name = "MIB", default_value_t = USUAL_MEMORY_MIB.to_string())]
    memory: String,
    /// Spaces that exist while a row is measured, at most 4096, and as many as 64 KiB each make half of the memory;
    /// 0 is those of its sharers
    #[arg(long, value_name = "N", default_value = "0")]
    spaces: String,
    #[command(flatten)]
    swap: SwapOptions,
    /// Another kernel to compare with: linux, Debian's for virtual machines
    ///
    /// Its package is fetched by apt and unpacked below target, not installed. It boots on the QEMU that bare has, with one
    /// program that evicts as many pages with as many sharers to a RAM disk: one sharer's by madvise, those of several by memory.reclaim
    /// with MGLRU, 32 at a time. Its rows follow ours; "to Linux" is our mean against its mean with as many sharers.
    #[arg(long, value_name = "KERNEL")]
    peer: Option<String>,
    /// Attack tables under every method, in boots of their own, and print what is stopped; --methods all does it by itself
    ///
    /// Stray stores of the kernel and of an interrupt's handler, forged entries, stale addresses, VMCALL and VMFUNC from ring 3. A
    /// cell of the matrix says what was seen.
    #[arg(long)]
    attacks: bool,
    /// Count exits to the stub of an idle and of a busy guest, in boots of their own; --methods all does it by itself
    ///
    /// Idle: all CPUs halt but for the timer. Busy: programs compute, take turns, and are evicted by recursive, which makes no calls. A second
    /// is one of the machine's own clock, the power-management timer; an emulator's second is not the host's.
    #[arg(long)]
    exits: bool,
    /// Print what the rows would cost on hardware: a projection from published costs, not measured
    ///
    /// Cycles a page are its instructions, by an assumed number of instructions per cycle, and each exit, VMFUNC, write of CR3 and INVLPG as many
    /// times as is published of a processor. One of which a cost is not published has no projection for rows that need it. Where ticks are cycles
    /// the measured mean stands beside, with the error. compare.json (projected) and report.html always have it, apart from what was measured.
    #[arg(long)]
    costs: bool,
    /// Where patterns and the order of victims begin
    #[arg(long, value_name = "N", default_value = "1")]
    seed: String,
    /// Sharers 1 and 4, and 64 pages, unless they are given
    #[arg(long)]
    quick: bool,
    /// End a boot by force after so many seconds [default: 600, and one more for every 2000 pages that
    /// its programs have to check]
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<String>,
    /// Where to write the files [default: target/compare]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let request = self.request()?;
        let asked = MachineName::named(&self.machine)?;
        request.paths.iter().try_for_each(|path| check(*path, asked))?;
        let peer = self.peer.as_deref().map(Peer::named).transpose()?;
        refusals::impossible(&request)?;
        refusals::rules_out_of_place(&request)?;
        nested_page_needs_stub(self.nested_page.as_deref(), &request.paths)?;
        let memory_mib = memory(&self.memory, &request.paths)?;
        peer.map_or(Ok(()), |peer| peer.check_memory(memory_mib))?;
        let limit = self.limit()?;
        refusals::many_pages(&request, memory_mib)?;
        refusals::many_spaces(&request, memory_mib)?;
        refusals::large_batch(&request)?;
        peer.map_or(Ok(()), Peer::fetch)?;
        let out = self.out.clone().unwrap_or_else(|| workspace::target().join("compare"));
        make_directory(&out)?;
        let programs = Programs::build(&request.paths)?;
        let hash = sha256(&programs.guest)?;
        eprintln!("revision {}, guest sha256 {hash} on every path", workspace::revision());
        let jobs = jobs(&request, asked, &programs, &self.swap, memory_mib, limit)?;
        let peer =
            peer.map(|peer| Ok::<_, Error>((peer, job_of_peer(peer, &request, &jobs, limit)?)));
        let peer = peer.transpose()?;
        let boots = compare::measure(&request, &jobs)?;
        let peer = peer.map(|(peer, job)| compare::measure_peer(&request, peer, &job));
        let peer = peer.transpose()?;
        let mut document = compare::gather_with(&request, &boots, peer.as_ref(), hash);
        let attacked = self.attacked(&request, &jobs)?;
        document.add_attacks(&attacked);
        let watched = self.watched(&request, &jobs)?;
        document.add_activities(&watched);
        show(&document);
        if self.costs && !document.rows.is_empty() {
            show_costs(&document);
        }
        write(&document, &out)?;
        conclude(&document, &[boots, attacked, watched].concat(), peer.as_ref())
    }

    fn request(&self) -> Result<Request> {
        let (sharers, batch, pages) = usual(self.quick);
        Ok(Request {
            paths: self.paths()?,
            methods: self.methods.as_deref().map_or(Ok(Asked::Usual), asked)?,
            sharers: numbers(
                "--sharers",
                self.sharers.as_deref().unwrap_or(sharers),
                MOST_SHARERS,
            )?,
            batch: numbers("--batch", self.batch.as_deref().unwrap_or(batch), MOST_BATCH)?,
            pages: number("--pages", self.pages.as_deref().unwrap_or(pages), 1, MOST_PAGES)? as u32,
            seed: number("--seed", &self.seed, 0, u64::MAX)?,
            cpus: number("--cpus", &self.cpus, 1, MOST_CPUS.into())? as u32,
            spaces: number("--spaces", &self.spaces, 0, MOST_SPACES.into())? as u32,
            swap: self.swap.kind()?.unwrap_or(Swap::Ram),
            rules: list(&self.rules, |word| word.parse().map_err(refused))?,
            nested_page: nested_page(self.nested_page.as_deref())?,
        })
    }

    /// The boots in which methods are attacked, if that was asked for.
    fn attacked(&self, request: &Request, jobs: &[(Path, Job)]) -> Result<Vec<Measured>> {
        match self.attacks || request.methods == Asked::All {
            true => compare::attack(jobs),
            false => Ok(Vec::new()),
        }
    }

    /// The boots in which exits are counted, if that was asked for.
    fn watched(&self, request: &Request, jobs: &[(Path, Job)]) -> Result<Vec<Measured>> {
        match self.exits || request.methods == Asked::All {
            true => compare::watch(jobs),
            false => Ok(Vec::new()),
        }
    }

    /// A time limit that was asked for.
    fn limit(&self) -> Result<Option<Duration>> {
        let seconds = |text: &String| number("--time-limit", text, 1, 1 << 20);
        Ok(self.time_limit.as_ref().map(seconds).transpose()?.map(Duration::from_secs))
    }

    /// The paths that were asked for; or all whose machine has the swap, and the others are named.
    fn paths(&self) -> Result<Vec<Path>> {
        if let Some(paths) = &self.path {
            return list(paths, Path::named);
        }
        let (asked, swap) = (MachineName::named(&self.machine)?, self.swap.kind()?);
        let mut paths = Path::ALL.to_vec();
        paths.retain(|path| {
            let machine = asked.unwrap_or(emulator(*path));
            let bus = swap.and_then(Bus::of).filter(|bus| !bus.is_on(machine));
            if bus.is_some() {
                eprintln!("path {path} is left out: {machine} has no such disk");
            }
            bus.is_none()
        });
        Ok(paths)
    }
}

/// The most pages that the guest's segments have addresses for.
const MOST_PAGES: u64 = 1 << 20;

/// Sharers, batch sizes and pages unless something else is asked for.
const fn usual(quick: bool) -> (&'static str, &'static str, &'static str) {
    if quick { ("1,4", "1,32", "64") } else { ("1,2,4,8", "1,32", "1024") }
}

fn asked(text: &str) -> Result<Asked> {
    let Some(names) = methods(text)? else { return Ok(Asked::All) };
    Ok(Asked::Named(List::new(names).expect("there are fewer methods than a list can hold")))
}

fn jobs(
    request: &Request,
    asked: Option<MachineName>,
    programs: &Programs,
    swap: &SwapOptions,
    memory_mib: u32,
    limit: Option<Duration>,
) -> Result<Vec<(Path, Job)>> {
    let job = |(path, rules): (Path, Rules)| {
        let choice = choose(path, asked, Trial { programs, cpus: request.cpus })?;
        eprintln!("{path}: {} ({})", choice.machine, choice.reason);
        tools::ensure(tools::Need::of(choice.machine))?;
        let plan = request.plan(path, choice.machine, rules);
        let disks = swap.disks(&plan, path, choice.machine)?;
        let line = plan.to_string();
        let limit = limit.unwrap_or_else(|| request.time_limit(path, choice.machine));
        let job = Job::of_guest(path, choice.machine, programs, line, limit);
        let name = compare::name(path, choice.machine, rules);
        Ok((path, Job { name, memory_mib, disks, ..job }))
    };
    let boots = |path: &Path| {
        let path = *path;
        request.rules_on(path).into_iter().map(move |rules| (path, rules))
    };
    request.paths.iter().flat_map(boots).map(job).collect()
}

/// A peer boots on the QEMU that bare has, with as much memory.
fn job_of_peer(
    peer: Peer,
    request: &Request,
    jobs: &[(Path, Job)],
    limit: Option<Duration>,
) -> Result<Job> {
    let (_, first) = jobs.first().expect("there is a path");
    let kvm =
        jobs.iter().any(|(path, job)| *path == Path::Bare && job.machine == MachineName::QemuKvm);
    let machine = if kvm { MachineName::QemuKvm } else { MachineName::QemuTcg };
    tools::ensure(tools::Need::of(machine))?;
    let job = peer.job(request, machine)?;
    let time_limit = limit.unwrap_or(job.time_limit);
    Ok(Job { memory_mib: first.memory_mib, time_limit, ..job })
}

/// Makes a directory that files can be written to.
fn make_directory(directory: &FilePath) -> Result<()> {
    let made = fs::create_dir_all(directory).and_then(|()| tempfile::tempfile_in(directory));
    let refused = |error| match directory.is_file() {
        true => bad_input(format!("--out {}: is a file, not a directory", directory.display())),
        false => bad_input(format!("cannot write to --out {}: {error}", directory.display())),
    };
    made.map(drop).map_err(refused)
}

/// A comparison without a row leaves the files of an earlier one alone.
fn write(document: &Document, directory: &FilePath) -> Result<()> {
    if document.rows.is_empty() {
        eprintln!("no row was measured: files in {} are left as they were", directory.display());
        return Ok(());
    }
    for file in compare::write(document, directory)? {
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}

fn show(document: &Document) {
    if document.rows.is_empty() {
        show_skipped(document);
        return;
    }
    println!("{}", compare::table(document));
    println!("{}", compare::verdict(document));
    for machine in &document.machines {
        println!("{}: a tick is one {}", machine.id, machine.tick);
    }
    println!("ratio: mean against recursive of the same machine and path; * against that of bare");
    if !document.peers.is_empty() {
        println!("to Linux: mean against Linux's with as many sharers, whatever the batch");
    }
    swap_told(document).iter().for_each(|line| println!("{line}"));
    apic_told(document).iter().for_each(|line| println!("{line}"));
    switches_told(document).iter().for_each(|line| println!("{line}"));
    compare::two_walks_told(document).iter().for_each(|line| println!("{line}"));
    compare::flips_told(&document.flips).iter().for_each(|line| println!("flip: {line}"));
    if !document.targets.is_empty() {
        println!("{}", compare::targets_told(&document.targets));
    }
    compare::activities_told(&document.activities).iter().for_each(|line| println!("{line}"));
    compare::unmeasured_told(&document.unmeasured).iter().for_each(|line| println!("{line}"));
    println!("{}", compare::properties(&document.properties));
    compare::conformance_told(document).iter().for_each(|line| println!("{line}"));
    compare::attacks_told(&document.attacks).iter().for_each(|line| println!("{line}"));
    show_skipped(document);
}

fn show_costs(document: &Document) {
    let told = compare::costs_told(&compare::costs(document));
    println!("{}", told.title);
    println!("{}", compare::costs_table(&told));
    told.notes.iter().for_each(|note| println!("projected: {note}"));
}

/// What must be known of ticks while a disk works.
fn swap_told(document: &Document) -> Option<String> {
    let swap = document.rows.first().map(|row| row.row.swap.clone())?;
    (swap != Swap::Ram.name()).then(|| {
        format!("swap: {swap}; stage write counts while the kernel waits for the disk; on QEMU it differs from run to run")
    })
}

/// Where exits are not the method's alone.
fn apic_told(document: &Document) -> Option<String> {
    let traps = |path: &str, cpus| Path::named(path).is_ok_and(|path| path.traps_apic(cpus));
    let any = document.rows.iter().any(|it| traps(&it.row.path, it.row.cpus));
    any.then(|| {
        "svm: with several CPUs each store to the local APIC's registers exits (reason 48), since AMD's CPUs tell a hypervisor of no SIPI: the \
         timer and interrupts to other CPUs cost exits there, whatever the method"
            .into()
    })
}

/// Where a switch of views is not what it is on hardware.
fn switches_told(document: &Document) -> Option<String> {
    let switches = [MethodName::Gate, MethodName::RootView].map(MethodName::name);
    let emulated = MachineName::QemuKvm.name();
    let rows = &document.rows;
    let any = rows.iter().any(|it| it.machine == emulated && switches.contains(&&*it.row.method));
    any.then(|| format!("{}: on {emulated} KVM emulates VMFUNC, so each switch costs an exit to it, which no count shows", switches.join(", ")))
}

fn show_skipped(document: &Document) {
    for it in &document.skipped {
        let skipped = &it.skipped;
        println!(
            "skipped {} on {} ({}): {}",
            skipped.method, skipped.path, it.machine, skipped.reason
        );
    }
}

fn conclude(
    document: &Document,
    boots: &[Measured],
    peer: Option<&compare::MeasuredPeer>,
) -> Result<()> {
    let ours = boots.iter().map(|it| (it.name(), &it.report));
    let peer = peer.map(|it| (format!("{} on {}", it.peer.name(), it.machine), &it.report));
    for (name, report) in ours.chain(peer) {
        if report.verdict().is_err() {
            eprintln!("last lines of {name}:");
            report.tail().iter().for_each(|line| eprintln!("  {line}"));
        }
    }
    for line in &document.wrong {
        eprintln!("wrong: {line}");
    }
    match document.wrong.as_slice() {
        [] => Ok(()),
        [only] => bail!("the comparison failed: {only}"),
        [first, others @ ..] => bail!("the comparison failed: {first}; and {} more", others.len()),
    }
}
