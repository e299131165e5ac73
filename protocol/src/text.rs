//! Text that came from outside: what may be stored, and how it may be shown.
//!
//! Owns the one rule for names and the one cleaner for display. A control character is refused at the door ([`check`])
//! and, should one come another way, never reaches a terminal or a log line ([`clean`]).

/// What stands for characters that were taken out.
pub const TAKEN: char = '␛';

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More than the limit, in bytes.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// A control, direction or invisible character.
    #[error("contains a control, direction or invisible character")]
    Hidden,
}

/// Accepts a name of 1 to `max` bytes without hidden characters.
///
/// # Errors
/// Says which rule the text breaks.
pub fn check(text: &str, max: usize) -> Result<(), BadText> {
    if text.is_empty() {
        Err(BadText::Empty)
    } else if text.len() > max {
        Err(BadText::TooLong(max))
    } else if !is_plain(text) && text.chars().any(is_hidden) {
        Err(BadText::Hidden)
    } else {
        Ok(())
    }
}

/// Printable ASCII: nearly every name, and far cheaper to see than the whole rule.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// The text as it may be shown: at most `max` characters, each run of hidden ones as one [`TAKEN`].
#[must_use]
pub fn clean(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max * 4));
    let mut count = 0;
    for character in text.chars() {
        let replaced = if is_hidden(character) { TAKEN } else { character };
        if replaced == TAKEN && shown.ends_with(TAKEN) {
            continue;
        }
        if count == max {
            shown.pop();
            shown.push('…');
            break;
        }
        shown.push(replaced);
        count += 1;
    }
    shown
}

/// C0, C1 and DEL; direction marks and overrides; zero-width and other invisible characters; variation selectors; tags.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_character_is_refused_and_never_shown() {
        for hostile in ["a\u{1b}[31mb", "a\u{9b}2Jb", "a\u{202e}b", "a\u{200b}b", "a\r\nb", "a\u{7f}b", "a\u{e0041}b"] {
            assert_eq!(check(hostile, 64), Err(BadText::Hidden), "{hostile:?}");
            assert!(!clean(hostile, 64).chars().any(is_hidden), "{hostile:?}");
        }
        assert_eq!(clean("a\r\nb", 64), "a␛b");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
        assert_eq!(check("abcdef", 4), Err(BadText::TooLong(4)));
        assert_eq!(check("", 4), Err(BadText::Empty));
    }
}
