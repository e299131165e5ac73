//! Snapshots: the state at the end of a row, so that a start replays only what came after.
//!
//! Owns the files `snapshot-<position>.bin`. A snapshot is a convenience and never the truth: one that is damaged, or
//! that was taken of another ledger, is passed over with a warning, and the ledger is replayed from further back.
//!
//! ```text
//! magic 8 | format u32 | position u64 | epoch u32 | chain 32 | body length u64 | hash 32 of all before it and the body
//! body
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use protocol::{Epoch, Position};

use super::{Chain, Reader, Tip, sync_dir};

const MAGIC: &[u8; 8] = b"CHEFSNAP";
const FORMAT: u32 = 2;
/// Bytes before the hash, and before the body.
const COVERED: usize = 64;
const HEADER: usize = COVERED + 32;
/// How many are kept: the newest, and one in case that is damaged.
const KEPT: usize = 2;

/// Why a snapshot could not be written. The ledger is not harmed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot write the snapshot {}: {source}; the ledger is whole, starts only take longer; check the space on the disk",
    path.display()
)]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Durably writes the state `body` as of `tip`, the end of a row, and removes all but the newest two snapshots.
///
/// # Errors
/// What the system said; the older snapshots are still there.
pub fn write_snapshot(dir: &Path, tip: &Tip, body: &[u8]) -> Result<PathBuf, SnapshotError> {
    let path = path(dir, tip.position);
    let written = write(dir, &path, tip, body);
    written.map_err(|source| SnapshotError { path: path.clone(), source })?;
    prune(dir, tip.position);
    Ok(path)
}

/// The newest snapshot in `dir` that is whole and was taken of the ledger that `journal` reads.
#[must_use]
pub fn newest_snapshot(dir: &Path, journal: &Reader) -> Option<(Tip, Vec<u8>)> {
    positions(dir).into_iter().find_map(|position| {
        let path = path(dir, position);
        match read(&path).and_then(|found| belongs(found, position, journal)) {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "snapshot not used");
                None
            }
        }
    })
}

fn path(dir: &Path, position: Position) -> PathBuf {
    dir.join(name(position))
}

pub(super) fn name(position: Position) -> String {
    format!("snapshot-{position}.bin")
}

/// Under another name first, so that a snapshot is never seen half written.
fn write(dir: &Path, path: &Path, tip: &Tip, body: &[u8]) -> io::Result<()> {
    let draft = dir.join("snapshot.tmp"); // one name, so that a crash leaves one at most
    let mut file = File::create(&draft)?;
    file.write_all(&header(tip, body))?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_dir(dir)
}

/// Removes those of positions that are no more, and says which.
pub(super) fn remove_behind(dir: &Path, last: Position) -> Vec<PathBuf> {
    let behind = positions(dir).into_iter().filter(|position| *position > last);
    behind.map(|position| path(dir, position)).filter(|path| fs::remove_file(path).is_ok()).collect()
}

/// Those behind `newest`, of a ledger we do not know, are left alone.
fn prune(dir: &Path, newest: Position) {
    for position in positions(dir).into_iter().filter(|position| *position <= newest).skip(KEPT) {
        let path = path(dir, position);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "old snapshot not removed");
        }
    }
}

/// Positions of the snapshots in `dir`, newest first.
pub(super) fn positions(dir: &Path) -> Vec<Position> {
    let position = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let digits = name.to_str()?.strip_prefix("snapshot-")?.strip_suffix(".bin")?;
        digits.parse().ok().map(Position)
    };
    let mut found: Vec<_> = fs::read_dir(dir).into_iter().flatten().filter_map(position).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

fn header(tip: &Tip, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&tip.position.0.to_le_bytes());
    bytes.extend_from_slice(&tip.epoch.0.to_le_bytes());
    bytes.extend_from_slice(&tip.chain.0);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let hash = hash(&bytes, body);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

fn hash(covered: &[u8], body: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(covered).update(body).finalize()
}

fn read(path: &Path) -> io::Result<(Tip, Vec<u8>)> {
    let mut file = File::open(path)?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header)?;
    let mut body = Vec::new();
    file.read_to_end(&mut body)?;
    let (covered, stored) = header.split_at(COVERED);
    if hash(covered, &body).as_bytes() != stored {
        return Err(io::Error::other("it is not what was written"));
    }
    let tip = decode(covered).ok_or_else(|| io::Error::other("it has another format"))?;
    Ok((tip, body))
}

fn decode(header: &[u8]) -> Option<Tip> {
    let (magic, rest) = header.split_first_chunk()?;
    let (format, rest) = rest.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (chain, _length) = rest.split_first_chunk()?;
    let known = magic == MAGIC && u32::from_le_bytes(*format) == FORMAT;
    known.then_some(Tip {
        position: Position(u64::from_le_bytes(*position)),
        epoch: Epoch(u32::from_le_bytes(*epoch)),
        chain: Chain(*chain),
    })
}

fn belongs(found: (Tip, Vec<u8>), position: Position, journal: &Reader) -> io::Result<(Tip, Vec<u8>)> {
    let chain = journal.chain_at(found.0.position).map_err(io::Error::other)?;
    if found.0.position == position && chain == Some(found.0.chain) {
        Ok(found)
    } else {
        Err(io::Error::other("it was taken of another ledger"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Journal, tests::row};

    /// A ledger of four rows of one event, and its tips.
    fn ledger(dir: &Path) -> (Reader, Vec<Tip>) {
        let mut journal = Journal::open(dir).expect("open");
        let mut tips = vec![journal.tip()];
        for first in 1..=4 {
            journal.append(&row(first, 1, 1)).expect("append");
            tips.push(journal.tip());
        }
        (Journal::reader(dir).expect("reader"), tips)
    }

    #[test]
    fn the_newest_of_two_is_given_and_older_ones_are_removed() {
        let dir = tempfile::tempdir().expect("dir");
        let (reader, tips) = ledger(dir.path());
        assert_eq!(newest_snapshot(dir.path(), &reader), None);
        for tip in &tips[1..] {
            write_snapshot(dir.path(), tip, tip.position.to_string().as_bytes()).expect("write");
        }
        assert_eq!(positions(dir.path()), [Position(4), Position(3)]);
        assert_eq!(newest_snapshot(dir.path(), &reader), Some((tips[4], b"4".to_vec())));
    }

    #[test]
    fn every_flipped_bit_falls_back_to_the_older_one() {
        let dir = tempfile::tempdir().expect("dir");
        let (reader, tips) = ledger(dir.path());
        write_snapshot(dir.path(), &tips[2], b"older").expect("write");
        let newer = write_snapshot(dir.path(), &tips[3], b"newer").expect("write");
        let whole = fs::read(&newer).expect("read");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&newer, &bytes).expect("write");
            assert_eq!(newest_snapshot(dir.path(), &reader), Some((tips[2], b"older".to_vec())), "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&newer, &whole[..length]).expect("write");
            assert_eq!(newest_snapshot(dir.path(), &reader), Some((tips[2], b"older".to_vec())), "length {length}");
        }
    }

    #[test]
    fn a_snapshot_of_another_ledger_is_not_used() {
        let dir = tempfile::tempdir().expect("dir");
        let (reader, tips) = ledger(dir.path());
        let other = Tip { chain: tips[1].chain, ..tips[2] };
        write_snapshot(dir.path(), &other, b"alien").expect("write");
        let ahead = Tip { position: Position(9), ..tips[4] };
        write_snapshot(dir.path(), &ahead, b"ahead").expect("write");
        assert_eq!(newest_snapshot(dir.path(), &reader), None);
    }
}
