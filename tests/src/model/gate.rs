//! The stub's own views: that of the gate, and those in which one root stands in the place of another.
//!
//! In all of them nothing can be executed but the gate's frame, which nobody can write to in any view.

use loadphys_abi::Status;
use loadphys_abi::discovery::{GATE_VIEW, USUAL_VIEW};
use loadphys_rules::Level;
use x86_64::structures::paging::PhysFrame;

use super::walker::frame_at;
use super::{Model, Rights, Violation};

/// What the gate's frame allows.
const GATE: Rights = Rights { write: false, ..Rights::ALL };

/// What the stub has given.
#[derive(Debug, Default)]
pub struct Given {
    /// Whether there are such views at all.
    offered: bool,
    gate: Option<PhysFrame>,
    /// By view, from the one behind the gate's: our root, and the one that stands in its place.
    bindings: Vec<Option<[PhysFrame; 2]>>,
    /// The one to be given next.
    next: usize,
}

/// The first view of a root.
const FIRST: usize = GATE_VIEW as usize + 1;

impl Model<'_> {
    /// From now on the stub offers a gate and so many views of roots.
    ///
    /// # Panics
    /// If there are other views already.
    pub fn offer_views(&self, roots: usize) {
        for view in GATE_VIEW as usize..FIRST + roots {
            assert_eq!(self.add_data_view(), view, "the stub has the first views");
        }
        let bindings = vec![None; roots];
        *self.stub.given.borrow_mut() = Given { offered: true, bindings, ..Given::default() };
    }

    /// From now on the stub recycles views without INVEPT: a broken twin.
    pub fn let_stub_forget_views(&self) {
        self.stub.forgets_views.set(true);
    }

    /// After a batch a CPU knows no way to a table by a view in which another root stands in the place of one: nobody tells it
    /// when that table is one no more.
    pub fn must_know_no_way(&self, cpu: usize) {
        if let Some(view) = self.cpus[cpu].caches.borrow().view_of_a_way(FIRST) {
            self.report(Violation::KnowsWay(view));
        }
    }

    /// How many views were taken from one pair for another.
    pub fn recycled(&self) -> u32 {
        self.stub.recycled.get()
    }

    /// [`loadphys_abi::Call::SetGate`].
    pub(super) fn set_gate(&self, frame: u64) -> Result<u64, Status> {
        let mut given = self.stub.given.borrow_mut();
        match given.gate {
            _ if !given.offered => return Err(Status::NotOffered),
            Some(_) => return Err(Status::GateIsSet),
            None => self.stub.rules.seal(frame)?,
        }
        let frame = frame_at(frame);
        given.gate = Some(frame);
        (0..FIRST + given.bindings.len())
            .for_each(|view| self.set_nested(view, frame, Some((frame, GATE))));
        Ok(0)
    }

    /// [`loadphys_abi::Call::BindView`].
    pub(super) fn bind_view(&self, own: u64, root: u64) -> Result<u64, Status> {
        let mut given = self.stub.given.borrow_mut();
        let Given { bindings, next, gate, .. } = &mut *given;
        if bindings.is_empty() || gate.is_none() {
            return Err(Status::NotOffered);
        }
        let level = |root| self.stub.rules.level(root).map(Level::number);
        if [level(own)?, level(root)?] != [4, 4] {
            return Err(Status::WrongLevel);
        }
        let pair = [own, root].map(frame_at);
        let known = bindings.iter().position(|it| *it == Some(pair));
        let at = known.unwrap_or_else(|| {
            let free = bindings.iter().position(Option::is_none).unwrap_or(*next % bindings.len());
            *next = free + 1;
            self.bind(FIRST + free, bindings[free].replace(pair), pair);
            free
        });
        Ok((FIRST + at) as u64)
    }

    /// A view is given to a pair, and taken from whoever had it.
    fn bind(&self, view: usize, before: Option<[PhysFrame; 2]>, [own, root]: [PhysFrame; 2]) {
        if let Some([other, _]) = before {
            self.stub.recycled.set(self.stub.recycled.get() + 1);
            self.set_nested(view, other, Some((other, Rights::DATA)));
        }
        self.set_nested(view, own, Some((root, Rights::DATA)));
        self.forget_view(view);
    }

    /// A table was released: no view shows it in the place of another any more, or another in its place.
    pub(super) fn unbind(&self, table: u64) {
        let mut given = self.stub.given.borrow_mut();
        for (view, binding) in (FIRST..).zip(&mut given.bindings) {
            let has = |pair: &mut [PhysFrame; 2]| {
                pair.iter().any(|root| root.start_address().as_u64() == table)
            };
            if let Some([own, _]) = binding.take_if(has) {
                self.set_nested(view, own, Some((own, Rights::DATA)));
                self.forget_view(view);
            }
        }
    }

    fn forget_view(&self, view: usize) {
        let cpus = if self.stub.forgets_views.get() { 0 } else { self.cpus() };
        (0..cpus).for_each(|cpu| self.invept(cpu, view));
    }

    /// VMFUNC from the gate: to a view that is bound, or is the gate's, or the usual one.
    pub(super) fn enter_view(&self, cpu: usize, view: u32) {
        let given = self.stub.given.borrow();
        let binding = (view as usize).checked_sub(FIRST).map(|at| given.bindings.get(at));
        let bound = binding.is_none_or(|it| it.is_some_and(Option::is_some));
        if view != USUAL_VIEW && (given.gate.is_none() || !bound) {
            self.report(Violation::NoView(view));
        } else {
            self.switch_view(cpu, view as usize);
            self.speculate_again(cpu);
        }
    }
}
