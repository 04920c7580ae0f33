//! Words on the first serial port, by polling: it works before anything else does.
#![expect(unsafe_code, reason = "port I/O to the UART")]

use core::fmt;

use x86_64::instructions::port::Port;

/// Where PCs have COM1.
const COM1: u16 = 0x3f8;

/// Line status register, bit 5: the transmitter can take a byte.
const CAN_TAKE: u8 = 1 << 5;

/// A 16550 UART that is only written to. Making several is harmless; their bytes may mix.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    base: u16,
}

impl Console {
    /// COM1, as the firmware left it.
    pub const fn com1() -> Self {
        Self { base: COM1 }
    }

    /// Sets 115,200 baud, 8 data bits, no parity, FIFOs on, no interrupts.
    pub fn initialise(&self) {
        for (register, value) in
            [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 0x03), (2, 0xc7), (4, 0x03)]
        {
            // SAFETY: these registers of the UART have no effect on memory.
            unsafe { Port::<u8>::new(self.base + register).write(value) };
        }
    }

    fn put(&self, byte: u8) {
        let mut status = Port::<u8>::new(self.base + 5);
        // SAFETY: reading the line status has no effect that matters here.
        while unsafe { status.read() } & CAN_TAKE == 0 {
            core::hint::spin_loop();
        }
        // SAFETY: sends a byte.
        unsafe { Port::<u8>::new(self.base).write(byte) };
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.put(b'\r');
            }
            self.put(byte);
        }
        Ok(())
    }
}
