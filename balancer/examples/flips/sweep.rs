//! Flips bits of a ledger on disk, one at a time, and asks after each whether that was noticed.
//!
//! Owns the ledger it makes: 64 KiB of rows in the database, or some still in a WAL of about that size. Shared by the command that flips every
//! bit (examples/flips) and the test that flips a part of them (tests/flips.rs).

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use balancer::ledger::{Journal, Row, verify};
use protocol::{Epoch, Position};

/// Where the rows are when the bits flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Moved into the database by a checkpoint.
    Database,
    /// In the write-ahead log, as a kill -9 leaves them.
    Wal,
}

impl Place {
    /// Rows, and bytes of a row's body. Each commit puts whole pages of 16 KiB in the WAL, so there they are few.
    fn rows(self) -> (u64, u64) {
        match self {
            Self::Database => (160, 400),
            Self::Wal => (2, 8_000),
        }
    }
}

/// What became of the flips.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Bits that were flipped.
    pub flipped: u64,
    /// Reported, by refusing to open or by naming a position.
    pub detected: u64,
    /// Not reported, and every row and the chain read back as they were written.
    pub harmless: u64,
}

/// Flips every `stride`-th bit of the file that holds the rows.
///
/// # Panics
/// A flip was not reported and changed what is read: the very thing that must not be.
pub fn sweep(place: Place, stride: usize) -> Outcome {
    let dir = std::env::temp_dir().join(format!("chef-flips-{place:?}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    let written = make(&dir, place);
    let path = dir.join(if place == Place::Database { "ledger.db" } else { "ledger.db-wal" });
    let whole = fs::read(&path).expect("readable");
    let file = fs::File::options().write(true).open(&path).expect("writable");
    let mut outcome = Outcome::default();
    for bit in (0..whole.len() * 8).step_by(stride.max(1)) {
        let (at, before) = (bit / 8, whole[bit / 8]);
        file.write_all_at(&[before ^ 1 << (bit % 8)], at as u64).expect("written");
        outcome.flipped += 1;
        match read_back(&dir) {
            None => outcome.detected += 1,
            Some(rows) => {
                assert!(rows == written, "{place:?}: bit {bit} changed what is read, and nobody said so");
                outcome.harmless += 1;
            }
        }
        file.write_all_at(&[before], at as u64).expect("written");
    }
    assert!(read_back(&dir).is_some_and(|rows| rows == written), "the ledger is whole again at the end");
    let _ = fs::remove_dir_all(&dir);
    outcome
}

/// The rows, if the ledger calls itself whole.
fn read_back(dir: &Path) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    verify(dir, |row| rows.push(row.clone())).ok().map(|_| rows)
}

fn make(dir: &Path, place: Place) -> Vec<Row> {
    let (count, bytes) = place.rows();
    let rows: Vec<Row> = (1..=count).map(|first| row(first, bytes)).collect();
    let live = dir.with_extension("live");
    let _ = fs::remove_dir_all(&live);
    let mut journal = Journal::open(if place == Place::Database { dir } else { &live }).expect("opened");
    for row in &rows {
        journal.append(row).expect("appended");
    }
    if place == Place::Database {
        journal.close().expect("closed");
    } else {
        fs::create_dir_all(dir).expect("created");
        for name in ["ledger.db", "ledger.db-wal", "HEAD"] {
            fs::copy(live.join(name), dir.join(name)).expect("copied");
        }
        drop(journal);
        let _ = fs::remove_dir_all(&live);
    }
    rows
}

/// A body without two equal bytes in a row, so that no flip can hide in a repetition.
fn row(first: u64, bytes: u64) -> Row {
    let body = (0..bytes).map(|at| (first.wrapping_mul(31) ^ at.wrapping_mul(167)).to_le_bytes()[0]);
    Row { first: Position(first), epoch: Epoch(1), count: 1, body: body.collect() }
}
