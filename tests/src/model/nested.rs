//! What a CPU remembers of views.
//!
//! SDM volume 3, "Caching Translation Information" of VMX: *guest-physical mappings* belong to a
//! view. INVLPG and MOV to CR3 leave them; they stay until INVEPT, also when the view has changed.
//! Of a frame that always was 1:1 nothing is remembered, since nothing of it can be stale: all that
//! is 1:1 costs nothing.

use x86_64::structures::paging::PhysFrame;

use super::views::Rights;
use super::{Kind, Model, Violation};

/// A guest-physical frame as a view once showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nested {
    /// The view.
    pub view: usize,
    /// Number of the guest-physical frame.
    pub guest: u64,
    /// What it led to.
    pub host: PhysFrame,
    /// What it allowed.
    pub rights: Rights,
    /// When this was learned, by the time of the memory.
    pub made: u32,
}

/// Where an access arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Host address.
    pub host: u64,
    /// What the view allowed.
    pub rights: Rights,
    /// When this was learned, if it may be stale.
    pub made: Option<u32>,
}

impl Model<'_> {
    /// INVEPT of a view, on one CPU.
    pub fn invept(&self, cpu: usize, view: usize) {
        self.cpus[cpu].caches.borrow_mut().invept(view);
    }

    /// Where a CPU's view leads from a guest-physical address, by what the CPU remembers or by the view.
    ///
    /// # Errors
    /// The address, if the view does not allow the access.
    pub(super) fn arrive(&self, cpu: usize, address: u64, kind: Kind) -> Result<Arrival, u64> {
        let (guest, offset) = (address >> 12, address & 0xfff);
        if self.views.is_plain(guest) {
            let rights = self.views.rights(self.view(cpu));
            let allowed =
                rights.allow(kind).then_some(Arrival { host: address, rights, made: None });
            return allowed.ok_or(address);
        }
        let (host, rights, made) = self.show(cpu, guest, kind).ok_or(address)?;
        Ok(Arrival { host: host.start_address().as_u64() + offset, rights, made })
    }

    fn show(&self, cpu: usize, guest: u64, kind: Kind) -> Option<(PhysFrame, Rights, Option<u32>)> {
        let (view, caches) = (self.view(cpu), &self.cpus[cpu].caches);
        let (now, may_be_stale) = self.views.look_up(view, guest);
        if !may_be_stale {
            let allowed = now.filter(|(_, rights)| rights.allow(kind));
            return allowed.map(|(host, rights)| (host, rights, None));
        }
        let known = caches.borrow().nested(view, guest, &self.random);
        if let Some(known) = known.filter(|known| known.rights.allow(kind)) {
            return Some((known.host, known.rights, Some(known.made)));
        }
        let Some((host, rights)) = now.filter(|(_, rights)| rights.allow(kind)) else {
            caches.borrow_mut().violation(view, guest);
            return None;
        };
        let made = self.memory.time();
        let new = Nested { view, guest, host, rights, made };
        caches.borrow_mut().keep_nested(new, &self.random);
        Some((host, rights, Some(made)))
    }

    /// Where a CPU's view leads from a guest-physical address now, whatever the CPU remembers.
    pub(super) fn arrives_now(&self, cpu: usize, address: u64) -> Option<u64> {
        if self.views.is_plain(address >> 12) {
            return Some(address);
        }
        let (entry, _) = self.views.look_up(self.view(cpu), address >> 12);
        entry.map(|(host, _)| host.start_address().as_u64() + (address & 0xfff))
    }

    /// An access to a guest-physical address without tables of the guest; what the view does not allow is
    /// recorded.
    pub(super) fn arrive_unpaged(&self, cpu: usize, address: u64, kind: Kind) -> Option<u64> {
        let arrived = self.arrive(cpu, address, kind);
        arrived.map_err(|address| self.report(Violation::NotInView(address))).ok().map(|a| a.host)
    }
}
