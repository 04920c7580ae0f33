//! Views: from guest-physical addresses to those of the host, and what a CPU remembers of that.
//!
//! SDM volume 3, "Caching Translation Information" of VMX: *guest-physical mappings* belong to a
//! view. INVLPG and MOV to CR3 leave them; they stay until INVEPT, also when the view has changed.
//! A view starts 1:1. Of a frame that always was 1:1 in a view nothing can be stale, so nothing
//! is remembered either: all that is 1:1 costs nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Access, Kind, Model, Violation};

/// What a view allows to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Loading.
    pub read: bool,
    /// Storing.
    pub write: bool,
    /// Fetching instructions.
    pub fetch: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self { read: true, write: true, fetch: true };

    /// Loading and storing.
    pub const DATA: Self = Self { fetch: false, ..Self::ALL };

    fn allow(self, kind: Kind) -> bool {
        match kind {
            Kind::Load => self.read,
            Kind::Store => self.write,
            Kind::Fetch => self.fetch,
        }
    }
}

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

/// One view, as it lies in the hypervisor's memory.
#[derive(Debug, Default)]
struct View {
    /// What is not 1:1, or was not at some time, by the number of the guest-physical frame.
    changed: BTreeMap<u64, Option<(PhysFrame, Rights)>>,
}

/// All views; CPUs start in view 0.
#[derive(Debug)]
pub struct Views {
    views: RefCell<Vec<View>>,
    /// Frames of memory.
    frames: u64,
    /// Some frame of memory is not 1:1 in some view, or was not.
    is_memory_changed: Cell<bool>,
}

impl Views {
    /// One view of so many frames of memory.
    pub fn new(frames: usize) -> Self {
        let views = RefCell::new(vec![View::default()]);
        Self { views, frames: frames as u64, is_memory_changed: Cell::new(false) }
    }

    /// Whether a frame always was 1:1 in every view.
    fn is_plain(&self, guest: u64) -> bool {
        guest < self.frames && !self.is_memory_changed.get()
    }

    /// Where a frame leads now, and whether that may ever have been otherwise.
    fn look_up(&self, view: usize, guest: u64) -> (Option<(PhysFrame, Rights)>, bool) {
        match self.views.borrow()[view].changed.get(&guest) {
            Some(entry) => (*entry, true),
            None => ((guest < self.frames).then(|| (frame(guest), Rights::ALL)), false),
        }
    }

    fn set(&self, view: usize, guest: u64, entry: Option<(PhysFrame, Rights)>) {
        self.is_memory_changed.set(self.is_memory_changed.get() || guest < self.frames);
        self.views.borrow_mut()[view].changed.insert(guest, entry);
    }
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
    /// One more view, 1:1; says its number.
    pub fn add_view(&self) -> usize {
        let mut views = self.views.views.borrow_mut();
        views.push(View::default());
        views.len() - 1
    }

    /// The view of a CPU.
    pub fn view(&self, cpu: usize) -> usize {
        self.cpus[cpu].view.get()
    }

    /// Another view (VMFUNC leaf 0): no exit, no flush.
    ///
    /// # Panics
    /// If there is none with this number.
    pub fn switch_view(&self, cpu: usize, view: usize) {
        assert!(view < self.views.views.borrow().len(), "no view {view}");
        self.cpus[cpu].view.set(view);
    }

    /// In a view, a guest-physical frame leads to a frame of the host, or nowhere. CPUs know nothing of
    /// it before their INVEPT.
    pub fn set_nested(&self, view: usize, guest: PhysFrame, entry: Option<(PhysFrame, Rights)>) {
        self.views.set(view, guest.start_address().as_u64() >> 12, entry);
    }

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
            return Ok(Arrival { host: address, rights: Rights::ALL, made: None });
        }
        let (host, rights, made) = self.show(cpu, guest, kind).ok_or(address)?;
        Ok(Arrival { host: host.start_address().as_u64() + offset, rights, made })
    }

    fn show(&self, cpu: usize, guest: u64, kind: Kind) -> Option<(PhysFrame, Rights, Option<u32>)> {
        let (view, caches) = (self.view(cpu), &self.cpus[cpu].caches);
        let (now, may_be_stale) = self.views.look_up(view, guest);
        if !may_be_stale {
            return now.map(|(host, rights)| (host, rights, None));
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

impl Access {
    /// Of the kernel.
    pub const fn kernel(kind: Kind) -> Self {
        Self { kind, user: false }
    }

    /// Of a program in ring 3.
    pub const fn user(kind: Kind) -> Self {
        Self { kind, user: true }
    }
}

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}
