//! What ACPI says of CPUs.
#![expect(unsafe_code, reason = "tables that the firmware left in memory")]

use core::ptr::NonNull;
use core::slice;

use acpi::madt::Madt;
use acpi::{AcpiHandler, AcpiTables, PhysicalMapping};
use loadphys_boot::IDENTITY_BYTES;

use crate::madt::{self, ApicIds};
use crate::problem::Problem;
use crate::say::say;

/// The CPUs of the machine, and the table that lists them.
pub struct Firmware {
    /// Their local APICs' numbers; the boot CPU's is among them.
    ids: ApicIds,
    madt: Option<&'static mut [u8]>,
}

/// How the `acpi` crate reaches tables: at their own addresses.
#[derive(Clone, Copy, Debug)]
struct Identity;

impl AcpiHandler for Identity {
    unsafe fn map_physical_region<T>(
        &self,
        physical: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        let end = (physical as u64).checked_add(size as u64);
        let reached = end.is_some_and(|end| end <= IDENTITY_BYTES);
        assert!(reached, "an ACPI table at {physical:#x} lies above 4 GiB, out of reach at boot");
        let place = NonNull::new(physical as *mut T).expect("an ACPI table at address 0");
        // SAFETY: memory below 4 GiB is mapped at itself.
        unsafe { PhysicalMapping::new(physical, place, size, size, *self) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

impl Firmware {
    /// Reads the list; without one there is the boot CPU alone, and that is said.
    ///
    /// # Errors
    /// [`Problem::Madt`]: a list that cannot be read hides CPUs from the stub, not from the guest.
    ///
    /// # Safety
    /// `rsdp`, if given, is where ACPI's root pointer is; memory below 4 GiB is mapped at itself.
    pub unsafe fn read(rsdp: Option<u64>) -> Result<Self, Problem> {
        // SAFETY: the caller's promise; firmware below 1 MiB is mapped too.
        let tables = unsafe {
            match rsdp {
                Some(at) => AcpiTables::from_rsdp(Identity, at as usize),
                None => AcpiTables::search_for_rsdp_bios(Identity),
            }
        };
        let found = tables.and_then(|tables| {
            let madt = tables.find_table::<Madt>()?;
            Ok((madt.physical_start(), madt.get().header.length as usize))
        });
        match found {
            Ok((at, bytes)) => {
                // SAFETY: a table that the firmware described, with a good sum; nobody else uses it before the guest.
                let table = unsafe { slice::from_raw_parts_mut(at as *mut u8, bytes) };
                let ids = madt::cpus(table).map_err(Problem::Madt)?;
                Ok(Self { ids, madt: Some(table) })
            }
            Err(why) => {
                say!("no list of CPUs ({why:?}): the guest gets the boot CPU");
                Ok(Self { ids: ApicIds::new(), madt: None })
            }
        }
    }

    /// All CPUs but this one.
    pub fn others(&self, this: u32) -> ApicIds {
        self.ids.iter().copied().filter(|id| *id != this).collect()
    }

    /// How many CPUs there are.
    pub fn cpus(&self) -> usize {
        self.ids.len().max(1)
    }

    /// Takes a CPU off the list that the guest will read.
    pub fn hide(&mut self, id: u32) -> Result<(), Problem> {
        self.madt.as_mut().map_or(Ok(()), |table| madt::hide(table, id)).map_err(Problem::Madt)
    }
}
