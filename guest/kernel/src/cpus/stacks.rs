//! The stacks of one CPU, each above an unmapped page.

use x86_64::VirtAddr;

use crate::early::{KernelMap, Stack, TooLittle};

/// Bytes of a stack.
pub const STACK_BYTES: u64 = 128 << 10;

/// The stacks of one CPU.
#[derive(Clone, Copy, Debug)]
pub struct Stacks {
    /// The one it runs on.
    pub run: Stack,
    /// Of NMI, double fault and machine check.
    pub striking: [Stack; 3],
}

impl Stacks {
    /// Maps them.
    ///
    /// # Errors
    /// [`TooLittle`] memory.
    pub fn map(map: &mut KernelMap) -> Result<Self, TooLittle> {
        let mut next = || map.stack(STACK_BYTES);
        Ok(Self { run: next()?, striking: [next()?, next()?, next()?] })
    }

    /// The unmapped pages.
    pub fn guards(&self) -> impl Iterator<Item = VirtAddr> + use<> {
        [self.run, self.striking[0], self.striking[1], self.striking[2]]
            .map(|stack| stack.guard)
            .into_iter()
    }
}
