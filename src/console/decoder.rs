//! Bytes of a terminal into keys: which of them a person typed, and which the terminal itself said.
//!
//! Owns the grammar of what comes in (ECMA-48: control sequences, control strings, UTF-8) and its limits of time. Never
//! reads a clock or a terminal: the time comes with each read, so a reply that is cut at any byte is a test.
//!
//! A terminal answers programs that ran before this one, and multiplexers answer late: what it says must never act.
//! - What begins like a sequence is one until its end, or until [`WAIT`] is over. Then it is dropped, never typed.
//! - A string (OSC, DCS, APC, PM, SOS) says nothing to us; of the control sequences only keys, mouse and paste do.
//! - The rest of a reply that comes later than [`WAIT`] is known by its shape: it comes in one read, as no person types.
//!
//! Not here: crossterm's reader, because it hands out what it does not know as if it had been typed.

mod sequence;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// An ESC with nothing behind it is the key after so long: a sequence comes in one piece, or nearly so.
const ESC_WAIT: Duration = Duration::from_millis(50);
/// The rest of a sequence is awaited so long after the last read of more than a byte: longer than a slow line hesitates,
/// shorter than a person who pressed Alt-P by mistake thinks.
const WAIT: Duration = Duration::from_millis(700);
/// So long after an ESC that was taken for the key, a read that begins like a string is one, though its end has not come.
const STRING_WAIT: Duration = Duration::from_secs(1);
/// What completes a dropped sequence is known as its rest for so long.
const OWED: Duration = Duration::from_secs(10);
/// A paste that is being sent is awaited for so long: what comes behind a pause would be commands.
const PASTE_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a paste that are kept; fields take a hundred characters.
const PASTE_MAX: usize = 4_096;
/// Bytes of a control sequence that are kept; a longer one is none that we know.
const SEQUENCE_MAX: usize = 64;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// ctrl-c.
const INTERRUPT: u8 = 0x03;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Where in the grammar the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    /// Behind ESC.
    Escape,
    /// In a control sequence; its bytes so far.
    Sequence(Vec<u8>),
    /// Behind `ESC O`.
    Single,
    /// In the three bytes behind `CSI M`.
    Mouse(Vec<u8>),
    /// In a control string; behind an ESC that may begin its end.
    Text { ending: bool, utf8: Utf8 },
    /// In a paste; how much of its end has come.
    Paste { text: Vec<u8>, matched: usize },
    /// In a character of several bytes.
    Character { bytes: Vec<u8>, alt: bool },
}

impl State {
    fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// How many bytes of a character are still to come, and how it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Utf8 {
    left: u8,
    lead: u8,
}

impl Utf8 {
    /// Whether the byte belongs to the character before it; 0x9c as a byte of its own ends a string, within one it does not.
    fn continues(&mut self, byte: u8) -> bool {
        let inside = self.left > 0 && (0x80..=0xbf).contains(&byte);
        (self.left, self.lead) = match byte {
            _ if inside => (self.left - 1, self.lead),
            0xc2..=0xdf => (1, byte),
            0xe0..=0xef => (2, byte),
            0xf0..=0xf4 => (3, byte),
            _ => (0, byte),
        };
        inside && !(self.lead == 0xc2 && byte == 0x9c)
    }
}

/// Keys, mouse and pastes out of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// When the unfinished is given up.
    until: Option<Duration>,
    /// What was given up unfinished, and until when its rest is known as such.
    owed: Option<(State, Duration)>,
}

impl Decoder {
    /// What a read of these bytes at `now` says.
    pub fn read(&mut self, bytes: &[u8], now: Duration) -> Vec<Event> {
        let mut events = self.expire(now);
        self.resume(bytes, now);
        if bytes == [INTERRUPT] {
            self.state = State::Ground; // somebody wants to leave, whatever is unfinished
        }
        let before = self.state.clone();
        let mut looked_to = 0;
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Ground && at >= looked_to {
                let (run, is_rest) = text_run(&bytes[at..]);
                if is_rest {
                    at += run;
                    continue;
                }
                looked_to = at + run;
            }
            self.byte(bytes[at], &mut events);
            at += 1;
        }
        let wait = match self.state {
            State::Ground => None,
            State::Escape => Some(ESC_WAIT),
            State::Paste { .. } => Some(PASTE_WAIT),
            State::Sequence(_) | State::Single | State::Mouse(_) | State::Text { .. } | State::Character { .. } => {
                Some(WAIT)
            }
        };
        // What comes byte by byte may be typed, and puts nothing off.
        let puts_off = bytes.len() > 1 || !self.state.is_same_kind(&before);
        self.until = wait.map(|wait| self.until.filter(|_| !puts_off).unwrap_or(now + wait));
        events
    }

    /// When [`Decoder::expire`] has something to do.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.until
    }

    /// Gives up what is unfinished, if its time is over; only a lone ESC means something then.
    pub fn expire(&mut self, now: Duration) -> Vec<Event> {
        let Some(until) = self.until.filter(|until| *until <= now) else { return Vec::new() };
        self.until = None;
        let state = std::mem::take(&mut self.state);
        let was_escape = state == State::Escape;
        self.owed = Some((state, until + OWED));
        if was_escape { vec![key(KeyCode::Esc, KeyModifiers::NONE)] } else { Vec::new() }
    }

    /// Goes on with what was given up, if this is its rest.
    fn resume(&mut self, bytes: &[u8], now: Duration) {
        let Some((state, until)) = self.owed.take() else { return };
        if self.state != State::Ground || now >= until {
            return;
        }
        let is_rest = match &state {
            State::Escape => {
                let soon = now < until.saturating_sub(OWED) + STRING_WAIT;
                sequence::is_rest_of_escape(bytes) || soon && sequence::begins_a_string(bytes)
            }
            State::Sequence(begun) if begun.is_empty() => sequence::is_all_but_the_introducer(bytes),
            State::Sequence(_) => bytes.len() > 1 && sequence::ends_at_once(bytes),
            State::Text { ending, .. } => *ending && bytes.first() == Some(&b'\\'),
            State::Ground | State::Single | State::Mouse(_) | State::Paste { .. } | State::Character { .. } => false,
        };
        if is_rest {
            self.state = state;
        }
    }

    fn byte(&mut self, byte: u8, events: &mut Vec<Event>) {
        match std::mem::take(&mut self.state) {
            State::Ground => self.ground(byte, false, events),
            State::Escape => self.escape(byte, events),
            State::Sequence(bytes) => self.sequence(bytes, byte, events),
            State::Single => match sequence::single(byte) {
                Some(code) => events.push(key(code, KeyModifiers::NONE)),
                None if (0x20..=0x7e).contains(&byte) => {}
                None => self.ground(byte, false, events),
            },
            State::Mouse(mut bytes) => {
                bytes.push(byte);
                match <[u8; 3]>::try_from(bytes) {
                    Ok(three) => events.extend(sequence::old_mouse(three)),
                    Err(bytes) => self.state = State::Mouse(bytes),
                }
            }
            State::Text { ending, utf8 } => self.text(ending, utf8, byte, events),
            State::Paste { text, matched } => self.paste(text, matched, byte, events),
            State::Character { mut bytes, alt } => {
                if !(0x80..=0xbf).contains(&byte) {
                    return self.ground(byte, false, events);
                }
                bytes.push(byte);
                self.character(bytes, alt, events);
            }
        }
    }

    fn ground(&mut self, byte: u8, alt: bool, events: &mut Vec<Event>) {
        let modifiers = if alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        match byte {
            ESC => self.state = State::Escape,
            0x00..=0x1f | 0x7f => {
                let (code, control) = sequence::control(byte);
                events.push(key(code, control | modifiers));
            }
            0x20..=0x7e => events.push(typed(char::from(byte), modifiers)),
            0x80..=0x9f => self.state = introduced(byte - 0x40).unwrap_or_default(),
            0xc2..=0xf4 => self.character(vec![byte], alt, events),
            _ => {}
        }
    }

    fn escape(&mut self, byte: u8, events: &mut Vec<Event>) {
        if byte == ESC {
            events.push(key(KeyCode::Esc, KeyModifiers::NONE));
        }
        match introduced(byte) {
            Some(state) => self.state = state,
            None if byte == b'\\' => {}
            None => self.ground(byte, true, events),
        }
    }

    fn sequence(&mut self, mut bytes: Vec<u8>, byte: u8, events: &mut Vec<Event>) {
        match byte {
            // The Linux console's function keys: `CSI [ A`.
            0x20..=0x3f | b'[' if byte != b'[' || bytes.is_empty() => {
                if bytes.len() < SEQUENCE_MAX {
                    bytes.push(byte);
                }
                self.state = State::Sequence(bytes);
            }
            0x40..=0x7e => match (bytes.as_slice(), byte) {
                (b"", b'M') => self.state = State::Mouse(Vec::new()),
                (b"200", b'~') => self.state = State::Paste { text: Vec::new(), matched: 0 },
                _ => events.extend(sequence::meaning(&bytes, byte)),
            },
            _ => self.ground(byte, false, events),
        }
    }

    fn text(&mut self, ending: bool, mut utf8: Utf8, byte: u8, events: &mut Vec<Event>) {
        match byte {
            _ if utf8.continues(byte) => self.state = State::Text { ending: false, utf8 },
            b'\\' if ending => {}
            BEL | 0x9c | 0x18 | 0x1a => {} // its end, or its cancellation
            ESC => self.state = State::Text { ending: true, utf8 },
            _ if ending => self.escape(byte, events),
            _ => self.state = State::Text { ending: false, utf8 },
        }
    }

    fn paste(&mut self, mut text: Vec<u8>, matched: usize, byte: u8, events: &mut Vec<Event>) {
        let matched = match byte {
            _ if PASTE_END.get(matched) == Some(&byte) => matched + 1,
            ESC => 1,
            _ => 0,
        };
        if text.len() < PASTE_MAX {
            text.push(byte);
        }
        if matched < PASTE_END.len() {
            self.state = State::Paste { text, matched };
            return;
        }
        let text = text.strip_suffix(PASTE_END).unwrap_or(&text);
        events.push(Event::Paste(String::from_utf8_lossy(text).into_owned()));
    }

    fn character(&mut self, bytes: Vec<u8>, alt: bool, events: &mut Vec<Event>) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => match text.chars().next() {
                Some(c @ '\u{80}'..='\u{9f}') => self.state = introduced(c as u8 - 0x40).unwrap_or_default(),
                Some(c) => events.push(typed(c, if alt { KeyModifiers::ALT } else { KeyModifiers::NONE })),
                None => {}
            },
            Err(error) if error.error_len().is_none() => self.state = State::Character { bytes, alt },
            Err(_) => {}
        }
    }
}

/// What begins with the second byte of a two-byte introducer; a C1 byte is that plus 0x40.
fn introduced(byte: u8) -> Option<State> {
    match byte {
        ESC => Some(State::Escape),
        b'[' => Some(State::Sequence(Vec::new())),
        b'O' => Some(State::Single),
        b']' | b'P' | b'_' | b'^' | b'X' => Some(State::Text { ending: false, utf8: Utf8::default() }),
        _ => None,
    }
}

/// How long the text at the beginning is, and whether it is the rest of a string: what is typed does not end like one
/// within one read. The end is counted then.
fn text_run(bytes: &[u8]) -> (usize, bool) {
    let mut utf8 = Utf8::default();
    for (at, byte) in bytes.iter().enumerate() {
        if utf8.continues(*byte) {
            match (utf8.lead, *byte) {
                (0xc2, 0x80..=0x9f) => return ((at - 1).max(1), false), // an introducer as a character
                _ => continue,
            }
        }
        match (*byte, bytes.get(at + 1)) {
            (BEL | 0x9c, _) if at > 0 => return (at + 1, true),
            (ESC, Some(b'\\')) if at > 0 => return (at + 2, true),
            (0x20..=0x7e | 0xc2..=0xf4, _) => {}
            _ => return (at.max(1), false),
        }
    }
    (bytes.len(), false)
}

fn typed(character: char, modifiers: KeyModifiers) -> Event {
    let shift = if character.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    key(KeyCode::Char(character), modifiers | shift)
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}
