//! The glyphs, and their stand-ins for terminals that cannot show them.
//!
//! Every glyph the views use is one column wide and is listed here once, so that a set is a map over characters and not
//! another set of views. Never decides what a glyph means: a word always stands beside it.
//!
//! - `unicode`: as the views write them.
//! - `cjk-safe`: nothing whose East Asian width is "ambiguous" (UAX 11), which such terminals draw two columns wide:
//!   bars and sparks become braille, which is always narrow.
//! - `ascii`: nothing above 0x7f.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Eighths of a column, from the left.
pub const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Heights of a spark; the first is nothing.
pub const SPARK: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// An arrow's head.
pub const HEAD: &str = "▶";

/// Which glyphs may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Symbols {
    /// All.
    #[default]
    Unicode,
    /// Those that are one column wide in an East Asian terminal too.
    CjkSafe,
    /// Those below 0x80.
    Ascii,
}

impl From<bool> for Symbols {
    /// `--ascii`.
    fn from(ascii: bool) -> Self {
        if ascii { Self::Ascii } else { Self::Unicode }
    }
}

impl Symbols {
    /// What the locale can show: [`Symbols::Ascii`] where it names another encoding than UTF-8, as `C` and `de_DE.ISO-8859-1`
    /// do. Where nothing is said a terminal of today is meant.
    pub fn of_locale(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| var(name).filter(|value| !value.is_empty());
        let Some(locale) = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set) else { return Self::Unicode };
        let locale = locale.to_ascii_lowercase();
        let encoding = locale.split(['.', '@']).nth(1).filter(|_| locale.contains('.'));
        match encoding {
            Some("utf-8" | "utf8") => Self::Unicode,
            Some(_) => Self::Ascii,
            None if matches!(locale.as_str(), "c" | "posix") => Self::Ascii,
            // A bare `en_US` was Latin-1 once; where it is still used today it is an alias.
            None => Self::Unicode,
        }
    }

    /// The word in a theme file and behind `--symbols`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unicode => "unicode",
            Self::CjkSafe => "cjk-safe",
            Self::Ascii => "ascii",
        }
    }

    /// The set of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Unicode, Self::CjkSafe, Self::Ascii].into_iter().find(|set| set.word() == word)
    }

    /// A text in this set, in the same columns.
    #[must_use]
    pub fn map(self, text: &str) -> Cow<'_, str> {
        match self {
            _ if text.is_ascii() => text.into(),
            Self::Unicode => text.into(),
            Self::CjkSafe => text.chars().map(cjk_safe).collect::<String>().into(),
            Self::Ascii => to_ascii(text).into(),
        }
    }
}

/// What stands for a character where ambiguous ones are two columns wide; a name keeps its own letters.
fn cjk_safe(character: char) -> char {
    match character {
        '─' | '━' | '╴' => '╌',
        '│' | '┃' | '┆' => '╎',
        '╭' | '╮' | '╰' | '╯' | '┬' | '┴' | '├' | '┤' | '┼' | '└' | '╋' => '+',
        '—' | '–' => '-',
        '█' | '▉' | '▊' | '▇' => '⣿',
        '▅' | '▆' => '⣶',
        '▃' | '▄' => '⣤',
        '▁' | '▂' => '⣀',
        '▋' | '▌' | '▍' => '⡇',
        '▎' | '▏' => '⡀',
        '░' => '⠂',
        '▒' => '⠪',
        '▓' => '⠿',
        '·' | '…' => '.',
        '×' => 'x',
        '▲' | '↑' => '▴',
        '▼' | '↓' => '▾',
        '▶' | '→' => '▸',
        '●' | '◆' => '◉',
        '○' | '◐' | '◑' => '◌',
        other => other,
    }
}

/// What stands for a character when nothing above 0x7f may be written.
#[must_use]
pub fn ascii_of(character: char) -> char {
    match character {
        ' '..='~' => character,
        '─' | '╌' | '—' | '–' | '━' | '╴' | '▁' | '▂' => '-',
        '│' | '┃' | '╋' | '┆' | '┊' | '╎' => '|',
        '╭' | '╮' | '╰' | '╯' | '┬' | '┴' | '├' | '┤' | '┼' | '└' | '✓' => '+',
        '█' | '▉' | '▊' | '▋' | '▌' | '▇' | '▆' => '#',
        '▓' => '%',
        '▃' | '▄' | '▅' | '▒' => '=',
        '▍' | '▎' | '▏' | '·' | '…' => '.',
        '░' => ':',
        '▲' | '↑' => '^',
        '▼' | '↓' => 'v',
        '●' | '◆' => '*',
        '◌' | '○' | '◐' | '◑' => 'o',
        '✕' | '×' => 'x',
        '▶' | '→' | '▸' => '>',
        '◀' | '←' => '<',
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
    use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

    use super::*;

    /// Every glyph of ours that is not ASCII.
    const OURS: &str = "─╌—–━╴▁▂│┃╋┆╭╮╰╯┬┴├┤┼└✓█▉▊▋▌▇▆▃▄▅▍▎▏·…▲↑▼↓●◆◌○◐◑✕×▶→▸░▒▓";

    #[test]
    fn a_locale_that_cannot_show_more_gets_ascii() {
        let of = |vars: &[(&str, &str)]| {
            Symbols::of_locale(|name| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        for ascii in ["C", "POSIX", "de_DE.ISO-8859-1", "de_DE.iso88591@euro", "en_US.US-ASCII"] {
            assert_eq!(of(&[("LANG", ascii)]), Symbols::Ascii, "{ascii}");
        }
        for unicode in ["C.UTF-8", "en_GB.utf8", "de_DE.UTF-8@euro", "en_US", ""] {
            assert_eq!(of(&[("LANG", unicode)]), Symbols::Unicode, "{unicode}");
        }
        assert_eq!(of(&[]), Symbols::Unicode);
        assert_eq!(of(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")]), Symbols::Ascii, "the stronger one counts");
        assert_eq!(of(&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C")]), Symbols::Unicode);
    }

    #[test]
    fn every_glyph_is_one_column_and_has_a_stand_in() {
        for glyph in EIGHTHS.iter().skip(1).chain(&SPARK).chain(&[HEAD]) {
            assert_eq!(glyph.width(), 1, "{glyph}");
            assert!(to_ascii(glyph).is_ascii());
            assert!(!to_ascii(glyph).contains('?'), "{glyph}");
        }
        assert!(OURS.chars().all(|glyph| glyph.width() == Some(1) && ascii_of(glyph) != '?'));
    }

    #[test]
    fn the_cjk_safe_set_is_narrow_where_ambiguous_glyphs_are_wide() {
        for glyph in Symbols::CjkSafe.map(OURS).chars() {
            assert_eq!((glyph.width(), glyph.width_cjk()), (Some(1), Some(1)), "{glyph}");
        }
        assert_eq!(Symbols::CjkSafe.map("寿司"), "寿司", "a name stays as it is");
    }

    #[test]
    fn a_set_is_found_by_its_word() {
        for set in [Symbols::Unicode, Symbols::CjkSafe, Symbols::Ascii] {
            assert_eq!(Symbols::named(set.word()), Some(set));
        }
        assert_eq!(Symbols::named("emoji"), None);
    }
}
