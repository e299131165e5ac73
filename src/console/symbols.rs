//! The glyphs, and their stand-ins below 0x80.
//!
//! Every glyph the views use is one column wide and is listed here once, so that `--ascii` is a map over characters and
//! not a second set of views. Never decides what a glyph means: a word always stands beside it.

use unicode_width::UnicodeWidthChar;

/// Eighths of a column, from the left.
pub const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Heights of a spark; the first is nothing.
pub const SPARK: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// An arrow's head.
pub const HEAD: &str = "▶";

/// What stands for a character when nothing above 0x7f may be written.
#[must_use]
pub fn ascii_of(character: char) -> char {
    match character {
        ' '..='~' => character,
        '─' | '╌' | '—' | '–' | '━' | '╴' | '▁' | '▂' => '-',
        '│' | '┃' | '╋' | '┆' => '|',
        '╭' | '╮' | '╰' | '╯' | '┬' | '┴' | '├' | '┤' | '┼' | '└' | '✓' => '+',
        '█' | '▉' | '▊' | '▋' | '▌' | '▇' | '▆' => '#',
        '▃' | '▄' | '▅' => '=',
        '▍' | '▎' | '▏' | '·' | '…' => '.',
        '▲' | '↑' => '^',
        '▼' | '↓' => 'v',
        '●' | '◆' => '*',
        '◌' | '○' | '◐' | '◑' => 'o',
        '✕' | '×' => 'x',
        '▶' | '→' | '▸' => '>',
        _ => '?',
    }
}

/// A whole text below 0x80 that takes the same columns.
#[must_use]
pub fn to_ascii(text: &str) -> String {
    text.chars().flat_map(|c| std::iter::repeat_n(ascii_of(c), c.width().unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_glyph_is_one_column_and_has_a_stand_in() {
        for glyph in super::EIGHTHS.iter().skip(1).chain(&super::SPARK).chain(&[super::HEAD]) {
            assert_eq!(glyph.width(), 1, "{glyph}");
            assert!(super::to_ascii(glyph).is_ascii());
            assert!(!super::to_ascii(glyph).contains('?'), "{glyph}");
        }
    }
}
