//! Multiboot2 (specification 2.0, section 3.6 "Boot information format"), read through the
//! `multiboot2` crate.
#![expect(unsafe_code, reason = "reads structures that the loader left in memory")]

use ::multiboot2::{BootInformation, BootInformationHeader, MemoryAreaType};
use heapless::Vec;

use super::{Handoff, HandoffError, Loader, Module, Region, add, command_line};

/// What GRUB leaves in EAX.
pub const MAGIC: u32 = ::multiboot2::MAGIC;

/// A tag's header: type and size; what the tag holds comes behind it.
const TAG_HEADER_BYTES: u64 = 8;

/// # Safety
/// A multiboot2 loader left its information at this physical address, mapped at itself, and
/// nothing writes to it.
pub(super) unsafe fn read(info: u64) -> Result<Handoff, HandoffError> {
    // SAFETY: the caller's promise.
    let info = unsafe { BootInformation::load(info as *const BootInformationHeader) }
        .map_err(|_| HandoffError::Damaged("not a well-formed multiboot2 structure"))?;
    let text = info.command_line_tag().and_then(|tag| tag.cmdline().ok()).unwrap_or("");
    Ok(Handoff {
        loader: Loader::Multiboot2,
        memory: memory(&info)?,
        command_line: command_line(text)?,
        modules: modules(&info)?,
        rsdp: rsdp(&info),
    })
}

fn memory<const N: usize>(info: &BootInformation<'_>) -> Result<Vec<Region, N>, HandoffError> {
    let map = info.memory_map_tag().ok_or(HandoffError::Damaged("no memory map"))?;
    let mut regions = Vec::new();
    for area in map.memory_areas() {
        let usable = area.typ() == MemoryAreaType::Available;
        let region = Region { start: area.start_address(), end: area.end_address(), usable };
        add(&mut regions, region, "memory ranges")?;
    }
    Ok(regions)
}

fn modules<const N: usize>(info: &BootInformation<'_>) -> Result<Vec<Module, N>, HandoffError> {
    let mut modules = Vec::new();
    for tag in info.module_tags() {
        let text = tag.cmdline().map_err(|_| HandoffError::Damaged("a module's command line"))?;
        let (start, end) = (u64::from(tag.start_address()), u64::from(tag.end_address()));
        add(&mut modules, Module { start, end, command_line: command_line(text)? }, "modules")?;
    }
    Ok(modules)
}

/// The loader copies the root pointer into a tag; its address is as good as the original's.
fn rsdp(info: &BootInformation<'_>) -> Option<u64> {
    let new = info.rsdp_v2_tag().map(|tag| core::ptr::from_ref(tag) as u64);
    let old = || info.rsdp_v1_tag().map(|tag| core::ptr::from_ref(tag) as u64);
    new.or_else(old).map(|tag| tag + TAG_HEADER_BYTES)
}
