//! Views: from guest-physical addresses to those of the host, as they lie in the hypervisor's memory.
//!
//! A view starts 1:1. Of a frame that always was 1:1 in a view nothing can be stale.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Kind, Model};

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

    pub(super) fn allow(self, kind: Kind) -> bool {
        match kind {
            Kind::Load => self.read,
            Kind::Store => self.write,
            Kind::Fetch => self.fetch,
        }
    }
}

/// One view, as it lies in the hypervisor's memory.
#[derive(Debug, Default)]
struct View {
    /// Nothing can be executed that is 1:1.
    data_only: bool,
    /// What is not 1:1, or was not at some time, by the number of the guest-physical frame.
    changed: BTreeMap<u64, Option<(PhysFrame, Rights)>>,
}

/// All views; CPUs start in view 0.
#[derive(Debug)]
pub struct Views {
    views: RefCell<Vec<View>>,
    /// Frames of memory.
    frames: u64,
    /// By frame of memory: it is not 1:1 in some view, or was not.
    changed: Vec<Cell<bool>>,
    /// There is a view in which nothing can be executed that is 1:1.
    has_data_views: Cell<bool>,
}

impl Views {
    /// One view of so many frames of memory.
    pub fn new(frames: usize) -> Self {
        let views = RefCell::new(vec![View::default()]);
        let changed = vec![Cell::new(false); frames];
        Self { views, frames: frames as u64, changed, has_data_views: Cell::new(false) }
    }

    /// Whether a frame always was 1:1 in every view.
    pub(super) fn is_plain(&self, guest: u64) -> bool {
        self.changed.get(guest as usize).is_some_and(|changed| !changed.get())
    }

    /// What a view allows to do with what is 1:1 there.
    pub(super) fn rights(&self, view: usize) -> Rights {
        let data_only = self.has_data_views.get() && self.views.borrow()[view].data_only;
        if data_only { Rights::DATA } else { Rights::ALL }
    }

    /// Where a frame leads now, and whether that may ever have been otherwise.
    pub(super) fn look_up(&self, view: usize, guest: u64) -> (Option<(PhysFrame, Rights)>, bool) {
        let rights = self.rights(view);
        match self.views.borrow()[view].changed.get(&guest) {
            Some(entry) => (*entry, true),
            None => ((guest < self.frames).then(|| (frame(guest), rights)), false),
        }
    }

    fn set(&self, view: usize, guest: u64, entry: Option<(PhysFrame, Rights)>) {
        if let Some(changed) = self.changed.get(guest as usize) {
            changed.set(true);
        }
        self.views.borrow_mut()[view].changed.insert(guest, entry);
    }
}

impl Model<'_> {
    /// One more view, 1:1; says its number.
    pub fn add_view(&self) -> usize {
        self.push_view(View::default())
    }

    /// One more view, 1:1, in which nothing can be executed; says its number.
    pub(super) fn add_data_view(&self) -> usize {
        self.views.has_data_views.set(true);
        self.push_view(View { data_only: true, ..View::default() })
    }

    fn push_view(&self, view: View) -> usize {
        let mut views = self.views.views.borrow_mut();
        views.push(view);
        views.len() - 1
    }

    /// The views in which a guest-physical frame leads somewhere.
    pub(super) fn views_that_show(&self, guest: PhysFrame) -> Vec<usize> {
        let number = guest.start_address().as_u64() >> 12;
        let all = 0..self.views.views.borrow().len();
        all.filter(|view| self.views.look_up(*view, number).0.is_some()).collect()
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
}

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}
