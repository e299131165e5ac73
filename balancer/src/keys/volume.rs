//! A volume: one file of notes, of the orders that a stretch of the ledger made memory forget, sorted by fingerprint.
//!
//! Owns the layout, writing it once and looking into it. Never changed after it was written: it is read beside its writer,
//! and by another process. Every block carries a checksum, so what rots is an error and never an unknown key.
//!
//! ```text
//! keys-<from>-<to>.bin
//! header 4096   magic 8 | format u32 | from u64 | to u64 | chain at `to` 32 | began u64 | newest u64 | count u64 | checksum 16
//! blocks        255 fingerprints of 16 bytes each, in sequence                            | checksum 16
//! blocks        78 notes of 52 bytes each, in the sequence of the fingerprints, 24 unused | checksum 16
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use protocol::{Position, WallTime};

use super::note::{Fingerprint, Note};
use crate::ledger::Chain;

const MAGIC: &[u8; 8] = b"CHEFKEYS";
const FORMAT: u32 = 1;
/// Bytes of a block, and of the header.
const BLOCK: usize = 4096;
const SUM: usize = 16;
/// Fingerprints and notes of a block.
const KEYS: usize = (BLOCK - SUM) / Fingerprint::BYTES;
const NOTES: usize = (BLOCK - SUM) / Note::BYTES;
/// The one file that is being written has this name, so that a crash leaves one at most.
const DRAFT: &str = "keys.tmp";

/// What a volume covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Title {
    /// It has the notes of everything that events behind this position ...
    pub(super) from: Position,
    /// ... and up to this one made memory forget.
    pub(super) to: Position,
    /// The ledger's chain there: the same volume of another ledger has another.
    pub(super) chain: Chain,
    /// Whatever was forgotten up to `from` had been accepted by then.
    pub(super) began: WallTime,
    /// By then the orders of this volume and of all before it had been accepted.
    pub(super) newest: WallTime,
    /// How many notes.
    pub(super) count: u64,
}

/// A volume that can be looked into.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) title: Title,
    pub(super) path: PathBuf,
    file: File,
}

/// Writes `notes` durably, sorting them first.
///
/// # Errors
/// What the system said; no volume is left half written.
pub(super) fn write(dir: &Path, title: Title, notes: &mut [Note]) -> io::Result<Volume> {
    notes.sort_unstable_by_key(|note| (note.key, note.order));
    let newest = notes.iter().map(|note| note.placed_at).max().unwrap_or_default().max(title.began);
    let title = Title { newest, count: notes.len() as u64, ..title };
    let draft = dir.join(DRAFT);
    let mut out = BufWriter::with_capacity(16 * BLOCK, File::create(&draft)?);
    write_block(&mut out, head(&title))?;
    for keys in notes.chunks(KEYS) {
        write_block(&mut out, keys.iter().flat_map(|note| note.key.0).collect())?;
    }
    for notes in notes.chunks(NOTES) {
        let mut block = Vec::with_capacity(BLOCK);
        notes.iter().for_each(|note| note.write(&mut block));
        write_block(&mut out, block)?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let path = dir.join(format!("keys-{}-{}.bin", title.from, title.to));
    fs::rename(&draft, &path)?;
    File::open(dir)?.sync_all()?;
    Volume::open(path)
}

fn write_block(out: &mut impl Write, mut block: Vec<u8>) -> io::Result<()> {
    block.resize(BLOCK - SUM, 0);
    let sum = checksum(&block);
    block.extend_from_slice(&sum);
    out.write_all(&block)
}

fn head(title: &Title) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&title.from.0.to_le_bytes());
    bytes.extend_from_slice(&title.to.0.to_le_bytes());
    bytes.extend_from_slice(&title.chain.0);
    for number in [title.began.0, title.newest.0, title.count] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn title(block: &[u8]) -> Option<Title> {
    let (magic, rest) = block.split_first_chunk()?;
    let (format, rest) = rest.split_first_chunk()?;
    if magic != MAGIC || u32::from_le_bytes(*format) != FORMAT {
        return None;
    }
    let (from, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let (chain, rest) = rest.split_first_chunk()?;
    let (began, rest) = rest.split_first_chunk()?;
    let (newest, rest) = rest.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    Some(Title {
        from: Position(u64::from_le_bytes(*from)),
        to: Position(u64::from_le_bytes(*to)),
        chain: Chain(*chain),
        began: WallTime(u64::from_le_bytes(*began)),
        newest: WallTime(u64::from_le_bytes(*newest)),
        count: u64::from_le_bytes(*count),
    })
}

fn checksum(block: &[u8]) -> [u8; SUM] {
    blake3::hash(block).as_bytes()[..SUM].try_into().expect("a hash is longer")
}

fn damaged(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is not what was written", path.display()))
}

/// The end of the newest volume in a directory, by its name.
pub(super) fn newest_end(dir: &Path) -> Option<Position> {
    names(dir).into_iter().map(|(_, to)| to).max()
}

/// The paths of all volumes in a directory.
pub(super) fn names(dir: &Path) -> Vec<(PathBuf, Position)> {
    let named = |entry: io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let (_, to) = path.file_name()?.to_str()?.strip_prefix("keys-")?.strip_suffix(".bin")?.split_once('-')?;
        let to = to.parse().ok().map(Position)?;
        Some((path, to))
    };
    fs::read_dir(dir).into_iter().flatten().filter_map(named).collect()
}

impl Volume {
    /// Opens one and reads its title.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        let block = read_block(&file, &path, 0)?;
        let title = title(&block).ok_or_else(|| damaged(&path))?;
        Ok(Self { title, path, file })
    }

    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        (1 + self.key_blocks() + self.title.count.div_ceil(NOTES as u64)) * BLOCK as u64
    }

    /// Gives every fingerprint, in sequence.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub(super) fn each_key(&self, mut each: impl FnMut(&Fingerprint)) -> io::Result<()> {
        for block in 0..self.key_blocks() {
            self.keys(block)?.iter().for_each(&mut each);
        }
        Ok(())
    }

    /// The newest order with this key.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub(super) fn find(&self, key: &Fingerprint) -> io::Result<Option<Note>> {
        // Fingerprints are spread evenly, so that a guess by value is right within a block or two.
        let (mut low, mut high) = (0, self.key_blocks());
        let (mut below, mut above) = (0, u64::MAX);
        while low < high {
            let share = key.place().saturating_sub(below) as f64 / (above - below).max(1) as f64;
            let guess = (low + (share * (high - low) as f64) as u64).clamp(low, high - 1);
            let keys = self.keys(guess)?;
            let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Err(damaged(&self.path)) };
            if last < key {
                (low, below) = (guess + 1, last.place());
            } else if first > key {
                (high, above) = (guess, first.place());
            } else {
                return self.found(key, guess, &keys);
            }
        }
        Ok(None)
    }

    /// Looks for the last of equal keys, which may stand in the next block.
    fn found(&self, key: &Fingerprint, block: u64, keys: &[Fingerprint]) -> io::Result<Option<Note>> {
        let behind = keys.partition_point(|other| other <= key);
        if behind == keys.len() && block + 1 < self.key_blocks() {
            let next = self.keys(block + 1)?;
            if next.first() == Some(key) {
                return self.found(key, block + 1, &next);
            }
        }
        match behind.checked_sub(1).filter(|at| keys[*at] == *key) {
            Some(at) => self.note(*key, block * KEYS as u64 + at as u64).map(Some),
            None => Ok(None),
        }
    }

    fn note(&self, key: Fingerprint, index: u64) -> io::Result<Note> {
        let block = read_block(&self.file, &self.path, 1 + self.key_blocks() + index / NOTES as u64)?;
        let at = (index % NOTES as u64) as usize * Note::BYTES;
        Note::read(key, &block[at..at + Note::BYTES]).ok_or_else(|| damaged(&self.path))
    }

    fn key_blocks(&self) -> u64 {
        self.title.count.div_ceil(KEYS as u64)
    }

    fn keys(&self, block: u64) -> io::Result<Vec<Fingerprint>> {
        let bytes = read_block(&self.file, &self.path, 1 + block)?;
        let here = (self.title.count - block * KEYS as u64).min(KEYS as u64) as usize;
        let (keys, _) = bytes.as_chunks::<{ Fingerprint::BYTES }>();
        Ok(keys.iter().take(here).map(|key| Fingerprint(*key)).collect())
    }
}

fn read_block(file: &File, path: &Path, block: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; BLOCK];
    file.read_exact_at(&mut bytes, block * BLOCK as u64).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(path),
        _ => error,
    })?;
    let (covered, sum) = bytes.split_at(BLOCK - SUM);
    if checksum(covered) != sum { Err(damaged(path)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::note;

    fn title() -> Title {
        let (chain, began, newest) = (Chain([7; 32]), WallTime(5), WallTime(0));
        Title { from: Position(10), to: Position(20), chain, began, newest, count: 0 }
    }

    #[test]
    fn every_note_is_found_and_no_other() {
        for count in [0, 1, 77, 78, 79, 254, 255, 256, 20_000] {
            let dir = tempfile::tempdir().expect("dir");
            let mut notes: Vec<Note> = (0..count).map(|number| note(&format!("key-{number}"), number)).collect();
            let volume = write(dir.path(), title(), &mut notes).expect("written");
            assert_eq!(volume.title.count, count);
            assert_eq!(volume.bytes(), fs::metadata(&volume.path).expect("there").len());
            let step = if count > 1_000 { 97 } else { 1 };
            for number in (0..count).step_by(step) {
                let key = format!("key-{number}");
                let found = volume.find(&Fingerprint::of(&key)).expect("whole");
                assert_eq!(found, Some(note(&key, number)), "{key} of {count}");
            }
            for number in 0..50 {
                assert_eq!(volume.find(&Fingerprint::of(&format!("other-{number}"))).expect("whole"), None);
            }
            let mut all = 0;
            volume.each_key(|_| all += 1).expect("whole");
            assert_eq!((all, newest_end(dir.path())), (count, Some(Position(20))));
        }
    }

    #[test]
    fn of_one_key_the_newest_order_is_found() {
        let dir = tempfile::tempdir().expect("dir");
        let mut notes: Vec<Note> = (0..600).map(|number| note("the same", number)).collect();
        let volume = write(dir.path(), title(), &mut notes).expect("written");
        assert_eq!(volume.find(&Fingerprint::of("the same")).expect("whole"), Some(note("the same", 599)));
    }

    #[test]
    fn what_rots_is_an_error_and_never_an_unknown_key() {
        let dir = tempfile::tempdir().expect("dir");
        let mut notes: Vec<Note> = (0..300).map(|number| note(&format!("key-{number}"), number)).collect();
        let path = write(dir.path(), title(), &mut notes).expect("written").path;
        let whole = fs::read(&path).expect("read");
        for at in (0..whole.len()).step_by(61) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, bytes).expect("write");
            for number in [0, 150, 299] {
                let key = format!("key-{number}");
                let found = Volume::open(path.clone()).and_then(|volume| volume.find(&Fingerprint::of(&key)));
                assert!(
                    found.is_err() || found.is_ok_and(|found| found == Some(note(&key, number))),
                    "{key}, byte {at}"
                );
            }
        }
    }
}
