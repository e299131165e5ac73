//! The scrub: reads the whole ledger back, slowly and again and again, so that damage is known before it is needed.
//!
//! Owns one thread and a report; also syncs HEAD once a second, since it is the one thread beside the writer that touches
//! nothing else. Reports damage and changes nothing: never stops the daemon, never mends.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{Position, WallTime};

use crate::background::{Background, Pace};
use crate::ledger::{self, ReadError};

/// After the start: orders first.
const BEGIN_AFTER: Duration = Duration::from_secs(10);
/// Between the end of a walk and the next.
pub const SCRUB_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Bytes a second: 10 GB in a quarter of an hour, at a hundredth of a core.
pub const SCRUB_BYTES_PER_S: u64 = 12 << 20;
/// HEAD is as old as this at most after a power loss.
const HEAD_EVERY: Duration = Duration::from_secs(1);

/// What the scrub has found so far; cheap to look at from any thread.
#[derive(Debug, Default)]
pub struct Report {
    seen: Mutex<Seen>,
}

/// One look at a [`Report`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How far the walk in hand, or the last one, has come.
    pub position: Position,
    /// When the last whole walk ended.
    pub finished: Option<WallTime>,
    /// Whole walks since the start.
    pub walks: u64,
    /// The damage that was found, until a walk finds none.
    pub damage: Option<Found>,
}

/// Damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The first position that cannot be trusted, if it is known.
    pub position: Option<Position>,
    /// When it was found.
    pub at: WallTime,
    /// What is wrong.
    pub text: String,
}

impl Report {
    /// What is known now.
    #[must_use]
    pub fn look(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self, position: Position) {
        self.lock().position = position;
    }

    fn sound(&self) {
        let mut seen = self.lock();
        (seen.finished, seen.damage) = (Some(WallTime::now()), None);
        seen.walks += 1;
    }

    fn damaged(&self, error: &ReadError) {
        let position = match error {
            ReadError::Damaged(damage) => Some(damage.position),
            ReadError::Open(_) | ReadError::Beyond { .. } | ReadError::Database { .. } => None,
        };
        self.lock().damage = Some(Found { position, at: WallTime::now(), text: error.to_string() });
    }
}

/// Starts the thread, which keeps `report`.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn start(dir: PathBuf, report: Arc<Report>) -> io::Result<Background> {
    Background::start("scrub", move |pace| Scrub { dir: &dir, pace, head: Head::default() }.run(&report))
}

struct Scrub<'a> {
    dir: &'a Path,
    pace: &'a Pace,
    head: Head,
}

impl Scrub<'_> {
    fn run(mut self, report: &Report) {
        self.wait(BEGIN_AFTER);
        while !self.pace.is_over() {
            self.walk(report);
            self.wait(SCRUB_EVERY);
        }
    }

    fn walk(&mut self, report: &Report) {
        let dir = self.dir;
        let mut speed = Speed::new(SCRUB_BYTES_PER_S);
        let walked = ledger::walk_all(dir, |row| {
            report.reached(row.last());
            self.wait(speed.owed(row.body.len()));
            if self.pace.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match walked {
            Ok(None) => {}
            Ok(Some(verified)) => {
                report.sound();
                tracing::info!(rows = verified.rows, position = %verified.last, "the whole ledger was read back: sound");
            }
            Err(error @ (ReadError::Open(_) | ReadError::Database { .. })) => {
                tracing::warn!(%error, "the ledger could not be read back; that is no damage, and is tried again");
            }
            Err(error) => {
                report.damaged(&error);
                tracing::error!(%error, "the ledger was read back: run `chef verify --data-dir {}`", dir.display());
            }
        }
    }

    /// Waits, and syncs HEAD on the way.
    fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.head.sync_if_due(self.dir);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.pace.is_over() {
                return;
            }
            self.pace.wait(left.min(HEAD_EVERY));
        }
    }
}

/// When HEAD was synced last.
#[derive(Default)]
struct Head {
    synced: Option<Instant>,
    failing: bool,
}

impl Head {
    /// A HEAD that cannot be synced is an older HEAD after a power loss, nothing more: said once.
    fn sync_if_due(&mut self, dir: &Path) {
        if self.synced.is_some_and(|synced| synced.elapsed() < HEAD_EVERY) {
            return;
        }
        self.synced = Some(Instant::now());
        match ledger::sync_head(dir) {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "HEAD cannot be synced: after a power loss it would be older");
                }
                self.failing = true;
            }
        }
    }
}

/// How long to wait so that no more than so many bytes a second are read.
struct Speed {
    began: Instant,
    bytes: u64,
    per_second: u64,
}

impl Speed {
    fn new(per_second: u64) -> Self {
        Self { began: Instant::now(), bytes: 0, per_second }
    }

    /// Short waits are saved up: each one costs a wake-up.
    fn owed(&mut self, bytes: usize) -> Duration {
        self.bytes += bytes as u64;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.per_second as f64);
        let owed = due.saturating_sub(self.began.elapsed());
        if owed < Duration::from_millis(20) { Duration::ZERO } else { owed }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Epoch;

    use super::*;
    use crate::ledger::{Journal, Row};

    fn ledger(dir: &Path) {
        let mut journal = Journal::open(dir).expect("open");
        for first in 1..=20 {
            let body = format!("{first:>60}").into_bytes();
            journal.append(&Row { first: Position(first), epoch: Epoch(1), count: 1, body }).expect("append");
        }
        journal.close().expect("close");
    }

    /// One walk, without the waits around it.
    fn walked(dir: &Path) -> Seen {
        let report = Arc::new(Report::default());
        let (told, at) = (Arc::clone(&report), dir.to_owned());
        let walk = move |pace: &Pace| Scrub { dir: &at, pace, head: Head::default() }.walk(&told);
        let thread = Background::start("scrub", walk).expect("thread");
        while !thread.is_finished() {
            std::thread::yield_now();
        }
        report.look()
    }

    #[test]
    fn a_sound_ledger_is_called_so_and_a_changed_byte_is_named() {
        let dir = tempfile::tempdir().expect("dir");
        ledger(dir.path());
        let seen = walked(dir.path());
        assert_eq!((seen.position, seen.walks, &seen.damage), (Position(20), 1, &None));

        let path = dir.path().join("ledger.db");
        let mut bytes = std::fs::read(&path).expect("read");
        let seventh = format!("{:>60}", 7).into_bytes();
        let at = bytes.windows(60).position(|window| window == seventh).expect("row 7");
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("write");
        let seen = walked(dir.path());
        let damage = seen.damage.expect("found");
        assert_eq!((seen.walks, damage.position), (0, Some(Position(7))), "{}", damage.text);
    }

    #[test]
    fn the_wait_keeps_the_rate() {
        let mut speed = Speed::new(1_000_000);
        assert_eq!(speed.owed(100), Duration::ZERO);
        let owed = speed.owed(1_000_000);
        assert!(owed > Duration::from_millis(900) && owed < Duration::from_millis(1_100), "{owed:?}");
    }
}
