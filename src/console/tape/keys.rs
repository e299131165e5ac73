//! Where the keyframes of a recording are.
//!
//! Owns the chain that they form backwards, and what is done where it is broken: the file is searched from there. Reads the
//! first bytes of each only; whether a keyframe is whole is seen when it is used.

use std::io::{Read, Seek, SeekFrom};

use super::line::{KEYFRAME, head};
use super::read::{BadTape, Tape};

/// The file is searched backwards in steps of this.
const STEP: u64 = 1024 * 1024;
/// A keyframe's head is within this.
const HEAD: u64 = 128;

/// A keyframe's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// Bad events since the keyframe before.
    pub bad: u64,
    pub(super) offset: u64,
}

impl Tape {
    /// Follows the keyframes from the last one back.
    pub(super) fn find_keys(&mut self) -> Result<Vec<Key>, BadTape> {
        let mut keys: Vec<Key> = Vec::new();
        let mut next = self.keyframe_before(self.end)?;
        while let Some(offset) = next {
            let head = self.key_head(offset)?;
            // Backwards in time too, or it is not one of the chain.
            let later = keys.last().map_or(u64::MAX, |later| later.t);
            let linked = match head.filter(|(t, ..)| *t <= later) {
                Some((t, prev, bad)) => {
                    keys.push(Key { t, bad, offset });
                    prev
                }
                None => 0,
            };
            // The first of a session, and the one after a damage, name none that could be followed.
            let sound = linked > 0 && linked < offset && self.key_head(linked)?.is_some();
            next = if sound { Some(linked) } else { self.keyframe_before(offset)? };
        }
        keys.reverse();
        Ok(keys)
    }

    fn key_head(&mut self, offset: u64) -> Result<Option<(u64, u64, u64)>, BadTape> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        (&mut self.file).take(HEAD).read_to_end(&mut bytes)?;
        self.at = offset + bytes.len() as u64;
        Ok(head(&bytes))
    }

    /// Where the last keyframe before a place begins.
    fn keyframe_before(&mut self, place: u64) -> Result<Option<u64>, BadTape> {
        let needle = [b"\n", KEYFRAME.as_bytes()].concat();
        let mut to = place;
        while to > 0 {
            let from = to.saturating_sub(STEP);
            // The needle may lie across two steps.
            let bytes = self.bytes(from, (to + needle.len() as u64).min(place))?;
            if let Some(at) = bytes.windows(needle.len()).rposition(|window| window == needle) {
                return Ok(Some(from + at as u64 + 1));
            }
            to = from;
        }
        Ok(None)
    }

    fn bytes(&mut self, from: u64, to: u64) -> Result<Vec<u8>, BadTape> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(to - from).read_to_end(&mut bytes)?;
        self.at = from + bytes.len() as u64;
        Ok(bytes)
    }
}
