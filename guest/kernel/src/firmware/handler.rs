//! How the `acpi` crate reaches tables: through the boot tables' identity map.
#![expect(unsafe_code, reason = "tables that the firmware left in memory")]

use core::ptr::NonNull;

use acpi::{AcpiHandler, PhysicalMapping};
use loadphys_boot::IDENTITY_BYTES;

/// Valid only while the identity map is.
#[derive(Clone, Copy, Debug)]
pub struct Identity;

impl AcpiHandler for Identity {
    unsafe fn map_physical_region<T>(
        &self,
        physical: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        let reached =
            (physical as u64).checked_add(size as u64).is_some_and(|end| end <= IDENTITY_BYTES);
        assert!(reached, "an ACPI table at {physical:#x} lies above 4 GiB, out of reach at boot");
        let place = NonNull::new(physical as *mut T).expect("an ACPI table at address 0");
        // SAFETY: memory below 4 GiB is mapped at itself.
        unsafe { PhysicalMapping::new(physical, place, size, size, *self) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}
