//! The archive that Linux unpacks as its first file system: `cpio` in the format `newc`
//! (Linux's `Documentation/driver-api/early-userspace/buffer-format.rst`).

/// What an entry is, and who may do what with it: `st_mode` of `stat(2)`.
mod mode {
    pub const DIRECTORY: u32 = 0o040_755;
    pub const PROGRAM: u32 = 0o100_755;
    pub const FILE: u32 = 0o100_644;
    pub const CHARACTER_DEVICE: u32 = 0o020_600;
}

/// Numbers of the console as a device (Linux's `Documentation/admin-guide/devices.txt`).
const CONSOLE: (u32, u32) = (5, 1);

/// The last entry.
const END: &str = "TRAILER!!!";

/// An archive that grows.
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Without an entry.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: 0 }
    }

    /// Adds a directory. Those that it lies in come first, as for all entries.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, mode::DIRECTORY, (0, 0), &[]);
    }

    /// Adds a file that can be run.
    pub fn program(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, mode::PROGRAM, (0, 0), contents);
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, contents: &[u8]) {
        self.entry(name, mode::FILE, (0, 0), contents);
    }

    /// Adds the console, which the first program finds open.
    pub fn console(&mut self, name: &str) {
        self.entry(name, mode::CHARACTER_DEVICE, CONSOLE, &[]);
    }

    /// All of it.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry(END, 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        self.entries += 1;
        let [inode, owner, group, links, time] = [self.entries, 0, 0, 1, 0];
        let size = u32::try_from(contents.len()).expect("a file of less than 4 GiB");
        let on = (0, 0);
        let name_bytes = name.len() as u32 + 1;
        let check = 0;
        self.bytes.extend(b"070701");
        for field in [
            inode, mode, owner, group, links, time, size, on.0, on.1, device.0, device.1,
            name_bytes, check,
        ] {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    /// Names and contents end at multiples of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    /// An entry's mode, contents and device, by its name.
    type Entry<'b> = (String, u32, &'b [u8], (u32, u32));

    /// Reads an archive as the format's description has it.
    fn read(mut bytes: &[u8]) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..6], b"070701");
            let field = |index: usize| {
                let text = &bytes[6 + 8 * index..][..8];
                u32::from_str_radix(str::from_utf8(text).unwrap(), 16).unwrap()
            };
            let (size, name_bytes) = (field(6) as usize, field(11) as usize);
            let contents = (110 + name_bytes).next_multiple_of(4);
            let name = String::from_utf8(bytes[110..110 + name_bytes - 1].to_vec()).unwrap();
            assert_eq!(bytes[110 + name_bytes - 1], 0);
            entries.push((
                name,
                field(1),
                &bytes[contents..contents + size],
                (field(9), field(10)),
            ));
            bytes = &bytes[(contents + size).next_multiple_of(4)..];
        }
        entries
    }

    #[test]
    fn what_was_put_in_is_read_again() {
        let mut archive = Archive::new();
        archive.directory("dev");
        archive.console("dev/console");
        archive.program("init", b"12345");
        archive.file("brd.ko", b"");
        let bytes = archive.finish();
        let wanted: [Entry<'_>; 5] = [
            ("dev".into(), 0o40755, b"", (0, 0)),
            ("dev/console".into(), 0o20600, b"", (5, 1)),
            ("init".into(), 0o100755, b"12345", (0, 0)),
            ("brd.ko".into(), 0o100644, b"", (0, 0)),
            ("TRAILER!!!".into(), 0, b"", (0, 0)),
        ];
        assert_eq!(read(&bytes), wanted);
        assert_eq!(bytes.len() % 4, 0);
    }
}
