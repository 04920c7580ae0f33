//! The edits that have yet to be flushed, and whom they concern.

use foreign_access::{EntryName, Operation};
use x86_64::structures::paging::PhysFrame;

use super::announced::look;
use super::cpus::{Shared, Shown, bits};
use super::generations::{Generation, Generations};
use super::requests::{Kind, Request};
use super::twin::{Twin, is_broken};
use super::{MOST_CPUS, MOST_PAGES, frame_number, numbered};

/// The edits of one CPU since its last flush.
#[derive(Debug)]
pub struct Round {
    begun: bool,
    /// Pages in the request so far; more than there is room for stand for everything.
    pages: usize,
    /// The CPUs that may be using a space that was edited, a bit each.
    concerned: u64,
    /// What each CPU used when the round began.
    watched: [Watched; MOST_CPUS],
    /// Room for those who use what was just edited.
    users: [User; 1 + 2 * MOST_CPUS],
}

/// A root that a CPU used when the round began.
#[derive(Clone, Copy, Debug)]
struct Watched {
    root: PhysFrame,
    /// Its generation then.
    first: u64,
    /// Edits of it in this round.
    edits: u64,
}

/// The CPUs that may be using a root.
#[derive(Clone, Copy, Debug)]
struct User {
    root: PhysFrame,
    cpus: u64,
    edits: u64,
}

impl Round {
    /// With no edit.
    pub fn new() -> Self {
        let (root, nobody) = (numbered(0), User { root: numbered(0), cpus: 0, edits: 0 });
        let watched = [Watched { root, first: 0, edits: 0 }; MOST_CPUS];
        Self { begun: false, pages: 0, concerned: 0, watched, users: [nobody; 1 + 2 * MOST_CPUS] }
    }

    /// Whether an edit that has yet to be flushed concerns a CPU.
    pub const fn concerns(&self, cpu: usize) -> bool {
        self.begun && self.concerned >> cpu & 1 != 0
    }

    /// Operations were done: raises the generations of what they edited, then looks who may be using it.
    #[inline]
    pub fn edited<G, C>(&mut self, me: usize, shared: &Shared<G, C>, operations: &[Operation])
    where
        G: AsRef<[Generation]>,
        C: AsRef<[Shown]>,
    {
        if !self.begun {
            self.begin(shared.cpus(), &shared.generations);
        }
        let request = &shared.cpus()[me].request;
        let roots = self.raise(me, shared, operations);
        look();
        let count = self.find_users(shared.cpus(), roots);
        if count > 1 {
            self.gather(request, count, operations);
        }
        self.count(count);
    }

    /// Raises the generations, and gathers the pages of the root that this CPU has loaded, since these nearly always concern it
    /// and hardly anybody else: it is the first user.
    #[inline]
    fn raise<G, C>(&mut self, me: usize, shared: &Shared<G, C>, operations: &[Operation]) -> Roots
    where
        G: AsRef<[Generation]>,
        C: AsRef<[Shown]>,
    {
        let Shown { announced, request, .. } = &shared.cpus()[me];
        let (mine, mut roots, before) =
            (frame_number(announced.loaded()), Roots::default(), self.pages);
        for Operation { name, .. } in operations {
            shared.generations.raise(name.root());
            roots.add(name.root());
            if frame_number(name.root()) == mine {
                self.add_page(request, name);
            }
        }
        self.users[0] =
            User { root: numbered(mine), cpus: 1 << me, edits: (self.pages - before) as u64 };
        roots
    }

    #[inline]
    fn add_page(&mut self, request: &Request, name: &EntryName) {
        if self.pages < MOST_PAGES {
            request.set_page(self.pages, name.root(), name.page());
        }
        self.pages += 1;
    }

    #[inline]
    fn begin<G: AsRef<[Generation]>>(&mut self, cpus: &[Shown], generations: &Generations<G>) {
        (self.begun, self.pages, self.concerned) = (true, 0, 0);
        for (cpu, watched) in cpus.iter().zip(&mut self.watched) {
            let [root, _] = cpu.announced.roots();
            *watched = Watched { root, first: generations.now(root), edits: 0 };
        }
    }

    /// Lists the roots that CPUs may be using and that may have been edited, after the first user; gives how many there are now.
    #[inline]
    fn find_users(&mut self, cpus: &[Shown], edited: Roots) -> usize {
        let mut count = 1;
        for (cpu, shown) in cpus.iter().enumerate() {
            for root in shown.announced.roots() {
                if edited.may_have(root) {
                    let known = self.users[..count].iter().position(|user| user.root == root);
                    let at = known.unwrap_or(count);
                    let (cpus, edits) =
                        known.map_or((0, 0), |at| (self.users[at].cpus, self.users[at].edits));
                    self.users[at] = User { root, cpus: cpus | 1 << cpu, edits };
                    count = count.max(at + 1);
                }
            }
        }
        count
    }

    /// Puts the edited pages of the roots of all these users but the first into the request.
    fn gather(&mut self, request: &Request, users: usize, operations: &[Operation]) {
        for at in 1..users {
            let User { root, .. } = self.users[at];
            for Operation { name, .. } in operations.iter().filter(|o| o.name.root() == root) {
                self.add_page(request, name);
                self.users[at].edits += 1;
            }
        }
    }

    /// Takes note of these users and how often what they use was edited.
    #[inline]
    fn count(&mut self, users: usize) {
        for user in self.users[..users].iter().filter(|user| user.edits > 0) {
            self.concerned |= user.cpus;
            for cpu in bits(user.cpus) {
                let watched = &mut self.watched[cpu];
                watched.edits += if watched.root == user.root { user.edits } else { 0 };
            }
        }
    }

    /// Nothing is noted any more. Gives what is to be flushed, and by whom.
    #[inline]
    pub fn end<G: AsRef<[Generation]>>(
        &mut self,
        request: &Request,
        generations: &Generations<G>,
    ) -> (Kind, u64) {
        if !core::mem::take(&mut self.begun)
            || self.concerned == 0
            || is_broken(Twin::NobodyIsAsked)
        {
            return (Kind::Pages(0), 0);
        }
        for cpu in bits(self.concerned) {
            let Watched { root, first, edits } = self.watched[cpu];
            let end = generations.now(root);
            // Otherwise somebody else has edited it too.
            let all_are_mine =
                end.wrapping_sub(first) == edits || is_broken(Twin::OthersEditsCountAsMine);
            request.set_span(cpu, root, if all_are_mine { [first, end] } else { [0; 2] });
        }
        let fits = self.pages <= MOST_PAGES;
        (if fits { Kind::Pages(self.pages) } else { Kind::Everything }, self.concerned)
    }
}

/// Which roots may be among those of some edits: a bit for all whose frame numbers are equal modulo 64.
#[derive(Clone, Copy, Default)]
struct Roots(u64);

impl Roots {
    #[inline]
    fn add(&mut self, root: PhysFrame) {
        self.0 |= 1 << (frame_number(root) % 64);
    }

    #[inline]
    fn may_have(self, root: PhysFrame) -> bool {
        self.0 & 1 << (frame_number(root) % 64) != 0
    }
}
