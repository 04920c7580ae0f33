//! The alias: guest-physical frames above all memory that lead to registered tables, each for as long as
//! it is one.

use loadphys_abi::Kept;
use loadphys_abi::discovery::GATE_VIEW;
use loadphys_rules::TableAt;
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::views::Rights;
use super::{ALIAS_BASE, Model};

impl Model<'_> {
    /// The views in which the alias shows tables that are registered from now on; at first it is view 0.
    pub fn set_alias_views(&self, views: &[usize]) {
        *self.stub.alias_views.borrow_mut() = views.to_vec();
    }

    /// From now on the stub takes an alias away without INVEPT: a broken twin.
    pub fn let_stub_forget_flushes(&self) {
        self.stub.flushes.set(false);
    }

    /// A table was registered, to be kept like this. What was not present is cached nowhere, so nothing is flushed.
    pub(super) fn show_alias(&self, table: TableAt, kept: Kept) {
        let (alias, table) = frames(table);
        let views = match kept {
            Kept::Alias => self.stub.alias_views.borrow().clone(),
            Kept::Gate => vec![GATE_VIEW as usize],
            Kept::Calls | Kept::Open => vec![],
        };
        for view in views {
            self.set_nested(view, alias, Some((table, Rights::DATA)));
        }
    }

    /// A table was released: its alias goes, and every CPU forgets it.
    pub(super) fn hide_alias(&self, table: TableAt) {
        let (alias, _) = frames(table);
        for view in self.views_that_show(alias) {
            self.set_nested(view, alias, None);
            let cpus = if self.stub.flushes.get() { self.cpus() } else { 0 };
            (0..cpus).for_each(|cpu| self.invept(cpu, view));
        }
    }
}

/// The frames of the alias and of the table itself.
fn frames(table: TableAt) -> (PhysFrame, PhysFrame) {
    let frame = |address| PhysFrame::containing_address(PhysAddr::new(address));
    (frame(ALIAS_BASE + table.address()), frame(table.address()))
}
