//! Reading a recording: open, seek, read on.
//!
//! Owns where reading goes on. Opening reads the header, the tail, the last keyframe, and the first bytes of the others; seeking
//! decodes one keyframe and what follows it.
//!
//! - What is not as it was written is passed over up to the next whole keyframe, and said with its place.
//!
//! Never writes, and never believes a line whose sum is wrong.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use protocol::WallTime;

use super::fold::Fold;
use super::keys::Key;
use super::line::{Header, KEYFRAME, Keyframe, Raw, Record, SEALED, Said, VERSION, head};
use super::places::Places;
use super::sum::{Seal, check};

/// The tail is searched backwards in steps of this.
const STEP: u64 = 1024 * 1024;
/// The longest line: the snapshot of 10,000 kitchens is 3 MB, a keyframe of as many about 5 MB.
const LINE_MAX: u64 = 64 * 1024 * 1024;
/// The latest time in a recording, in milliseconds: ten years. What says more was not written by a recorder, and sums of times
/// would overflow.
pub(super) const LATEST: u64 = 10 * 366 * 24 * 3_600 * 1_000;

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

/// An open recording.
#[derive(Debug)]
pub struct Tape {
    pub(super) file: BufReader<File>,
    /// Where the next line begins.
    pub(super) at: u64,
    /// After the last whole line.
    pub(super) end: u64,
    torn: u64,
    keys: Vec<Key>,
    began: WallTime,
    length: u64,
    first: u64,
    /// Whether every line has a checksum.
    sealed: bool,
    /// The next keyframe is the picture, because there was a damage before it.
    lost: bool,
    /// When the last record was that was read.
    seen: u64,
    /// Places of lines that could not be read, as far as they were met.
    skipped: Places,
    /// Places of lines that are not as they were written, as far as they were met.
    damaged: Places,
}

enum Item {
    Record(Record),
    /// Its time, and the line.
    Keyframe(u64, Vec<u8>),
    /// Unknown to this version, or damaged in a file without checksums.
    Unreadable,
    /// Not as it was written.
    Damaged,
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
        if let Some((_, header)) = header.as_ref().filter(|(_, header)| header.version > VERSION) {
            return Err(BadTape::Newer(header.version));
        }
        let first = header.as_ref().map_or(0, |header| header.0);
        let end = after_last_newline(&mut file, bytes)?.max(first);
        file.seek(SeekFrom::Start(first))?;
        let mut tape = Self {
            file,
            at: first,
            end,
            torn: bytes - end,
            keys: Vec::new(),
            began: WallTime(0),
            length: 0,
            first,
            sealed: header.as_ref().is_none_or(|header| header.1.version >= SEALED),
            lost: false,
            seen: 0,
            skipped: Places::default(),
            damaged: Places::default(),
        };
        tape.keys = tape.find_keys()?;
        tape.began = match header {
            Some((_, header)) => header.at,
            None => tape.began_by_keyframe()?,
        };
        tape.length = tape.find_length()?;
        tape.go(first)?;
        Ok(tape)
    }

    /// A damaged header: when the recording began, as a whole keyframe tells. Without one it is no recording.
    fn began_by_keyframe(&mut self) -> Result<WallTime, BadTape> {
        let fold = self.nearest(u64::MAX)?;
        let (wall, t) = fold.session.ok_or(BadTape::NotOne)?;
        Ok(WallTime(wall.0.saturating_sub(t)))
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

    /// How many lines could not be read so far, in words; none if all could.
    #[must_use]
    pub fn skipped(&self) -> Option<String> {
        self.skipped.words()
    }

    /// Places of damaged lines that were met so far, the first of them.
    pub fn damaged(&self) -> impl ExactSizeIterator<Item = u64> {
        self.damaged.iter()
    }

    /// How many lines are damaged as far as they were met, in words; none if none is.
    #[must_use]
    pub fn damaged_lines(&self) -> Option<String> {
        self.damaged.words()
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

    /// The next record not after `t`; none: the next is later, or there is none. A damage is one, and so is the picture after
    /// it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn peek_until(&mut self, t: u64) -> Result<Option<Record>, BadTape> {
        loop {
            let here = (self.at, self.lost);
            match self.next()? {
                None => return Ok(None),
                Some(Item::Record(record)) if record.t > t => {
                    self.go_back(here)?;
                    return Ok(None);
                }
                Some(Item::Record(record)) => {
                    self.seen = record.t;
                    return Ok(Some(record));
                }
                Some(Item::Keyframe(at, _)) if self.lost && at > t => {
                    self.go_back(here)?;
                    return Ok(None);
                }
                Some(Item::Keyframe(at, line)) if self.lost => {
                    let Some(fold) = picture(&line) else { continue };
                    (self.lost, self.seen) = (false, at);
                    return Ok(Some(Record { t: at, said: Said::Picture(Box::new(fold)) }));
                }
                Some(Item::Keyframe(..)) => {}
                Some(Item::Unreadable) => self.skipped.note(here.0),
                Some(Item::Damaged) => {
                    self.damaged.note(here.0);
                    self.lost = true;
                    self.pass_to_keyframe()?;
                    return Ok(Some(Record { t: self.seen, said: Said::Damaged(here.0) }));
                }
            }
        }
    }

    /// Passes over what follows a damage, up to the next whole keyframe.
    fn pass_to_keyframe(&mut self) -> Result<(), BadTape> {
        loop {
            let here = (self.at, self.lost);
            match self.next()? {
                None => return Ok(()),
                Some(Item::Keyframe(_, line)) if picture(&line).is_some() => return self.go_back(here),
                Some(Item::Damaged) => {
                    self.damaged.note(here.0);
                }
                Some(Item::Keyframe(..) | Item::Record(_) | Item::Unreadable) => {}
            }
        }
    }

    /// When the next record comes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_at(&mut self) -> Result<Option<u64>, BadTape> {
        self.next_that(|item| match item {
            Item::Record(record) => Some(record.t),
            Item::Keyframe(..) | Item::Unreadable | Item::Damaged => None,
        })
    }

    /// When the next frame comes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_frame_at(&mut self) -> Result<Option<u64>, BadTape> {
        self.next_that(|item| match item {
            Item::Record(Record { t, said: Said::Frame(_) }) => Some(*t),
            Item::Record(_) | Item::Keyframe(..) | Item::Unreadable | Item::Damaged => None,
        })
    }

    /// When the next item of a kind comes. Behind a damage that is the next picture, whatever was asked for; a damage comes now.
    fn next_that(&mut self, wanted: impl Fn(&Item) -> Option<u64>) -> Result<Option<u64>, BadTape> {
        let here = (self.at, self.lost);
        let (mut found, mut passed) = (None, self.seen);
        while let Some(item) = self.next()? {
            if let Item::Record(record) = &item {
                passed = passed.max(record.t);
            }
            found = match &item {
                Item::Keyframe(t, _) if self.lost => Some(*t),
                // Not before what lies between: that has to be passed to come to it.
                Item::Damaged if !self.lost => Some(passed),
                _ if self.lost => None,
                item => wanted(item),
            };
            if found.is_some() {
                break;
            }
        }
        self.go_back(here)?;
        Ok(found)
    }

    /// When the last frame before `t` came; reading goes on somewhere else.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn frame_before(&mut self, t: u64) -> Result<Option<u64>, BadTape> {
        let (mut to, mut end) = (self.keys.partition_point(|key| key.t < t), self.end);
        loop {
            let from = to.checked_sub(1).map_or(self.first, |at| self.keys[at].offset);
            let found = self.last_frame(from, end, t.saturating_sub(1))?;
            if found.is_some() || to == 0 {
                return Ok(found);
            }
            // What lies behind was looked at already.
            (to, end) = (to - 1, from);
        }
    }

    /// When the last frame not after `t` came in a part of the file.
    fn last_frame(&mut self, from: u64, end: u64, t: u64) -> Result<Option<u64>, BadTape> {
        self.go(from)?;
        // Nothing reads on behind it, not even to find the end of a damage.
        let whole = std::mem::replace(&mut self.end, end);
        let found = self.last_frame_until(t);
        self.end = whole;
        found
    }

    fn last_frame_until(&mut self, t: u64) -> Result<Option<u64>, BadTape> {
        let mut found = None;
        while let Some(record) = self.peek_until(t)? {
            if matches!(record.said, Said::Frame(_) | Said::Picture(_)) {
                found = Some(record.t);
            }
        }
        Ok(found)
    }

    /// The picture of the last readable keyframe not after `t`; reading goes on after it.
    fn nearest(&mut self, t: u64) -> Result<Fold, BadTape> {
        for at in (0..self.keys.partition_point(|key| key.t <= t)).rev() {
            self.go(self.keys[at].offset)?;
            let here = self.at;
            match self.next()? {
                Some(Item::Keyframe(_, line)) => {
                    if let Some(fold) = picture(&line) {
                        self.seen = fold.t;
                        return Ok(fold);
                    }
                }
                Some(Item::Damaged) => {
                    self.damaged.note(here);
                }
                Some(Item::Record(_) | Item::Unreadable) | None => {}
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
        if self.sealed && check(&line) != Seal::Whole {
            return Ok(Some(Item::Damaged));
        }
        if line.starts_with(KEYFRAME.as_bytes()) {
            let t = head(&line[..line.len().min(128)]).map(|(t, ..)| t).filter(|t| *t <= LATEST);
            return Ok(Some(t.map_or(Item::Unreadable, |t| Item::Keyframe(t, line))));
        }
        let record = serde_json::from_slice::<Raw>(&line).ok().and_then(Raw::record).filter(|one| one.t <= LATEST);
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
        (self.lost, self.seen) = (false, 0);
        self.go_back((offset, false))
    }

    /// To where reading was before.
    fn go_back(&mut self, (offset, lost): (u64, bool)) -> Result<(), BadTape> {
        // Relative, so that a short way stays in the buffer.
        let by = i64::try_from(offset).unwrap_or(i64::MAX) - i64::try_from(self.at).unwrap_or(i64::MAX);
        self.file.seek_relative(by)?;
        (self.at, self.lost) = (offset, lost);
        Ok(())
    }

    /// The time of the last record.
    fn find_length(&mut self) -> Result<u64, BadTape> {
        // Where the last keyframe is damaged its time may be too: then from the one before.
        let _ = self.nearest(u64::MAX)?;
        let mut length = self.seen;
        while let Some(item) = self.next()? {
            if let Item::Record(Record { t, .. }) | Item::Keyframe(t, _) = item {
                length = length.max(t);
            }
        }
        Ok(length)
    }
}

/// The picture of a keyframe's line; none if it is from another version, or damaged.
fn picture(line: &[u8]) -> Option<Fold> {
    let keyframe = serde_json::from_slice::<Keyframe<Fold>>(line).ok()?;
    // Two times in one line: a picture of another moment would turn the clock.
    (keyframe.keyframe == keyframe.fold.t).then(|| keyframe.fold.restored()).flatten()
}

/// The header, and where it ends; none if it is not as it was written, which the keyframes may make good.
fn first_line(file: &mut BufReader<File>) -> Result<Option<(u64, Header)>, BadTape> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    file.take(4_096).read_until(b'\n', &mut line)?;
    let header = serde_json::from_slice::<Header>(&line).ok();
    let whole = line.last() == Some(&b'\n') && check(&line) != Seal::Broken;
    Ok(header.filter(|header| whole && header.chef == "recording").map(|header| (line.len() as u64, header)))
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
