//! A program in a pseudo terminal that behaves like one: it draws, answers `CSI 6n` and `CSI c`, and keeps every byte.
//!
//! Owns waiting: always for what is on the screen, never for time alone. Shared by the restore tests and the budget bench.

#![allow(dead_code, reason = "each user takes its own part")]
#![allow(missing_docs, reason = "the names say it")]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use vt100::{MouseProtocolMode, Parser, Screen};

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What came out so far.
pub struct Seen {
    pub parser: Parser,
    /// After the last whole frame, as a terminal that knows `?2026` shows it.
    pub shown: Screen,
    pub bytes: Vec<u8>,
    /// When the first byte came, when the last, and how many reads there were.
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    pub reads: u64,
    over: bool,
}

const FRAME_END: &[u8] = b"\x1b[?2026l";

type Shared = Arc<(Mutex<Seen>, Condvar)>;

/// How fast the other side reads: a pause after each read of so many bytes, and after each so many reads a stall.
#[derive(Clone, Copy)]
pub struct Reading {
    pub chunk: usize,
    pub pause: Duration,
    pub stall_every: u64,
    pub stall: Duration,
}

pub const AT_ONCE: Reading =
    Reading { chunk: 64 * 1024, pause: Duration::ZERO, stall_every: u64::MAX, stall: Duration::ZERO };

pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    slave: Option<Box<dyn SlavePty + Send>>,
    shared: Shared,
    before: String,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Pty {
    pub fn start(program: &Path, args: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Self {
        Self::start_read(program, args, env, size, AT_ONCE)
    }

    pub fn start_read(program: &Path, args: &[&str], env: &[(&str, &str)], size: (u16, u16), reading: Reading) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize { cols: size.0, rows: size.1, ..PtySize::default() })
            .expect("a pseudo terminal");
        let before = settings(&*pair.master);
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_remove("NO_COLOR");
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        // A report with a backtrace would scroll its first line off the screen.
        command.env("RUST_BACKTRACE", "0");
        for (name, value) in env {
            command.env(name, value);
        }
        let reader = pair.master.try_clone_reader().expect("a reader");
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("a writer")));
        let rows_columns = [size.1, size.0].map(|side| NonZeroU16::new(side).expect("a size"));
        let parser = Parser::new(rows_columns[0], rows_columns[1], 0);
        let shown = parser.screen().clone();
        let seen = Seen { parser, shown, bytes: Vec::new(), first: None, last: None, reads: 0, over: false };
        let shared: Shared = Arc::new((Mutex::new(seen), Condvar::new()));
        let (told, answers) = (shared.clone(), writer.clone());
        let thread = std::thread::spawn(move || read(reader, &told, &answers, reading));
        let child = pair.slave.spawn_command(command).expect("it starts");
        let (master, slave, reader) = (Some(pair.master), Some(pair.slave), Some(thread));
        Self { child, master, writer, slave, shared, before, reader }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it has run")
    }

    pub fn type_keys(&self, keys: &str) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("it listens");
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn screen(&self) -> String {
        self.seen().parser.screen().contents()
    }

    /// Waits until it holds; says how long that took.
    pub fn until(&self, what: &str, holds: impl Fn(&Seen) -> bool) -> Duration {
        let began = Instant::now();
        let mut seen = self.seen();
        while !holds(&seen) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            assert!(!left.is_zero(), "not within {PATIENCE:?}: {what}\n{}", seen.parser.screen().contents());
            seen = self.shared.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        began.elapsed()
    }

    pub fn until_shows(&self, text: &str) -> Duration {
        self.until(text, |seen| seen.parser.screen().contents().contains(text))
    }

    /// Waits until everything that was written before now has been read: a mode set by then is seen.
    pub fn until_given_back(&self) {
        self.until("the terminal is given back", is_given_back);
    }

    pub fn until_ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it has not ended\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the terminal's settings are those of before.
    pub fn has_old_settings(&self) -> bool {
        self.master.as_deref().map(|master| settings(master)) == Some(self.before.clone())
    }

    pub fn settings(&self) -> (String, String) {
        (self.before.clone(), self.master.as_deref().map(|master| settings(master)).unwrap_or_default())
    }

    /// The terminal goes away, as when its window is closed.
    pub fn hang_up(&mut self) {
        // The reading thread has the terminal open too; what a key draws wakes it, and it leaves.
        self.seen().over = true;
        self.type_keys("j");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        self.slave = None;
        self.master = None;
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(std::io::sink());
    }

    pub fn resize(&self, size: (u16, u16)) {
        let size = PtySize { cols: size.0, rows: size.1, ..PtySize::default() };
        self.master.as_ref().expect("it is there").resize(size).expect("resized");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a terminal has settings"))
}

/// Alternate screen left, cursor shown, no mouse, no paste mode, and every `?2026 h` closed.
pub fn is_given_back(seen: &Seen) -> bool {
    let screen = seen.parser.screen();
    let synchronized = seen.bytes.windows(8).rev().find_map(|window| match window {
        b"\x1b[?2026h" => Some(true),
        b"\x1b[?2026l" => Some(false),
        _ => None,
    });
    !screen.alternate_screen()
        && !screen.hide_cursor()
        && !screen.bracketed_paste()
        && matches!(screen.mouse_protocol_mode(), MouseProtocolMode::None)
        && synchronized != Some(true)
}

fn read(mut from: Box<dyn Read + Send>, shared: &Shared, answers: &Mutex<Box<dyn Write + Send>>, reading: Reading) {
    let mut buffer = vec![0; reading.chunk];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        let mut seen = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = seen.over || count == 0;
        if count > 0 {
            let now = Instant::now();
            seen.first = seen.first.or(Some(now));
            (seen.last, seen.reads) = (Some(now), seen.reads + 1);
            process(&mut seen, &buffer[..count]);
            seen.bytes.extend_from_slice(&buffer[..count]);
        }
        let stalls = seen.reads.is_multiple_of(reading.stall_every);
        let (row, column) = seen.parser.screen().cursor_position();
        drop(seen);
        shared.1.notify_all();
        if over {
            return;
        }
        answer(&buffer[..count], (row, column), answers);
        if !reading.pause.is_zero() {
            std::thread::sleep(if stalls { reading.stall } else { reading.pause });
        }
    }
}

/// Draws what was read, and keeps the picture as of the last frame that ended in it.
fn process(seen: &mut Seen, read: &[u8]) {
    let end =
        read.windows(FRAME_END.len()).rposition(|window| window == FRAME_END).map_or(0, |at| at + FRAME_END.len());
    seen.parser.process(&read[..end]);
    if end > 0 {
        seen.shown = seen.parser.screen().clone();
    }
    seen.parser.process(&read[end..]);
}

/// What any terminal answers; a question lies within one read, because programs write it at once.
fn answer(bytes: &[u8], (row, column): (u16, u16), answers: &Mutex<Box<dyn Write + Send>>) {
    let asked = |question: &[u8]| bytes.windows(question.len()).filter(|window| *window == question).count();
    let mut said = String::new();
    for _ in 0..asked(b"\x1b[6n") {
        said.push_str(&format!("\x1b[{};{}R", row + 1, column + 1));
    }
    for _ in 0..asked(b"\x1b[c") {
        said.push_str("\x1b[?62;22c");
    }
    if !said.is_empty() {
        let mut writer = answers.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.write_all(said.as_bytes()).and_then(|()| writer.flush());
    }
}
