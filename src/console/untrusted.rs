//! Text from the wire on its way to the screen.
//!
//! Owns the only road: a name, a customer, a reason or an event text becomes an [`Untrusted`] where it enters the model,
//! and leaves it by [`Untrusted::fit`], which never gives more columns than asked for. There is no way to the raw text.
//!
//! - No C0, C1, DEL, direction mark or invisible character is inside, and nothing whose width terminals disagree about
//!   (flags, skin tones, halfwidth sound marks); `␛` stands for what was taken.
//! - At most two combining marks stay on a character.

use protocol::text::{self, TAKEN};
use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar;

/// The most characters that are kept: more than any panel shows.
const KEPT: usize = 256;
/// The most combining marks on one character: enough for Vietnamese and Thai, too few to draw over other rows.
const MARKS: usize = 2;

/// Text that came from outside, made harmless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Untrusted(Box<str>);

/// Out of a recording, which is as untrusted as the wire.
impl From<String> for Untrusted {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

/// Into a recording.
impl From<Untrusted> for String {
    fn from(text: Untrusted) -> Self {
        text.0.into()
    }
}

impl Untrusted {
    /// Takes text from the wire.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        if raw.len() <= KEPT && raw.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Self(raw.into());
        }
        let mut kept = String::with_capacity(raw.len().min(KEPT * 4));
        let mut marks = 0;
        for character in text::clean(raw, KEPT).chars() {
            let width = character.width();
            marks = if width == Some(0) { marks + 1 } else { 0 };
            let stray = width == Some(0) && (kept.is_empty() || kept.ends_with(TAKEN) || marks > MARKS);
            if stray || width.is_none() || is_disputed(character) {
                if !kept.ends_with(TAKEN) {
                    kept.push(TAKEN);
                }
            } else {
                kept.push(character);
            }
        }
        Self(kept.into())
    }

    /// At most `width` columns of it; `…` stands for the rest.
    #[must_use]
    pub fn fit(&self, width: usize) -> String {
        if self.0.is_ascii() && self.0.len() <= width {
            return self.0.to_string();
        }
        let total: usize = self.0.chars().map(columns).sum();
        if total <= width {
            return self.0.to_string();
        }
        let mut shown = String::new();
        let mut used = 0;
        for character in self.0.chars() {
            if used + columns(character) > width.saturating_sub(1) {
                break;
            }
            used += columns(character);
            shown.push(character);
        }
        if width > 0 {
            shown.push('…');
        }
        shown
    }

    /// Exactly `width` columns, padded on the right.
    #[must_use]
    pub fn pad(&self, width: usize) -> String {
        let mut shown = self.fit(width);
        let used: usize = shown.chars().map(columns).sum();
        shown.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
        shown
    }

    /// How many columns it takes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.0.chars().map(columns).sum()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is this word, in any case.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.0.eq_ignore_ascii_case(word)
    }

    /// Whether `lowercase` is in it, in any case.
    #[must_use]
    pub fn contains(&self, lowercase: &str) -> bool {
        self.0.to_lowercase().contains(lowercase)
    }

    /// How well typed letters are found in it; see [`super::app::palette::fuzzy`].
    #[must_use]
    pub fn fuzzy(&self, typed: &str) -> Option<i32> {
        super::app::palette::fuzzy(typed, &self.0)
    }

    /// Whether it matches a lower-case pattern with `*`.
    #[must_use]
    pub fn matches(&self, pattern: &str) -> bool {
        glob(pattern, &self.0.to_lowercase())
    }
}

/// Simple globbing: `*` stands for any run.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    text.char_indices().map(|(at, _)| &text[at..]).chain([""]).any(|tail| glob(rest, tail))
}

/// Columns of one character.
fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// Characters that terminals give different widths: regional indicators, skin tones, halfwidth sound marks.
fn is_disputed(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{ff9e}' | '\u{ff9f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_taken_out() {
        assert_eq!(Untrusted::new("a\u{1b}[31mb").fit(20), "a␛[31mb");
        assert_eq!(Untrusted::new("a\u{202e}\u{200b}b").fit(20), "a␛b");
        assert_eq!(Untrusted::new("\u{1f1e9}\u{1f1ea}").fit(20), "␛");
        assert_eq!(Untrusted::new("e\u{301}\u{301}\u{301}\u{301}x").fit(20), "e\u{301}\u{301}␛x");
        assert_eq!(Untrusted::new("\u{301}x").fit(20), "␛x");
    }

    #[test]
    fn a_wide_character_is_never_cut_in_half() {
        let name = Untrusted::new("寿司屋");
        assert_eq!(name.columns(), 6);
        assert_eq!(name.fit(6), "寿司屋");
        assert_eq!(name.fit(4), "寿…");
        assert_eq!(name.pad(4), "寿… ");
        assert_eq!(name.fit(0), "");
    }

    #[test]
    fn a_star_stands_for_any_run() {
        assert!(Untrusted::new("Harbor").matches("har*"));
        assert!(Untrusted::new("Harbor").matches("*b*r"));
        assert!(!Untrusted::new("Harbor").matches("bor*"));
    }
}
