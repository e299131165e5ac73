//! Reading a recording: open, seek, read on.
//!
//! Owns the places of the keyframes. Opening reads the header, the tail, and the first bytes of each keyframe; seeking
//! decodes one keyframe and what follows it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use protocol::WallTime;

use super::fold::Fold;
use super::line::{Header, KEYFRAME, Keyframe, Raw, Record, VERSION, head};

/// The tail is searched backwards in steps of this.
const STEP: u64 = 1024 * 1024;
/// A keyframe's head is within this.
const HEAD: u64 = 128;
/// The longest line: the snapshot of 10,000 kitchens is 3 MB, a keyframe of as many about 5 MB.
const LINE_MAX: u64 = 64 * 1024 * 1024;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum BadTape {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its first line is not a recording's.
    #[error("this is no recording")]
    NotOne,
    /// It is from the future.
    #[error("the recording is of version {0}; this program reads version {VERSION}: use a newer chef")]
    Newer(u32),
}

/// A keyframe's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// Bad events since the keyframe before.
    pub bad: u64,
    offset: u64,
}

/// An open recording.
#[derive(Debug)]
pub struct Tape {
    file: BufReader<File>,
    /// Where the next line begins.
    at: u64,
    /// After the last whole line.
    end: u64,
    torn: u64,
    keys: Vec<Key>,
    began: WallTime,
    length: u64,
    first: u64,
    /// Lines that could not be read.
    skipped: u64,
}

enum Item {
    Record(Record),
    Keyframe,
    Unreadable,
}

impl Tape {
    /// Opens a recording.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, BadTape> {
        let mut file = BufReader::with_capacity(256 * 1024, File::open(path)?);
        let bytes = file.seek(SeekFrom::End(0))?;
        let header = first_line(&mut file)?;
        if header.1.version > VERSION {
            return Err(BadTape::Newer(header.1.version));
        }
        let end = after_last_newline(&mut file, bytes)?.max(header.0);
        let (first, began) = (header.0, header.1.at);
        let mut tape =
            Self { file, at: first, end, torn: bytes - end, keys: Vec::new(), began, length: 0, first, skipped: 0 };
        tape.find_keys()?;
        tape.length = tape.find_length()?;
        tape.go(first)?;
        Ok(tape)
    }

    /// Milliseconds from its beginning to its last record.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The recorder's wall clock at time 0.
    #[must_use]
    pub fn began(&self) -> WallTime {
        self.began
    }

    /// Where the last whole line ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// What is wrong with its tail, in words.
    #[must_use]
    pub fn torn(&self) -> Option<String> {
        (self.torn > 0).then(|| format!("its last record is torn: {} bytes cut off", self.torn))
    }

    /// Lines that could not be read so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Keyframes, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The picture at `t`; reading goes on after it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn seek(&mut self, t: u64) -> Result<Fold, BadTape> {
        let mut fold = self.nearest(t)?;
        while let Some(record) = self.peek_until(t)? {
            fold.take(&record);
        }
        fold.pass(t);
        Ok(fold)
    }

    /// The next record not after `t`; none: the next is later, or there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn peek_until(&mut self, t: u64) -> Result<Option<Record>, BadTape> {
        loop {
            let here = self.at;
            match self.next()? {
                None => return Ok(None),
                Some(Item::Record(record)) if record.t > t => {
                    self.go(here)?;
                    return Ok(None);
                }
                Some(Item::Record(record)) => return Ok(Some(record)),
                Some(Item::Keyframe) => {}
                Some(Item::Unreadable) => self.skipped += 1,
            }
        }
    }

    /// When the next record comes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_at(&mut self) -> Result<Option<u64>, BadTape> {
        self.next_that(|_| true)
    }

    /// When the next frame comes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_frame_at(&mut self) -> Result<Option<u64>, BadTape> {
        self.next_that(|record| matches!(record.said, super::Said::Frame(_)))
    }

    fn next_that(&mut self, wanted: impl Fn(&Record) -> bool) -> Result<Option<u64>, BadTape> {
        let here = self.at;
        let mut found = None;
        while let Some(item) = self.next()? {
            if let Item::Record(record) = item
                && wanted(&record)
            {
                found = Some(record.t);
                break;
            }
        }
        self.go(here)?;
        Ok(found)
    }

    /// When the last frame before `t` came; reading goes on somewhere else.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn frame_before(&mut self, t: u64) -> Result<Option<u64>, BadTape> {
        let mut to = self.keys.partition_point(|key| key.t < t);
        loop {
            let from = to.checked_sub(1).map_or(self.first, |at| self.keys[at].offset);
            self.go(from)?;
            let mut found = None;
            while let Some(record) = self.peek_until(t.saturating_sub(1))? {
                if matches!(record.said, super::Said::Frame(_)) {
                    found = Some(record.t);
                }
            }
            if found.is_some() || to == 0 {
                return Ok(found);
            }
            to -= 1;
        }
    }

    /// The picture of the last readable keyframe not after `t`; reading goes on after it.
    fn nearest(&mut self, t: u64) -> Result<Fold, BadTape> {
        for at in (0..self.keys.partition_point(|key| key.t <= t)).rev() {
            self.go(self.keys[at].offset)?;
            let mut line = Vec::new();
            self.line(&mut line)?;
            let keyframe = serde_json::from_slice::<Keyframe<Fold>>(&line).ok();
            if let Some(fold) = keyframe.and_then(|keyframe| keyframe.fold.restored()) {
                return Ok(fold);
            }
        }
        self.go(self.first)?;
        Ok(Fold::default())
    }

    fn next(&mut self) -> Result<Option<Item>, BadTape> {
        let mut line = Vec::new();
        if !self.line(&mut line)? {
            return Ok(None);
        }
        if line.starts_with(KEYFRAME.as_bytes()) {
            return Ok(Some(Item::Keyframe));
        }
        let record = serde_json::from_slice::<Raw>(&line).ok().and_then(Raw::record);
        Ok(Some(record.map_or(Item::Unreadable, Item::Record)))
    }

    /// Reads a line; false at the end.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, BadTape> {
        let rest = self.end.saturating_sub(self.at).min(LINE_MAX);
        let count = (&mut self.file).take(rest).read_until(b'\n', line)?;
        self.at += count as u64;
        Ok(count > 0)
    }

    fn go(&mut self, offset: u64) -> Result<(), BadTape> {
        // Relative, so that a short way stays in the buffer.
        let by = i64::try_from(offset).unwrap_or(i64::MAX) - i64::try_from(self.at).unwrap_or(i64::MAX);
        self.file.seek_relative(by)?;
        self.at = offset;
        Ok(())
    }

    /// Follows the keyframes from the last one back. Where the chain is broken, what lies before is folded from the header.
    fn find_keys(&mut self) -> Result<(), BadTape> {
        let mut keys: Vec<Key> = Vec::new();
        let mut next = self.last_keyframe()?;
        while let Some(offset) = next {
            let Some((t, prev, bad)) = self.key_head(offset)? else { break };
            // Backwards in place and in time, or it is not a chain.
            if prev >= offset || keys.last().is_some_and(|later: &Key| later.t < t) {
                break;
            }
            keys.push(Key { t, bad, offset });
            next = (prev > 0).then_some(prev);
        }
        keys.reverse();
        self.keys = keys;
        Ok(())
    }

    fn key_head(&mut self, offset: u64) -> Result<Option<(u64, u64, u64)>, BadTape> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(HEAD).read_to_end(&mut bytes)?;
        self.at = offset + bytes.len() as u64;
        Ok(head(&bytes))
    }

    /// Where the last keyframe begins.
    fn last_keyframe(&mut self) -> Result<Option<u64>, BadTape> {
        let needle = [b"\n", KEYFRAME.as_bytes()].concat();
        let mut to = self.end;
        while to > 0 {
            let from = to.saturating_sub(STEP);
            // The needle may lie across two steps.
            let bytes = self.bytes(from, (to + needle.len() as u64).min(self.end))?;
            if let Some(at) = bytes.windows(needle.len()).rposition(|window| window == needle) {
                return Ok(Some(from + at as u64 + 1));
            }
            to = from;
        }
        Ok(None)
    }

    /// The time of the last record.
    fn find_length(&mut self) -> Result<u64, BadTape> {
        let last = self.keys.last().copied();
        self.file.seek(SeekFrom::Start(last.map_or(self.first, |key| key.offset)))?;
        self.at = last.map_or(self.first, |key| key.offset);
        let mut length = last.map_or(0, |key| key.t);
        while let Some(item) = self.next()? {
            if let Item::Record(record) = item {
                length = length.max(record.t);
            }
        }
        Ok(length)
    }

    fn bytes(&mut self, from: u64, to: u64) -> Result<Vec<u8>, BadTape> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(to - from).read_to_end(&mut bytes)?;
        self.at = from + bytes.len() as u64;
        Ok(bytes)
    }
}

/// The header, and where it ends.
fn first_line(file: &mut BufReader<File>) -> Result<(u64, Header), BadTape> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    file.take(4_096).read_until(b'\n', &mut line)?;
    let header: Header = serde_json::from_slice(&line).map_err(|_| BadTape::NotOne)?;
    let whole = line.last() == Some(&b'\n') && header.chef == "recording";
    if whole { Ok((line.len() as u64, header)) } else { Err(BadTape::NotOne) }
}

fn after_last_newline(file: &mut BufReader<File>, bytes: u64) -> io::Result<u64> {
    let mut to = bytes;
    while to > 0 {
        let from = to.saturating_sub(STEP);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(to - from).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        to = from;
    }
    Ok(0)
}
