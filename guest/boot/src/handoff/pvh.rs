//! The PVH boot protocol (Xen, "x86/HVM direct boot ABI" and `arch-x86/hvm/start_info.h`): read by a
//! kernel, written by the stub.
#![expect(unsafe_code, reason = "reads structures that the loader left in memory")]

use core::ffi::CStr;

use heapless::Vec;

use super::{CommandLine, Handoff, HandoffError, Loader, Module, Region, add, command_line};

/// First word of the start info.
pub const MAGIC: u32 = 0x336e_c578;

/// Memory that nothing else uses, as in an E820 map.
pub const USABLE: u32 = 1;

/// Memory that must be left alone.
pub const RESERVED: u32 = 2;

/// `hvm_start_info`, version 1; its physical address is in EBX at entry.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct StartInfo {
    /// [`MAGIC`].
    pub magic: u32,
    /// 1: the memory map is there.
    pub version: u32,
    /// 0 for a kernel that is not Xen's control domain.
    pub flags: u32,
    /// How many [`ModuleEntry`].
    pub modules: u32,
    /// Where they are.
    pub modules_at: u64,
    /// Where the command line is, ended by a zero byte; 0 for none.
    pub command_line_at: u64,
    /// Where ACPI's root pointer is; 0 if unknown.
    pub rsdp: u64,
    /// Where the [`MemoryEntry`]s are.
    pub memory_at: u64,
    /// How many.
    pub memory: u32,
    /// 0.
    pub reserved: u32,
}

/// `hvm_modlist_entry`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ModuleEntry {
    /// Physical address.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Where its command line is; 0 for none.
    pub command_line_at: u64,
    /// 0.
    pub reserved: u64,
}

/// `hvm_memmap_table_entry`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MemoryEntry {
    /// Physical address.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// E820 type.
    pub kind: u32,
    /// 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<StartInfo>() == 56);
const _: () = assert!(size_of::<ModuleEntry>() == 32);
const _: () = assert!(size_of::<MemoryEntry>() == 24);

/// # Safety
/// A PVH loader left its start info at this physical address, mapped at itself, and nothing
/// writes to it.
pub(super) unsafe fn read(info: u64) -> Result<Handoff, HandoffError> {
    // SAFETY: the caller's promise.
    let info = unsafe { (info as *const StartInfo).read() };
    if info.magic != MAGIC {
        return Err(HandoffError::Damaged("no PVH magic in the start info"));
    }
    if info.version < 1 || info.memory == 0 {
        return Err(HandoffError::Damaged("PVH start info without a memory map"));
    }
    // SAFETY: the start info is true, so what it names is there.
    let (memory, modules) = unsafe { (memory(&info)?, modules(&info)?) };
    Ok(Handoff {
        loader: Loader::Pvh,
        memory,
        // SAFETY: as above.
        command_line: unsafe { text(info.command_line_at)? },
        modules,
        rsdp: (info.rsdp != 0).then_some(info.rsdp),
    })
}

/// # Safety
/// The start info is true.
unsafe fn memory<const N: usize>(info: &StartInfo) -> Result<Vec<Region, N>, HandoffError> {
    let mut regions = Vec::new();
    for i in 0..info.memory as usize {
        // SAFETY: the map has that many entries.
        let entry = unsafe { (info.memory_at as *const MemoryEntry).add(i).read() };
        let end = entry.start.saturating_add(entry.size);
        let region = Region { start: entry.start, end, usable: entry.kind == USABLE };
        add(&mut regions, region, "memory ranges")?;
    }
    Ok(regions)
}

/// # Safety
/// The start info is true.
unsafe fn modules<const N: usize>(info: &StartInfo) -> Result<Vec<Module, N>, HandoffError> {
    let mut modules = Vec::new();
    for i in 0..info.modules as usize {
        // SAFETY: the list has that many entries.
        let entry = unsafe { (info.modules_at as *const ModuleEntry).add(i).read() };
        // SAFETY: as above.
        let command_line = unsafe { text(entry.command_line_at)? };
        let end = entry.start.saturating_add(entry.size);
        add(&mut modules, Module { start: entry.start, end, command_line }, "modules")?;
    }
    Ok(modules)
}

/// # Safety
/// The address is zero or that of text ended by a zero byte.
unsafe fn text(at: u64) -> Result<CommandLine, HandoffError> {
    if at == 0 {
        return Ok(CommandLine::new());
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(at as *const _) };
    let text = text.to_str().map_err(|_| HandoffError::Damaged("a command line is not UTF-8"))?;
    command_line(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_loader_wrote_is_read_back() {
        let map = [
            MemoryEntry { start: 0x10_0000, size: 0x70_0800, kind: USABLE, reserved: 0 },
            MemoryEntry { start: 0, size: 0x9_fc00, kind: USABLE, reserved: 0 },
            MemoryEntry { start: 0x9_fc00, size: 0x400, kind: RESERVED, reserved: 0 },
        ];
        let text = c"plan=probe exit=acpi";
        let modules = [ModuleEntry {
            start: 0x40_0000,
            size: 0x1234,
            command_line_at: text.as_ptr() as u64,
            reserved: 0,
        }];
        let info = StartInfo {
            magic: MAGIC,
            version: 1,
            flags: 0,
            modules: 1,
            modules_at: modules.as_ptr() as u64,
            command_line_at: text.as_ptr() as u64,
            rsdp: 0xf_5a40,
            memory_at: map.as_ptr() as u64,
            memory: 3,
            reserved: 0,
        };
        // SAFETY: all of it lives until the end of this function.
        let handoff = unsafe { read(&raw const info as u64) }.unwrap();
        assert_eq!(handoff.command_line, "plan=probe exit=acpi");
        assert_eq!(handoff.rsdp, Some(0xf_5a40));
        assert_eq!((handoff.modules[0].start, handoff.modules[0].end), (0x40_0000, 0x40_1234));
        let usable: std::vec::Vec<_> = handoff.usable().map(|r| (r.start, r.end)).collect();
        assert_eq!(usable, [(0x10_0000, 0x80_0000), (0, 0x9_f000)]);
    }

    #[test]
    fn a_start_info_without_magic_or_map_is_refused() {
        let mut info = StartInfo {
            magic: MAGIC + 1,
            version: 1,
            flags: 0,
            modules: 0,
            modules_at: 0,
            command_line_at: 0,
            rsdp: 0,
            memory_at: 0,
            memory: 1,
            reserved: 0,
        };
        // SAFETY: a wrong magic number ends the reading at once.
        assert!(unsafe { read(&raw const info as u64) }.is_err());
        (info.magic, info.memory) = (MAGIC, 0);
        // SAFETY: so does an empty map.
        assert!(unsafe { read(&raw const info as u64) }.is_err());
    }
}
