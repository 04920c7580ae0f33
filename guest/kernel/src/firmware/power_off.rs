//! Power-off without an AML interpreter: `_S5_` is a package of constants in practice, found by a
//! scan of the DSDT.
#![expect(unsafe_code, reason = "port I/O that ends the machine")]

use x86_64::instructions::port::Port;

/// PM1 control: go to the sleep state whose type is set (ACPI 6.5, section 4.8.3.2.1).
const SLEEP_ENABLE: u16 = 1 << 13;

/// Where the sleep type stands in PM1 control.
const SLEEP_TYPE_SHIFT: u16 = 10;

/// AML: a package follows.
const PACKAGE: u8 = 0x12;

/// AML: a byte constant follows.
const BYTE: u8 = 0x0a;

/// What to write where.
#[derive(Clone, Copy, Debug)]
pub struct PowerOff {
    control: u16,
    sleep_type: u8,
}

impl PowerOff {
    /// The sleep type for soft-off, from the name `_S5_` in the DSDT.
    pub fn from_dsdt(control: u16, dsdt: &[u8]) -> Option<Self> {
        let name = dsdt.windows(5).position(|w| w == [b'_', b'S', b'5', b'_', PACKAGE])?;
        let package = &dsdt[name + 5..];
        // The package length takes 1 to 4 bytes, as its first says; then comes the element count.
        let length_bytes = usize::from(*package.first()? >> 6) + 1;
        let element = package.get(length_bytes + 1..)?;
        let sleep_type = match *element {
            [BYTE, value, ..] | [value, ..] => value & 7,
            [] => return None,
        };
        Some(Self { control, sleep_type })
    }

    /// Turns the machine off; comes back if it did not.
    pub fn now(self) {
        let value = u16::from(self.sleep_type) << SLEEP_TYPE_SHIFT | SLEEP_ENABLE;
        // SAFETY: ACPI says that this ends the machine.
        unsafe { Port::<u16>::new(self.control).write(value) };
    }
}
