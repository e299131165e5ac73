//! HEAD: where the chain ended last, kept beside the database that could forget it.
//!
//! Owns the file HEAD. Written after each commit without a sync: a kill -9 does not lose it (the page cache survives),
//! and a power loss leaves it older than the database, which is fine. Never ahead of the database, because the commit
//! is durable first. Never judges the database: see journal.rs and verify.rs.
//!
//! ```text
//! offset 0     slot 0: number u64 | position u64 | epoch u32 | format u32 | chain 32 | checksum 8     (64 bytes)
//! offset 4096  slot 1: the same; numbers alternate, the greater is newer
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use protocol::{Epoch, Position};

use super::{Chain, OpenError, Tip, sync_dir};

/// Name of the file.
pub(super) const HEAD: &str = "HEAD";
/// Bytes of a slot.
const SLOT: usize = 64;
/// Distance of the slots: blocks of their own, so that one torn write cannot hurt both.
const STRIDE: u64 = 4096;
/// Number of this layout.
const FORMAT: u32 = 1;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no such file.
    Missing,
    /// No slot can be trusted.
    Damaged,
    /// The newest slot that can be trusted, and its number.
    At(Tip, u64),
}

/// Reads the newest slot; a single damaged one is reported and passed over.
pub(super) fn read(dir: &Path) -> Result<Found, OpenError> {
    let path = dir.join(HEAD);
    let failed = |source| OpenError::File { path: path.clone(), doing: "read", source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(failed(error)),
    };
    let mut slots = read_slots(&file).map_err(&failed)?;
    if slots.contains(&None) {
        slots = read_slots(&file).map_err(failed)?; // a reader beside a writer may have seen half a write
    }
    let newest = slots.iter().flatten().max_by_key(|(_, number)| number);
    let Some((tip, number)) = newest else { return Ok(Found::Damaged) };
    if slots.contains(&None) {
        tracing::warn!(
            path = %path.display(),
            position = %tip.position,
            "one slot of HEAD is damaged, using the other; the last row may be unguarded"
        );
    }
    Ok(Found::At(*tip, *number))
}

type Slot = Option<(Tip, u64)>;

fn read_slots(file: &File) -> io::Result<[Slot; 2]> {
    let slot = |offset| {
        let mut bytes = [0; SLOT];
        match file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    };
    Ok([slot(0)?, slot(STRIDE)?])
}

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct Head {
    file: File,
    path: PathBuf,
    number: u64,
}

impl Head {
    /// Opens what [`read`] found, or makes the file, and durably records `tip` in both slots.
    pub(super) fn open(dir: &Path, found: Found, tip: &Tip) -> Result<Self, OpenError> {
        let path = dir.join(HEAD);
        let failed = OpenError::file(&path, "write");
        let number = match found {
            Found::At(_, number) => number,
            Found::Missing | Found::Damaged => 0,
        };
        let file = match found {
            Found::At(..) => File::options().read(true).write(true).open(&path),
            Found::Missing | Found::Damaged => create(dir, &path, tip),
        };
        let mut head = match file {
            Ok(file) => Self { file, path: path.clone(), number },
            Err(error) => return Err(failed(error)),
        };
        head.settle(tip).map_err(failed)?;
        Ok(head)
    }

    /// Records `tip` in the older slot; not synced. After a failure the same slot is tried again: the other is whole.
    pub(super) fn record(&mut self, tip: &Tip) -> io::Result<()> {
        let number = self.number + 1;
        self.file.write_all_at(&encode(tip, number), STRIDE * (number % 2))?;
        self.number = number;
        Ok(())
    }

    /// Makes the last record survive a power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One slot after the other, so that a crash in between leaves one whole.
    fn settle(&mut self, tip: &Tip) -> io::Result<()> {
        for _ in 0..2 {
            self.record(tip)?;
            self.sync()?;
        }
        Ok(())
    }
}

/// Makes what HEAD last said survive a power loss, through a handle of its own: for a thread beside the writer.
///
/// # Errors
/// What the system said.
pub fn sync_head(dir: &Path) -> io::Result<()> {
    File::open(dir.join(HEAD))?.sync_data()
}

/// Makes the file with both slots under another name first, so that it is never seen half written.
fn create(dir: &Path, path: &Path, tip: &Tip) -> io::Result<File> {
    let draft = path.with_extension("tmp");
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(&draft)?;
    for number in 0..2 {
        file.write_all_at(&encode(tip, number), STRIDE * number)?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_dir(dir)?;
    Ok(file)
}

fn encode(tip: &Tip, number: u64) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..16].copy_from_slice(&tip.position.0.to_le_bytes());
    bytes[16..20].copy_from_slice(&tip.epoch.0.to_le_bytes());
    bytes[20..24].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[24..56].copy_from_slice(&tip.chain.0);
    let sum = checksum(&bytes);
    bytes[56..].copy_from_slice(&sum);
    bytes
}

fn decode(bytes: &[u8; SLOT]) -> Slot {
    if bytes[56..] != checksum(bytes) || number(&bytes[20..24]) != u64::from(FORMAT) {
        return None;
    }
    let epoch = Epoch(u32::try_from(number(&bytes[16..20])).ok()?);
    let chain = Chain(bytes[24..56].try_into().ok()?);
    Some((Tip { position: Position(number(&bytes[8..16])), epoch, chain }, number(&bytes[..8])))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

fn checksum(slot: &[u8; SLOT]) -> [u8; 8] {
    let hash = blake3::hash(&slot[..56]);
    let mut sum = [0; 8];
    sum.copy_from_slice(&hash.as_bytes()[..8]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tip(position: u64) -> Tip {
        Tip { position: Position(position), epoch: Epoch(3), ..Tip::genesis() }
    }

    #[test]
    fn the_newest_record_is_read_back() {
        let dir = tempfile::tempdir().expect("dir");
        assert_eq!(read(dir.path()).expect("read"), Found::Missing);
        let mut head = Head::open(dir.path(), Found::Missing, &tip(0)).expect("open");
        for position in 1..=5 {
            head.record(&tip(position)).expect("record");
            let Found::At(found, _) = read(dir.path()).expect("read") else { panic!("nothing found") };
            assert_eq!(found, tip(position));
        }
    }

    #[test]
    fn every_flipped_bit_leaves_the_other_slot() {
        let dir = tempfile::tempdir().expect("dir");
        let mut head = Head::open(dir.path(), Found::Missing, &tip(6)).expect("open");
        head.record(&tip(7)).expect("record");
        let path = dir.path().join(HEAD);
        let whole = fs::read(&path).expect("read");
        for bit in (0..SLOT * 8).chain(STRIDE as usize * 8..whole.len() * 8) {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).expect("write");
            let Found::At(found, _) = read(dir.path()).expect("read") else { panic!("bit {bit}") };
            assert!(found == tip(6) || found == tip(7), "bit {bit}: {found:?}");
        }
    }

    #[test]
    fn a_short_file_is_damaged() {
        let dir = tempfile::tempdir().expect("dir");
        fs::write(dir.path().join(HEAD), [7; 60]).expect("write");
        assert_eq!(read(dir.path()).expect("read"), Found::Damaged);
    }
}
