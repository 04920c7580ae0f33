//! Accesses of programs and of the kernel: where they arrive, and what must not happen there.

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::walker::frame_at;
use super::{Access, Kind, Model, Violation};

/// Why an access does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A page fault.
    Page,
    /// The view does not allow it, at this guest-physical address.
    View(u64),
}

impl From<u64> for Fault {
    fn from(address: u64) -> Self {
        Self::View(address)
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

impl Model<'_> {
    /// Loads a word as a program in ring 3; `None` is a page fault.
    pub fn user_load(&self, cpu: usize, address: VirtAddr) -> Option<u64> {
        self.by_program(cpu, address, Kind::Load).map(|host| self.change_host(host, |word| word))
    }

    /// Stores a word as a program in ring 3; `None` is a page fault.
    pub fn user_store(&self, cpu: usize, address: VirtAddr, value: u64) -> Option<()> {
        let host = self.by_program(cpu, address, Kind::Store)?;
        self.change_host(host, |_| value);
        Some(())
    }

    /// Fetches an instruction, as a program or as the kernel; `None` is a fault of either kind.
    pub fn fetch(&self, cpu: usize, address: VirtAddr, user: bool) -> Option<()> {
        self.reach(cpu, address, Access { kind: Kind::Fetch, user }).ok().map(drop)
    }

    /// Loads a word as the kernel does, which must not fault.
    pub fn kernel_load(&self, cpu: usize, address: VirtAddr) -> Option<u64> {
        self.by_kernel(cpu, address, Kind::Load).map(|host| self.change_host(host, |word| word))
    }

    /// Where a program's access arrives. What its view does not allow is recorded.
    fn by_program(&self, cpu: usize, address: VirtAddr, kind: Kind) -> Option<u64> {
        match self.reach(cpu, address, Access::user(kind)) {
            Ok(host) => Some(host),
            Err(Fault::Page) => None,
            Err(Fault::View(address)) => {
                self.report(Violation::NotInView(address));
                None
            }
        }
    }

    /// Where the kernel's access arrives. A kernel that goes by a stale TLB entry, or faults, has made a
    /// mistake.
    fn by_kernel(&self, cpu: usize, address: VirtAddr, kind: Kind) -> Option<u64> {
        let now = self.by_memory(cpu, address);
        match self.reach(cpu, address, Access::kernel(kind)) {
            Ok(host) => {
                if now != Some(host) {
                    self.report(Violation::StaleKernelAddress(address));
                }
                Some(host)
            }
            Err(Fault::Page) => {
                self.report(Violation::KernelFault(address));
                None
            }
            Err(Fault::View(address)) => {
                self.report(Violation::NotInView(address));
                None
            }
        }
    }

    /// Where a method's access to an entry arrives: only tables hold entries.
    pub(super) fn by_method(&self, cpu: usize, address: VirtAddr, kind: Kind) -> Option<u64> {
        let host = self.by_kernel(cpu, address, kind)?;
        if !self.memory.is_table(frame_at(host)) {
            self.report(Violation::NotAnEntry(frame_at(host)));
        }
        Some(host)
    }

    /// The host address that a CPU reaches. What it remembers must not lead to a frame that was freed
    /// since.
    pub(super) fn reach(
        &self,
        cpu: usize,
        address: VirtAddr,
        access: Access,
    ) -> Result<u64, Fault> {
        let reached = self.look(cpu, address, access);
        self.speculate(cpu, address);
        if reached.is_err() {
            let mut caches = self.cpus[cpu].caches.borrow_mut();
            caches.page_fault(self.tag(cpu), address);
        }
        reached
    }

    fn look(&self, cpu: usize, address: VirtAddr, access: Access) -> Result<u64, Fault> {
        let found = self.translate(cpu, address, access)?;
        let physical = found.physical + (address.as_u64() - found.page);
        let arrival = self.arrive(cpu, physical, access.kind)?;
        let frame: PhysFrame = frame_at(arrival.host);
        // A large page of the kernel's shows memory as such, whatever a frame is at the time.
        let shows_memory = found.bytes > 4096 && !found.allowed.user;
        // Another page of the kernel's may be known from before if that is the same as now, which `by_kernel` sees to;
        // Dirty means nothing there.
        let since = if found.allowed.user { found.made } else { self.memory.time() };
        let freed = |since| self.memory.was_freed(frame, since);
        if !shows_memory && freed(since) || arrival.made.is_some_and(freed) {
            self.report(Violation::FreedFrame(address, frame));
        }
        Ok(arrival.host)
    }
}
