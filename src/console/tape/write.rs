//! The recorder: a thread that appends records to a file.
//!
//! Owns the file while it is written, and the fold its keyframes are made of. Never makes the console wait: if the disk
//! cannot follow, records are dropped, counted, and the count is recorded.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use protocol::WallTime;

use super::fold::Fold;
use super::line::{Record, Said, encode, encode_header, encode_keyframe};
use super::read::Tape;
use super::told::{Answers, Told};
use crate::console::link::{Answer, Signal};

/// Records that may wait for the disk: 50 s of the feed.
const QUEUE: usize = 1_024;
/// Between two writes of what has gathered: what a crash of this process costs.
const FLUSH: Duration = Duration::from_secs(1);
/// A keyframe comes after this time at the earliest, in milliseconds,
const KEY_EVERY_MS: u64 = 5_000;
/// and as soon as so many times its own bytes were recorded since: so keyframes are at most a third of the file, and a seek
/// decodes at most four times a keyframe;
const KEY_SHARE: u64 = 2;
/// but never later than after this time, in milliseconds.
const KEY_LATEST_MS: u64 = 60_000;

/// What the recorder says of itself.
#[derive(Debug, Default)]
pub struct State {
    bytes: AtomicU64,
    records: AtomicU64,
    lost: AtomicU64,
    failed: AtomicBool,
    why: Mutex<String>,
}

impl State {
    /// Bytes in the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records written by this recorder.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Records that the disk was too slow for.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Why the recording ended before its time.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let why = || self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.failed.load(Ordering::Acquire).then(why)
    }

    fn fail(&self, error: &io::Error) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        self.failed.store(true, Ordering::Release);
    }
}

/// Hands records to the thread.
#[derive(Debug)]
pub struct Recorder {
    sender: Option<SyncSender<Record>>,
    thread: Option<JoinHandle<()>>,
    state: Arc<State>,
    /// Where.
    pub path: PathBuf,
    /// What was found in the file, in words: a torn tail, an earlier recording.
    pub found: Option<String>,
    /// Time 0 of this session on the recording's axis.
    base: u64,
    began: Instant,
    missing: u64,
    /// What pages were told already, so that an open page is not the whole recording.
    answers: Answers,
}

impl Recorder {
    /// Begins a recording, or goes on in an existing one, whose torn tail is cut off.
    ///
    /// # Errors
    /// The file cannot be written, or is something else.
    pub fn begin(path: &Path, wall: WallTime) -> io::Result<Self> {
        let mut file = private(OpenOptions::new().create(true).append(true).read(true)).open(path)?;
        hold(&file)?;
        let (fold, base, found) = if file.metadata()?.len() > 0 {
            go_on(path, &file)?
        } else {
            file.write_all(&encode_header(wall))?;
            (Fold::default(), 0, None)
        };
        file.seek(SeekFrom::End(0))?;
        let state = Arc::new(State::default());
        let (sender, records) = sync_channel(QUEUE);
        let bytes = file.metadata()?.len();
        state.bytes.store(bytes, Ordering::Relaxed);
        let writer = Writer {
            file,
            fold,
            state: state.clone(),
            pending: VecDeque::new(),
            bytes,
            key: (base, 0, 0),
            since: 0,
            bad: 0,
        };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || writer.run(&records))?;
        let (path, began) = (path.to_owned(), Instant::now());
        let (sender, thread) = (Some(sender), Some(thread));
        let mut recorder =
            Self { sender, thread, state, path, found, base, began, missing: 0, answers: Answers::default() };
        recorder.note(Duration::ZERO, Said::Session(wall));
        Ok(recorder)
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Since this session began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Records that this happened `at` after the session began. Never waits.
    pub fn note(&mut self, at: Duration, said: Said) {
        let Some(sender) = &self.sender else { return };
        let t = self.base + u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        if self.missing > 0 {
            match sender.try_send(Record { t, said: Said::Gap(self.missing) }) {
                Ok(()) => self.missing = 0,
                Err(_) => return self.miss(),
            }
        }
        match sender.try_send(Record { t, said }) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => self.miss(),
        }
    }

    /// Records what the network said; of answers, what was done and what pages were told, each once.
    pub fn hear(&mut self, signal: &Signal, at: Duration) {
        let said = match signal {
            Signal::Frame(frame) => Said::Frame(frame.clone()),
            Signal::Lost { why, retry_in } => {
                Said::Lost(why.clone(), u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX))
            }
            Signal::Connecting { url } => Said::Connecting(url.clone()),
            Signal::Answer { outcome: Ok(Answer::Done(text)), .. } => Said::Mark(text.clone()),
            Signal::Answer { outcome: Ok(Answer::Placed { receipt, .. }), .. } => {
                Said::Mark(format!("{} is placed", receipt.id))
            }
            Signal::Answer { outcome: Ok(answer), .. } => match Told::from(answer) {
                Some(told) if self.answers.take(WallTime(0), told.clone()) => Said::Told(Box::new(told)),
                Some(_) | None => return,
            },
            Signal::Answer { outcome: Err(_), .. } => return,
        };
        self.note(at, said);
    }

    fn miss(&mut self) {
        self.missing += 1;
        self.state.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was handed over is written before the program ends.
impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A recording holds what pages showed, customers' names included: a new one is for its user alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Keeps every other recorder away for as long as the file is open: two would write their lines into each other's.
fn hold(file: &File) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
            Err(io::Error::other("another chef is recording into it: choose another file"))
        }
        Err(error) => Err(error.into()),
    }
}

/// An existing recording: its last picture, a time after its end, and what was found.
fn go_on(path: &Path, file: &File) -> io::Result<(Fold, u64, Option<String>)> {
    let mut tape = Tape::open(path).map_err(io::Error::other)?;
    let fold = tape.seek(tape.length()).map_err(io::Error::other)?;
    file.set_len(tape.end())?;
    let mut found = format!("goes on after {} s", tape.length() / 1_000);
    if let Some(word) = tape.torn() {
        found = format!("{found}; {word}");
    }
    Ok((fold, tape.length() + 1_000, Some(found)))
}

struct Writer {
    file: File,
    fold: Fold,
    state: Arc<State>,
    /// Encoded and not yet written.
    pending: VecDeque<u8>,
    /// Where the next line begins.
    bytes: u64,
    /// Time, place and size of the last keyframe.
    key: (u64, u64, u64),
    /// Bytes since then.
    since: u64,
    /// Bad events since then.
    bad: u64,
}

impl Writer {
    fn run(mut self, records: &Receiver<Record>) {
        let mut flushed = Instant::now();
        loop {
            let next = records.recv_timeout(FLUSH.saturating_sub(flushed.elapsed()));
            let over = matches!(next, Err(RecvTimeoutError::Disconnected));
            if let Ok(record) = next {
                self.take(record);
            }
            if over || flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                if let Err(error) = self.write() {
                    // Nobody takes further records then; the console says why.
                    return self.state.fail(&error);
                }
            }
            if over {
                return;
            }
        }
    }

    fn take(&mut self, record: Record) {
        self.bad += self.fold.take(&record);
        let is_frame = matches!(record.said, Said::Frame(_));
        let line = encode(record);
        self.since += line.len() as u64;
        self.append(&line);
        self.state.records.fetch_add(1, Ordering::Relaxed);
        if is_frame && self.is_key_due() {
            let at = self.bytes;
            let line = encode_keyframe(self.fold.t, self.key.1, self.bad, &self.fold);
            self.append(&line);
            (self.key, self.since, self.bad) = ((self.fold.t, at, line.len() as u64), 0, 0);
        }
    }

    fn is_key_due(&self) -> bool {
        let age = self.fold.t.saturating_sub(self.key.0);
        let first = self.key.1 == 0 && self.fold.city.known;
        first || (age >= KEY_EVERY_MS && self.since >= self.key.2 * KEY_SHARE) || age >= KEY_LATEST_MS
    }

    fn append(&mut self, line: &[u8]) {
        self.pending.extend(line);
        self.bytes += line.len() as u64;
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(self.pending.make_contiguous())?;
        self.pending.clear();
        self.state.bytes.store(self.bytes, Ordering::Relaxed);
        Ok(())
    }
}
