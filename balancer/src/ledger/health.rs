//! Whether the disk answers: kept by the ledger's thread, read by any other without a lock.
//!
//! Owns two points in time. Never measures a disk by itself: an idle ledger is fine.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// An append that takes longer is called slow: a hundred times the usual, and a third of a lease.
pub const SLOW_AFTER: Duration = Duration::from_millis(500);

/// How the ledger's disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Fine,
    /// One append has been under way for longer than [`SLOW_AFTER`].
    Slow {
        /// When that append began.
        since: Instant,
    },
    /// The path does not lead to its files any more; what was appended is not acknowledged meanwhile.
    Moved {
        /// When that was first seen.
        since: Instant,
    },
    /// It has no space; the same row is tried again and again, and nothing is acknowledged meanwhile.
    Full {
        /// When it was first refused.
        since: Instant,
    },
}

/// What the ledger's thread says of itself. Times are milliseconds after `base` plus one; 0 is "not so".
#[derive(Debug)]
pub(super) struct Pulse {
    base: Instant,
    appending: AtomicU64,
    full: AtomicU64,
    moved: AtomicU64,
    stopping: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            appending: AtomicU64::new(0),
            full: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }
    }
}

impl Pulse {
    pub(super) fn health(&self) -> Health {
        if let Some(since) = self.at(&self.moved) {
            return Health::Moved { since };
        }
        if let Some(since) = self.at(&self.full) {
            return Health::Full { since };
        }
        match self.at(&self.appending) {
            Some(since) if since.elapsed() > SLOW_AFTER => Health::Slow { since },
            Some(_) | None => Health::Fine,
        }
    }

    pub(super) fn begins(&self) {
        self.appending.store(self.now(), Relaxed);
    }

    pub(super) fn ends(&self) {
        self.appending.store(0, Relaxed);
    }

    /// Says whether it was not full before.
    pub(super) fn is_full_now(&self) -> bool {
        self.full.compare_exchange(0, self.now(), Relaxed, Relaxed).is_ok()
    }

    /// Says whether it was full before.
    pub(super) fn is_full_no_more(&self) -> bool {
        self.full.swap(0, Relaxed) != 0
    }

    /// Says whether it was in its place before.
    pub(super) fn is_moved_now(&self) -> bool {
        self.moved.compare_exchange(0, self.now(), Relaxed, Relaxed).is_ok()
    }

    /// Says whether it was away before.
    pub(super) fn is_back(&self) -> bool {
        self.moved.swap(0, Relaxed) != 0
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn at(&self, time: &AtomicU64) -> Option<Instant> {
        let ms = time.load(Relaxed).checked_sub(1)?;
        Some(self.base + Duration::from_millis(ms))
    }
}
