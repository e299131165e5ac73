//! What a finished control sequence means: a key, a turn of the mouse, or nothing to us.
//!
//! Owns the table. A report that was never asked for (`CSI ? c`, `CSI R`, `CSI u`, focus) means nothing, whatever is in it.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// What `CSI bytes last` means.
pub(super) fn meaning(bytes: &[u8], last: u8) -> Option<Event> {
    let text = std::str::from_utf8(bytes).ok()?;
    match (text.strip_prefix('<'), last) {
        (Some(numbers), b'M' | b'm') => mouse(numbers, last == b'M'),
        (Some(_), _) => None,
        (None, b'Z') if text.is_empty() => key(KeyCode::BackTab, "2"),
        (None, b'~') => {
            let (number, modifiers) = text.split_once(';').unwrap_or((text, ""));
            key(numbered(number)?, modifiers)
        }
        (None, _) => {
            let modifiers = if text.is_empty() { "" } else { text.strip_prefix("1;")? };
            key(single(last)?, modifiers)
        }
    }
}

/// The keys behind `ESC O`, and behind `CSI` with or without modifiers.
pub(super) fn single(last: u8) -> Option<KeyCode> {
    match last {
        b'A' => Some(KeyCode::Up),
        b'B' => Some(KeyCode::Down),
        b'C' => Some(KeyCode::Right),
        b'D' => Some(KeyCode::Left),
        b'H' => Some(KeyCode::Home),
        b'F' => Some(KeyCode::End),
        _ => None,
    }
}

fn numbered(number: &str) -> Option<KeyCode> {
    match number {
        "1" | "7" => Some(KeyCode::Home),
        "2" => Some(KeyCode::Insert),
        "3" => Some(KeyCode::Delete),
        "4" | "8" => Some(KeyCode::End),
        "5" => Some(KeyCode::PageUp),
        "6" => Some(KeyCode::PageDown),
        _ => None,
    }
}

/// A key with its `modifiers`, or `modifiers:kind`; absent: none, pressed.
fn key(code: KeyCode, modifiers: &str) -> Option<Event> {
    let (mask, kind) = modifiers.split_once(':').unwrap_or((modifiers, "1"));
    let mask: u16 = if mask.is_empty() { 1 } else { mask.parse().ok()? };
    let held = mask.saturating_sub(1);
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL), (8, KeyModifiers::SUPER)];
    let modifiers = all.iter().filter(|(bit, _)| held & bit != 0).map(|(_, modifier)| *modifier).collect();
    let kind = match kind {
        "1" => KeyEventKind::Press,
        "2" => KeyEventKind::Repeat,
        _ => return None,
    };
    Some(Event::Key(KeyEvent::new_with_kind(code, modifiers, kind)))
}

/// The key that a control byte stands for.
pub(super) fn control(byte: u8) -> (KeyCode, KeyModifiers) {
    match byte {
        b'\r' => (KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => (KeyCode::Tab, KeyModifiers::NONE),
        0x7f => (KeyCode::Backspace, KeyModifiers::NONE),
        0x00 => (KeyCode::Char(' '), KeyModifiers::CONTROL),
        0x01..=0x1a => (KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL),
        _ => (KeyCode::Char(char::from((byte & 0x1f).saturating_sub(0x1c) + b'4')), KeyModifiers::CONTROL),
    }
}

/// `button;column;row`.
fn mouse(numbers: &str, pressed: bool) -> Option<Event> {
    let mut numbers = numbers.split(';').map(|number| number.parse::<u16>().ok());
    let (button, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let event = mouse_event(button, column.checked_sub(1)?, row.checked_sub(1)?)?;
    (pressed || !matches!(event.kind, MouseEventKind::Down(_))).then_some(Event::Mouse(event))
}

/// The form of a terminal that knows no other: each number is a byte, 32 more than it says.
pub(super) fn old_mouse([button, column, row]: [u8; 3]) -> Option<Event> {
    let number = |byte: u8, more: u8| byte.checked_sub(more).map(u16::from);
    mouse_event(number(button, 32)?, number(column, 33)?, number(row, 33)?).map(Event::Mouse)
}

/// Clicks and the wheel; nothing else is heard.
fn mouse_event(button: u16, column: u16, row: u16) -> Option<MouseEvent> {
    let kind = match button & !0b1_1100 {
        0 => MouseEventKind::Down(MouseButton::Left),
        64 => MouseEventKind::ScrollUp,
        65 => MouseEventKind::ScrollDown,
        _ => return None,
    };
    Some(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

/// Whether these bytes go on behind an ESC that was taken for the key: a whole control sequence, or `O` and a letter.
pub(super) fn is_rest_of_escape(bytes: &[u8]) -> bool {
    match bytes {
        [b'[', b'A'..=b'Z'] | [b'[', b'A'..=b'Z', 0x1b, ..] => true,
        [b'[', b'0'..=b'9' | b'<'..=b'?', ..] => ends_at_once(&bytes[1..]),
        [b'O', last] => single(*last).is_some(),
        _ => false,
    }
}

/// Whether these bytes begin like a control string behind its ESC. Three of them in one read are typed by nobody.
pub(super) fn begins_a_string(bytes: &[u8]) -> bool {
    bytes.len() > 2 && matches!(bytes[0], b'P' | b']' | b'_' | b'^' | b'X')
}

/// Whether these bytes begin with the end of a control sequence: parameters, and its last byte.
pub(super) fn ends_at_once(bytes: &[u8]) -> bool {
    let last = bytes.iter().find(|byte| !(0x20..=0x3f).contains(*byte));
    last.is_some_and(|byte| (0x40..=0x7e).contains(byte)) && !bytes.starts_with(b" ")
}

/// Whether these bytes are a control sequence without its introducer and nothing else: `?62;22c`, but not `:orders`.
pub(super) fn is_all_but_the_introducer(bytes: &[u8]) -> bool {
    let whole = bytes.iter().position(|byte| (0x40..=0x7e).contains(byte)) == bytes.len().checked_sub(1);
    bytes.len() > 2 && matches!(bytes[0], b'0'..=b'9' | b'<'..=b'?') && whole && ends_at_once(bytes)
}
