//! Attacks on tables, each really carried out under every method: what stops it, if anything does.
//!
//! Two programs run; the space of the first is loaded, the other is foreign. Each has a table that maps nothing, in which one
//! entry is attacked: a store there leaves something that no walker uses. Whether it came there is seen by a window of the
//! attack's own ([`lookout`]), and what was there is put back. In the end the programs verify their pages and an audit walks
//! all tables, so an attack that came through has done no harm.

mod forged;
mod interrupted;
mod lookout;
mod ring_3;
mod stale;
mod stray;
mod targets;
mod verdict;
mod ways;

use loadphys_apps::calls::Command;
use loadphys_boot::handoff::Handoff;
use loadphys_plan::command_line::{AttackName, MethodName};
use loadphys_plan::records::{Attack, Record};
use loadphys_plan::work::PRIVATE_PAGES;
use x86_64::structures::paging::PhysFrame;

use crate::cpu::Features;
use crate::measure::report::{self, name};
use crate::scene::{Failure, Scene};
use crate::start::{below, rules};
use lookout::Lookout;
use targets::Targets;
use verdict::Verdict;

/// Programs whose spaces are attacked.
const PROGRAMS: u32 = 2;

/// Why no device is told to attack.
const OUT_OF_REACH: &str = "out of reach until an IOMMU is used";

/// Carries out every attack under every method.
pub fn run(scene: &mut Scene, handoff: &Handoff) -> Result<(), Failure> {
    let lookout = Lookout::new(scene);
    let hidden = forged::hidden(scene, handoff);
    scene.with_each(|scene, method| {
        scene.start_sharers(PROGRAMS)?;
        scene.tell(Command::Write, 1);
        for attack in AttackName::ALL {
            let verdict = Attacks { scene, lookout: &lookout, hidden, method }.one(*attack)?;
            report::record(&Record::Attack(record(&scene.features, method, *attack, verdict)));
        }
        no_harm_was_done(scene)
    })?;
    scene.conclude()
}

fn record(
    features: &Features,
    method: MethodName,
    attack: AttackName,
    Verdict { stopped, by }: Verdict,
) -> Attack {
    let (path, rules) = (name(below(features)), name(rules(features)));
    let (method, attack) = (name(method.name()), name(attack.name()));
    Attack { path, method, rules, attack, stopped, by }
}

/// The attacks on one method.
struct Attacks<'a> {
    scene: &'a mut Scene,
    lookout: &'a Lookout,
    /// A frame of the stub's, or why there is none.
    hidden: Result<PhysFrame, &'static str>,
    method: MethodName,
}

impl Attacks<'_> {
    fn one(mut self, attack: AttackName) -> Result<Verdict, Failure> {
        let hidden = self.hidden;
        match attack {
            AttackName::StrayWriteForeign => self.on_tables(stray::foreign),
            AttackName::StrayWriteOwn => self.on_tables(stray::own),
            AttackName::ForgedEntryTable => self.on_tables(forged::table),
            AttackName::ForgedEntryStub => self.on_tables(|targets| forged::stub(targets, hidden)),
            AttackName::ForgedEntryForeign => self.on_tables(forged::foreign),
            AttackName::StaleUse => self.on_tables(stale::stale),
            AttackName::InterruptUse => self.on_tables(interrupted::interrupted),
            AttackName::Ring3Vmcall => ring_3::call(self.scene),
            AttackName::Ring3Vmfunc => ring_3::switch_view(self.scene, self.lookout),
            AttackName::Dma => Ok(Verdict::untested(OUT_OF_REACH)),
        }
    }

    fn on_tables(
        &mut self,
        attack: impl FnOnce(&mut Targets<'_>) -> Result<Verdict, Failure>,
    ) -> Result<Verdict, Failure> {
        attack(&mut Targets::new(&mut self.scene.kernel, self.method, self.lookout)?)
    }
}

/// Every program finds in every page what was written, tables and records are as they should be, and no frame is missing.
fn no_harm_was_done(scene: &mut Scene) -> Result<(), Failure> {
    let before = scene.kernel.tally();
    scene.tell(Command::Verify, 1);
    let after = scene.kernel.tally();
    let wanted = u64::from(PROGRAMS) * (u64::from(scene.plan.pages) + PRIVATE_PAGES);
    let (verified, lost) = (after.verified - before.verified, after.lost - before.lost);
    if (verified, lost) != (wanted, 0) {
        return Err(Failure::new(format_args!(
            "after the attacks {verified} of {wanted} pages verified, {lost} lost"
        )));
    }
    scene.audit()?;
    scene.clear()
}
