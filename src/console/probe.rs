//! Asking the terminal what it can do, for `chef doctor`; the console itself never asks.
//!
//! Owns the questions and the reading of the answers. Never waits longer than [`PATIENCE`], never leaves a mark on the screen,
//! and gives the terminal back as it was, whatever happens.
//!
//! - The last question is one every terminal answers (DA1): its answer ends the wait.
//! - Widths are measured: a glyph is written at the left edge, the cursor's column is asked for, and the line is wiped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long the answers may take: a slow line over two continents.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// The most bytes of answers.
const ANSWER_MAX: usize = 4_096;

/// The glyphs whose width is measured, and how wide we need them.
pub const GLYPHS: [(&str, u16); 7] = [("─", 1), ("█", 1), ("▲", 1), ("●", 1), ("·", 1), ("⣿", 1), ("寿", 2)];

/// What the terminal answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Whether it knows synchronized output (mode 2026); none: it did not answer that.
    pub synchronized: Option<bool>,
    /// Measured widths, in the sequence of [`GLYPHS`]; none: not answered.
    pub widths: Vec<Option<u16>>,
    /// Whether it answered at all.
    pub answered: bool,
    /// How long it took.
    pub took: Duration,
}

/// Raw mode, undone when dropped.
struct Raw;

impl Raw {
    fn begin() -> io::Result<Self> {
        crossterm::terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

/// Asks the terminal this process is attached to.
///
/// # Errors
/// There is none.
pub fn ask() -> io::Result<Answers> {
    let mut tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let _raw = Raw::begin()?;
    let began = Instant::now();
    let bytes = reader(tty.try_clone()?);
    tty.write_all(questions().as_bytes())?;
    let text = collect(&bytes, began);
    let _ = tty.write_all(b"\r\x1b[K");
    Ok(Answers { took: began.elapsed(), ..parse(&text) })
}

/// All questions; the last one is answered by every terminal.
fn questions() -> String {
    let widths: String = GLYPHS.iter().map(|(glyph, _)| format!("\r{glyph}\x1b[6n")).collect();
    format!("\x1b[?2026$p{widths}\r\x1b[K\x1b[c")
}

/// Bytes of the terminal. The thread ends with the process: a read cannot be called off.
fn reader(mut tty: File) -> Receiver<u8> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Ok(count) = tty.read(&mut buffer) {
            if count == 0 || buffer[..count].iter().any(|byte| sender.send(*byte).is_err()) {
                return;
            }
        }
    });
    receiver
}

/// Bytes until the last answer is whole, or nobody answers in time.
fn collect(bytes: &Receiver<u8>, began: Instant) -> String {
    let mut text = Vec::new();
    while text.len() < ANSWER_MAX
        && let Ok(byte) = bytes.recv_timeout(PATIENCE.saturating_sub(began.elapsed()))
    {
        text.push(byte);
        if byte == b'c' && replies(&String::from_utf8_lossy(&text)).any(|reply| is_last(&reply)) {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn is_last(reply: &(String, char)) -> bool {
    reply.1 == 'c' && reply.0.starts_with('?')
}

/// The control sequences in a text: what is between `CSI` and the final character, and that.
fn replies(text: &str) -> impl Iterator<Item = (String, char)> + '_ {
    text.split("\x1b[").skip(1).filter_map(|rest| {
        let at = rest.find(|character: char| ('@'..='~').contains(&character))?;
        Some((rest[..at].to_owned(), rest[at..].chars().next()?))
    })
}

fn parse(text: &str) -> Answers {
    let mut answers = Answers::default();
    for reply in replies(text) {
        match (&reply.0, reply.1) {
            (said, 'y') => {
                let state = said.strip_prefix("?2026;").and_then(|state| state.strip_suffix('$'));
                // 1 set, 2 reset, 3 always set; 0 unknown, 4 never.
                answers.synchronized = state.map(|state| matches!(state, "1" | "2" | "3")).or(answers.synchronized);
            }
            (said, 'R') => {
                let column = said.split_once(';').and_then(|(_, column)| column.parse::<u16>().ok());
                answers.widths.push(column.map(|column| column.saturating_sub(1)));
            }
            (_, 'c') => answers.answered |= is_last(&reply),
            _ => {}
        }
    }
    answers.widths.resize(GLYPHS.len(), None);
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_out_of_what_the_terminal_says() {
        let text = "\x1b[?2026;2$y\x1b[5;2R\x1b[5;2R\x1b[5;3R\x1b[5;2R\x1b[5;2R\x1b[5;2R\x1b[5;3R\x1b[?62;4c";
        let answers = parse(text);
        assert!(answers.answered);
        assert_eq!(answers.synchronized, Some(true));
        assert_eq!(answers.widths, [1, 1, 2, 1, 1, 1, 2].map(Some));
    }

    #[test]
    fn silence_and_rubbish_are_no_answers() {
        for text in ["", "hello", "\x1b[", "\x1b[6c", "\x1b[?2026;0$y"] {
            let answers = parse(text);
            assert!(!answers.answered && answers.synchronized != Some(true), "{text:?}");
            assert!(answers.widths.iter().all(Option::is_none));
        }
    }
}
