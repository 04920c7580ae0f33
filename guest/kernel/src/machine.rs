//! The deeds that `page_reclaim` asks of a kernel: entries by the chosen method, flushes, pages
//! through a window, swap in memory.
#![expect(unsafe_code, reason = "edits tables and touches frames on behalf of the records")]

use alloc::vec::Vec;

use foreign_access::cpu::{Counted, Events, Hardware};
use foreign_access::methods::AnyMethod;
use foreign_access::{Cpu, Method, Operation, Refusal, Stopped};
use page_reclaim::shootdown::Identity;
use page_reclaim::{Checksum, DeviceError, Machine as Deeds, Slot, Stage, Write};
use x86_64::instructions::interrupts;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::checks::Checks;
use crate::layout::IMAGE_OFFSET;
use crate::measure::stopwatch::Stopwatch;
use crate::measure::{clock, longest};
use crate::methods::{self, Reach, SlotEntry};
use crate::other_context::{self, KernelDeeds};
use crate::roots::Roots;
use crate::swap::Swap;
use crate::tlb::Tlb;
use crate::window::{Window, copy, fill};

/// The machine of one CPU.
pub struct Machine {
    hardware: Hardware,
    counted: Counted<Hardware>,
    /// Whether what the method does is counted, in rounds that are not timed.
    counting: bool,
    /// Ticks of the longest stretch for which the method kept interrupts off, while counting.
    longest_masked: u64,
    method: AnyMethod<'static>,
    roots: &'static Roots,
    window: Window,
    /// What is copied to shows in it.
    target: Window,
    /// Roots that have moved, from where and to where, since it was last asked.
    moved: Vec<(PhysFrame, PhysFrame)>,
    swap: Swap,
    /// What the TLB may hold.
    pub tlb: Tlb,
    /// Ticks of the stages.
    pub stopwatch: Stopwatch,
    /// Poison and probes.
    pub checks: Checks,
}

impl Machine {
    /// Of the CPU with this number, which runs this, with the kernel's root loaded; the method is one that needs nothing below.
    pub fn new(
        number: usize,
        roots: &'static Roots,
        tlb: Tlb,
        window: Window,
        swap: Swap,
        checks: Checks,
    ) -> Self {
        let hardware = hardware(number);
        let windows = roots.reach().windows.expect("windows are made at boot");
        // SAFETY: the window is this CPU's own, and its machine is made once.
        let target = unsafe { Window::new(windows, methods::copy_window(number)) };
        Self {
            hardware,
            counted: Counted::new(hardware),
            counting: false,
            longest_masked: 0,
            method: methods::recursive(),
            roots,
            window,
            target,
            moved: Vec::new(),
            swap,
            tlb,
            stopwatch: Stopwatch::new(),
            checks,
        }
    }

    /// Uses another method from now on. No space exists but the kernel's, which is loaded.
    pub fn choose(&mut self, method: AnyMethod<'static>) {
        self.method.detach(&self.hardware);
        let kernel = self.roots.kernel();
        if stands_aside(&self.method) {
            self.method.release(&self.hardware, kernel).expect("the kernel's root was adopted");
        }
        self.method = method;
        self.fit();
        if stands_aside(&self.method) {
            let level = PageTableLevel::Four;
            self.method.adopt(&self.hardware, kernel, level).expect("it is no table of the stub's");
        }
    }

    /// Makes the kernel's root, which is loaded, fit the method.
    pub fn fit(&mut self) {
        self.roots.fit(&self.hardware, &mut self.window, &self.method);
    }

    /// Uses another method from now on, for which another CPU has made the kernel's root fit, which is loaded. The one before
    /// has let go.
    pub fn follow(&mut self, method: AnyMethod<'static>) {
        self.method = method;
        // SAFETY: the same root again; all that was cached of the slots goes.
        unsafe { self.hardware.set_root_register(self.hardware.root_register()) };
    }

    /// Begins or ends counting; gives what was counted since it began.
    pub fn count(&mut self, on: bool) -> Events {
        self.counting = on;
        longest::count(on);
        self.longest_masked = if on { 0 } else { self.longest_masked };
        self.counted.take()
    }

    /// Ticks of the longest stretch for which the method kept interrupts off, since counting began.
    pub fn longest_masked(&self) -> u64 {
        self.longest_masked
    }

    fn apply_counted(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        let (before, were_off, began) =
            (self.counted.so_far(), !interrupts::are_enabled(), clock::now());
        // SAFETY: as in `apply`.
        let done = unsafe { self.method.apply(&self.counted, operations) };
        let ticks = clock::now() - began;
        // Between two contexts interrupts are on.
        let in_context = other_context::take_masked();
        let masks = were_off || self.counted.so_far().masks > before.masks;
        self.longest_masked = self.longest_masked.max(if masks { ticks } else { in_context });
        done
    }

    /// Loads a space. The method lets go of the loaded root first: while it is not loaded, nothing
    /// in it may lead to another space's tables.
    pub fn load(&mut self, root: PhysFrame, space: Identity) {
        if root != self.tlb.loaded() {
            self.method.detach(&self.hardware);
        }
        // SAFETY: every root gets the kernel's upper half when it is adopted.
        unsafe { self.tlb.load(&self.hardware, root, space) };
    }

    /// Loads the kernel's own root, in which no program's page is mapped.
    pub fn load_kernel(&mut self) {
        let root = self.roots.kernel();
        if root != self.tlb.loaded() {
            self.method.detach(&self.hardware);
        }
        self.tlb.load_kernel(&self.hardware, root);
    }

    /// Has the method do a batch on another view of this CPU.
    ///
    /// # Safety
    /// As for [`Method::apply`].
    ///
    /// # Errors
    /// [`Stopped`] at the first operation that was refused.
    pub unsafe fn apply_on(
        &mut self,
        cpu: &impl Cpu,
        operations: &mut [Operation],
    ) -> Result<(), Stopped> {
        // SAFETY: the caller's promise.
        unsafe { self.method.apply(cpu, operations) }
    }

    /// Has the method let go of the loaded root.
    pub fn detach(&mut self) {
        self.method.detach(&self.hardware);
    }

    /// What a root holds in the kernel's half that is a method's and not the kernel's.
    pub fn added(&mut self, root: PhysFrame) -> Vec<SlotEntry> {
        let Self { window, roots, hardware, .. } = self;
        // SAFETY: looking does no harm.
        unsafe { window.show(hardware, root, |words| roots.added(words).collect()) }
    }

    /// Roots that have moved, from where and to where, since this was asked last; in the order in which they did.
    pub fn take_moved(&mut self) -> Vec<(PhysFrame, PhysFrame)> {
        core::mem::take(&mut self.moved)
    }

    /// What methods have of the virtual space.
    pub fn reach(&self) -> &Reach {
        self.roots.reach()
    }

    /// Where evicted pages go.
    pub fn swap(&self) -> &Swap {
        &self.swap
    }

    /// The CPU, for calls of the stub.
    pub fn cpu(&self) -> &Hardware {
        &self.hardware
    }

    /// Looks at a frame that belongs to a program, through the window.
    pub fn show<R>(
        &mut self,
        frame: PhysFrame,
        look: impl FnOnce(&mut crate::window::Words) -> R,
    ) -> R {
        // SAFETY: programs' frames hold words; nothing in the kernel relies on them.
        unsafe { self.window.show(&self.hardware, frame, look) }
    }
}

/// Whether another root stands in the place of the kernel's under this method, which then must know it as a root.
const fn stands_aside(method: &AnyMethod<'_>) -> bool {
    matches!(method, AnyMethod::RootView(_))
}

/// The CPU with this number.
pub fn hardware(number: usize) -> Hardware {
    // SAFETY: whoever makes a machine is that CPU, in ring 0; the image lies where the linker script says.
    unsafe { Hardware::new(number, IMAGE_OFFSET) }.with(&KernelDeeds)
}

impl Deeds for Machine {
    #[inline]
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        if self.counting {
            return self.apply_counted(operations);
        }
        // SAFETY: `page_reclaim` names entries of tables that it built and walked to.
        unsafe { self.method.apply(&self.hardware, operations) }
    }

    fn adopt(&mut self, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        if level == PageTableLevel::Four {
            self.roots.fill(&self.hardware, &mut self.window, &self.method, table);
        }
        self.method.adopt(&self.hardware, table, level)
    }

    fn release(&mut self, table: PhysFrame) -> Result<(), Refusal> {
        self.method.release(&self.hardware, table)
    }

    fn notes_use(&self) -> bool {
        !self.roots.preset()
    }

    #[inline]
    fn edited(&mut self, operations: &[Operation]) {
        self.tlb.edited(operations);
        self.checks.edited(operations, self.tlb.loaded());
    }

    #[inline]
    fn flush(&mut self) {
        if self.counting {
            self.tlb.flush(&self.counted);
        } else {
            self.tlb.flush(&self.hardware);
        }
    }

    fn let_go(&mut self) {
        self.tlb.let_go(&self.hardware);
    }

    fn leave(&mut self, root: PhysFrame) {
        // Other CPUs are parked in the kernel's root: `Kernel::evacuate_step` has made sure.
        if self.tlb.loaded() == root {
            self.load_kernel();
        }
    }

    fn root_moved(&mut self, from: PhysFrame, to: PhysFrame) {
        other_context::move_root(from, to);
        self.moved.push((from, to));
    }

    fn copy(&mut self, from: PhysFrame, to: PhysFrame) {
        let Self { window, target, hardware, .. } = self;
        // SAFETY: nobody can reach either frame but by these windows.
        unsafe {
            window.show(hardware, from, |from| target.show(hardware, to, |to| copy(from, to)));
        }
    }

    fn zero(&mut self, frame: PhysFrame) {
        self.show(frame, |words| fill(words, 0));
    }

    fn write_out(&mut self, writes: &mut [Write]) {
        let Self { window, swap, hardware, .. } = self;
        // SAFETY: as for `show`.
        unsafe { swap.write(hardware, window, writes) };
    }

    fn read_in(&mut self, slot: Slot, frame: PhysFrame) -> Result<Checksum, DeviceError> {
        let Self { window, swap, hardware, .. } = self;
        // SAFETY: as for `show`.
        unsafe { swap.read(hardware, window, slot, frame) }
    }

    #[inline]
    fn freed(&mut self, frame: PhysFrame) {
        if self.checks.on() {
            self.show(frame, |words| fill(words, crate::checks::POISON));
            self.checks.probe(frame);
        }
    }

    #[inline]
    fn stage(&mut self, stage: Stage) {
        self.stopwatch.stage(stage);
        if stage == Stage::Release {
            self.checks.forget();
        }
    }
}
