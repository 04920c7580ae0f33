//! Records of the kernel's log, as `/dev/kmsg` gives them: `6,1,0,-;text`, perhaps with lines behind that begin with a blank
//! (`Documentation/ABI/testing/dev-kmsg`).

/// The least urgent level that is a warning.
pub const WARNING: u32 = 4;

/// Level and text of a record, the text without what lines behind it say.
pub fn read(record: &str) -> Option<(u32, &str)> {
    let (head, text) = record.split_once(';')?;
    // The facility is in the higher bits.
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    Some((priority & 7, text.lines().next().unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_record_has_a_level_and_a_text() {
        let record = "4,512,1234567,-;ACPI: a; b\n SUBSYSTEM=acpi\n";
        assert_eq!(read(record), Some((4, "ACPI: a; b")));
        assert_eq!(read("30,1,0,c;from user space\n"), Some((6, "from user space")));
        assert_eq!(read("x;y"), None);
        assert_eq!(read(""), None);
    }
}
