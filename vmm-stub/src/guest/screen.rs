//! What the screen shows when the guest starts: text, or something that the stub knows nothing of.

/// Where the BIOS keeps what it knows of the screen (its data area, physical 0x400).
pub const BIOS_DATA: core::ops::Range<u64> = 0x400..0x500;

/// A screen in text mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The BIOS's number of the mode.
    pub mode: u8,
    /// Characters in a line.
    pub columns: u8,
    /// Lines.
    pub lines: u8,
    /// Lines of dots in a character.
    pub points: u8,
    /// Where the cursor is: column, line.
    pub cursor: (u8, u8),
}

impl Screen {
    /// Reads the BIOS's data area; `None` without a screen in text mode, as where no BIOS ever ran.
    pub fn read(data: &[u8; 0x100]) -> Option<Self> {
        const COLOUR_TEXT: u8 = 3;
        let screen = Self {
            mode: data[0x49],
            columns: data[0x4a],
            lines: data[0x84].wrapping_add(1),
            points: data[0x85],
            cursor: (data[0x50], data[0x51]),
        };
        let plausible = screen.columns >= 40 && (25..=60).contains(&screen.lines);
        (screen.mode == COLOUR_TEXT && plausible).then_some(screen)
    }
}

#[cfg(test)]
mod tests {
    use super::Screen;

    #[test]
    fn text_mode_is_told_from_no_bios_and_other_modes() {
        let mut data = [0; 0x100];
        assert_eq!(Screen::read(&data), None);
        for (at, value) in [(0x49, 3), (0x4a, 80), (0x84, 24), (0x85, 16), (0x50, 5), (0x51, 7)] {
            data[at] = value;
        }
        let screen = Screen { mode: 3, columns: 80, lines: 25, points: 16, cursor: (5, 7) };
        assert_eq!(Screen::read(&data), Some(screen));
        data[0x49] = 0x12;
        assert_eq!(Screen::read(&data), None);
    }
}
