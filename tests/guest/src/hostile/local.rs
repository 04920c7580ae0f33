//! What each CPU has for itself.
#![expect(unsafe_code, reason = "memory that belongs to one CPU, and code that is written there")]

use core::cell::UnsafeCell;

use loadphys_test_guests::traps::{self, Gates};

use crate::descriptors::Tables;
use crate::execute::{self, State};
use crate::playground::Playground;
use crate::random::Random;

/// Bytes of one [`Local`], and its alignment: its address is found in that of its stacks.
pub const BYTES: usize = 0x1_0000;

const STACK_BYTES: usize = 0x2000;

/// All that one CPU has.
#[repr(C, align(0x1_0000))]
pub struct Local {
    /// Registers of what is executed; first, see [`crate::execute`].
    pub state: State,
    /// Choices of this CPU.
    pub random: Random,
    /// Its place: 0 is the boot CPU.
    pub number: u64,
    /// Frames to play with.
    pub playground: Playground,
    tables: Tables,
    nmi_stack: [u8; STACK_BYTES],
    stack: [u8; STACK_BYTES],
}

const _: () = assert!(size_of::<Local>() == BYTES && align_of::<Local>() == BYTES);

struct Room(UnsafeCell<Local>);

// SAFETY: each is taken by one CPU, once.
unsafe impl Sync for Room {}

/// CPUs of this guest.
pub const CPUS: usize = 2;

static ROOMS: [Room; CPUS] = [const { Room(UnsafeCell::new(Local::new())) }; CPUS];

impl Local {
    const fn new() -> Self {
        Self {
            state: State::ZERO,
            random: Random::new(0),
            number: 0,
            playground: Playground::new(),
            tables: Tables::new(),
            nmi_stack: [0; STACK_BYTES],
            stack: [0; STACK_BYTES],
        }
    }

    /// Makes this CPU ready: its segments, its stacks, its handlers.
    ///
    /// # Safety
    /// Once for each number.
    pub unsafe fn take(number: usize, seed: u64) -> &'static mut Self {
        // SAFETY: the caller's promise.
        let local = unsafe { &mut *ROOMS[number].0.get() };
        local.number = number as u64;
        local.random = Random::new(seed.wrapping_add((number as u64) << 32));
        local.playground.take(number);
        let end = |stack: &[u8]| stack.as_ptr_range().end as u64 & !15;
        let stacks = [end(&local.stack), end(&local.nmi_stack)];
        let tables = &raw mut local.tables;
        // SAFETY: the tables are this CPU's, and nothing else borrows them.
        let tables: &'static mut Tables = unsafe { &mut *tables };
        tables.load(stacks);
        // SAFETY: the handlers come back to whoever executes something.
        unsafe { traps::load_gates(gates()) };
        local
    }
}

/// Exceptions on the first stack, NMIs on the second.
fn gates() -> &'static Gates {
    static GATES: spin::Once<Gates> = spin::Once::new();
    GATES.call_once(|| {
        let handlers = execute::handlers();
        core::array::from_fn(|vector| match vector {
            traps::NMI => traps::gate(traps::nmi as *const () as u64, 2),
            _ => traps::gate(handlers[vector], 1),
        })
    })
}
