//! QEMU's arguments for disks: a file, below it whatever spoils its requests, above it the device.

use serde_json::{Value, json};

use crate::disks::{Bus, Flaw, Made};
use loadphys_disk::SECTORS_PER_PAGE;

/// Bytes a second that a disk writes whose writes are stuck. The first write passes: QEMU lets a
/// request go and has the next wait for it.
const STUCK_BYTES_A_SECOND: u32 = 1;

/// The arguments for one disk.
pub fn arguments(at: usize, made: &Made) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    let mut below = format!("file{at}");
    let file = made.file().display().to_string();
    add("-blockdev", json!({"driver": "file", "node-name": below, "filename": file}).to_string());
    let errors: Vec<Value> = made.disk.flaws.iter().filter_map(error).collect();
    if !errors.is_empty() {
        let node = format!("spoilt{at}");
        let spoilt = json!({"driver": "blkdebug", "node-name": node, "image": below, "inject-error": errors});
        add("-blockdev", spoilt.to_string());
        below = node;
    }
    let node = format!("disk{at}");
    add("-blockdev", json!({"driver": "raw", "node-name": node, "file": below}).to_string());
    below = node;
    if made.disk.flaws.contains(&Flaw::StuckWrites) {
        let (group, node) = (format!("slow{at}"), format!("stuck{at}"));
        add("-object", format!("throttle-group,id={group},x-bps-write={STUCK_BYTES_A_SECOND}"));
        let stuck = json!({"driver": "throttle", "node-name": node, "throttle-group": group, "file": below});
        add("-blockdev", stuck.to_string());
        below = node;
    }
    add("-device", device(made.disk.bus, at, &below));
    arguments
}

/// A device that tells the guest of errors.
fn device(bus: Bus, at: usize, drive: &str) -> String {
    let device = match bus {
        Bus::Virtio => "virtio-blk-pci".to_owned(),
        Bus::Ata => format!("ide-hd,bus=ide.{},unit={}", at / 2, at % 2),
    };
    format!("{device},drive={drive},werror=report,rerror=report")
}

/// A rule of blkdebug.
fn error(flaw: &Flaw) -> Option<Value> {
    let Flaw::Error { writes, page, once } = *flaw else { return None };
    let kind = if writes { "write" } else { "read" };
    let mut rule = json!({"event": "none", "iotype": kind, "once": once});
    if let Some(page) = page {
        rule["sector"] = json!(page * SECTORS_PER_PAGE);
    }
    Some(rule)
}
