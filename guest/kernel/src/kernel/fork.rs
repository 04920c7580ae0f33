//! A program as a copy of another: shared pages are shared again, its own pages are copied at once.

use alloc::boxed::Box;

use foreign_access::Entry;
use loadphys_apps::Program;
use page_reclaim::tables;
use x86_64::VirtAddr;

use super::process::{StartError, State};
use super::{Core, Kernel, Process};
use crate::user::Context;
use crate::window::{Words, copy};

impl Core {
    /// What a copy of a program begins with, and the pages that are to be copied.
    fn to_copy(&self, parent: usize) -> (Program, Context, impl Iterator<Item = VirtAddr> + use<>) {
        let Process { program, context, space, .. } = &self.processes[parent];
        (*program, (**context).clone(), space.own_pages())
    }
}

impl Kernel {
    /// Makes a copy of a program that waits; the copy waits too. What the one has never touched, the other has not either.
    ///
    /// # Errors
    /// [`StartError`]; a copy that was begun is buried.
    pub fn fork(&mut self, parent: usize) -> Result<usize, StartError> {
        let (program, context, own) = self.core().to_copy(parent);
        let copy_of = |root, all: &[Process]| all[parent].space.copy(root);
        let child = self.add(program, context, State::Waiting, copy_of)?;
        let mut words = Box::new([0; 512]);
        for page in own {
            if let Err(why) = self.copy_page(parent, child, page, &mut words) {
                self.bury(child);
                return Err(why);
            }
        }
        Ok(child)
    }

    /// Copies a page, unless the parent has never touched it. Either may be evicted for the other to come in, so it goes by
    /// way of `words`.
    fn copy_page(
        &mut self,
        parent: usize,
        child: usize,
        page: VirtAddr,
        words: &mut Words,
    ) -> Result<(), StartError> {
        if self.entry(parent, page) == Entry::EMPTY {
            return Ok(());
        }
        let read = self.bring_and_show(parent, page, |_, from| copy(from, words));
        read.map_err(StartError::Page)?;
        let written = self.bring_and_show(child, page, |_, to| copy(words, to));
        written.map_err(StartError::Page)
    }

    /// The entry of level one of a program's page.
    pub fn entry(&mut self, number: usize, page: VirtAddr) -> Entry {
        let root = self.core().processes[number].space.root;
        tables::find(&mut self.machine, root, page).map_or(Entry::EMPTY, |(_, entry)| entry)
    }
}
