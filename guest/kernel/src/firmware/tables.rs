//! The tables that the kernel reads: MADT for CPUs, FADT for timer and power.
#![expect(unsafe_code, reason = "tables that the firmware left in memory")]

use acpi::fadt::Fadt;
use acpi::madt::{Madt, MadtEntry};
use acpi::{AcpiError, AcpiTables};
use heapless::Vec;
use x86_64::instructions::port::Port;

use super::handler::Identity;
use super::power_off::PowerOff;
use crate::layout::MOST_CPUS;

/// MADT, local APIC flags: the CPU can be started.
const CPU_ENABLED: u32 = 1;

/// What the kernel takes from ACPI.
#[derive(Clone, Debug, Default)]
pub struct Firmware {
    /// CPUs that can be used.
    pub cpus: u32,
    /// The IDs of their local APICs, as far as there is room.
    pub apics: Vec<u32, { MOST_CPUS as usize }>,
    /// A counter of known rate.
    pub pm_timer: Option<PmTimer>,
    /// How to power off.
    pub power_off: Option<PowerOff>,
}

/// The power-management timer (ACPI 6.5, section 4.8.3.3): a port that counts.
#[derive(Clone, Copy, Debug)]
pub struct PmTimer {
    port: u16,
}

impl PmTimer {
    /// Counts in a second.
    pub const HERTZ: u32 = 3_579_545;

    /// Waits for so many microseconds.
    pub fn wait(self, microseconds: u32) {
        let counts = u64::from(microseconds) * u64::from(Self::HERTZ) / 1_000_000;
        let first = self.read();
        while u64::from(self.read().wrapping_sub(first) & 0xff_ffff) <= counts {
            core::hint::spin_loop();
        }
    }

    /// The low 24 bits of the count, which every such timer has.
    pub fn read(self) -> u32 {
        // SAFETY: FADT says that reading this port gives the count.
        (unsafe { Port::<u32>::new(self.port).read() }) & 0xff_ffff
    }
}

impl Firmware {
    /// Reads the tables. Without any, there is one CPU and the machine cannot be powered off.
    ///
    /// # Safety
    /// The identity map is in place and `rsdp`, if given, is where ACPI's root pointer is.
    pub unsafe fn read(rsdp: Option<u64>) -> Result<Self, AcpiError> {
        // SAFETY: the caller's promise; firmware below 1 MiB is mapped too.
        let tables = unsafe {
            match rsdp {
                Some(at) => AcpiTables::from_rsdp(Identity, at as usize),
                None => AcpiTables::search_for_rsdp_bios(Identity),
            }
        }?;
        let mut firmware = Self { cpus: 1, ..Self::default() };
        firmware.read_cpus(&tables).unwrap_or(());
        if let Ok(fadt) = tables.find_table::<Fadt>() {
            firmware.pm_timer = pm_timer(&fadt);
            firmware.power_off = power_off(&tables, &fadt);
        }
        Ok(firmware)
    }

    /// CPUs that are enabled. An entry of length 0 would make the crate's iterator run for ever, so
    /// the lengths are checked first.
    fn read_cpus(&mut self, tables: &AcpiTables<Identity>) -> Result<(), AcpiError> {
        let madt = tables.find_table::<Madt>()?;
        if !is_well_formed(bytes(madt.physical_start(), madt.get().header.length as usize)) {
            return Err(AcpiError::InvalidMadt(acpi::madt::MadtError::UnexpectedEntry));
        }
        let apics = madt.get().entries().filter_map(|entry| match entry {
            MadtEntry::LocalApic(apic) => Some((apic.flags, u32::from(apic.apic_id))),
            MadtEntry::LocalX2Apic(apic) => Some((apic.flags, apic.x2apic_id)),
            _ => None,
        });
        self.cpus = 0;
        for (_, id) in apics.filter(|(flags, _)| flags & CPU_ENABLED != 0) {
            self.cpus += 1;
            // More than there is room for are counted and not used.
            self.apics.push(id).unwrap_or(());
        }
        Ok(())
    }
}

/// Whether every entry behind the MADT's 44 bytes has a length that leads on and stays inside.
fn is_well_formed(madt: &[u8]) -> bool {
    let mut entries = madt.get(44..).unwrap_or(&[]);
    while let [_, length, ..] = *entries {
        let length = usize::from(length);
        if length < 2 || length > entries.len() {
            return false;
        }
        entries = &entries[length..];
    }
    entries.is_empty()
}

fn pm_timer(fadt: &Fadt) -> Option<PmTimer> {
    let block = fadt.pm_timer_block().ok()??;
    Some(PmTimer { port: u16::try_from(block.address).ok()? })
}

fn power_off(tables: &AcpiTables<Identity>, fadt: &Fadt) -> Option<PowerOff> {
    let dsdt = tables.dsdt().ok()?;
    let control = u16::try_from(fadt.pm1a_control_block().ok()?.address).ok()?;
    PowerOff::from_dsdt(control, bytes(dsdt.address, dsdt.length as usize))
}

/// A table's bytes.
fn bytes(physical: usize, length: usize) -> &'static [u8] {
    // SAFETY: a table that the firmware described, below 4 GiB and mapped at itself; it is only
    // used before the identity map goes.
    unsafe { core::slice::from_raw_parts(physical as *const u8, length) }
}
