//! Where the keyframes of a recording are.
//!
//! Owns the chain that they form backwards, and what is done where it is broken: the file is searched from there. Reads the
//! first bytes of each only; whether a keyframe is whole is seen when it is used.
//!
//! - No byte is searched twice, and a keyframe begins a line: whatever the file says, the work grows with its length only.

use std::io;
use std::os::unix::fs::FileExt;

use super::line::{KEYFRAME, head};
use super::read::{BadTape, LATEST, Tape};

/// The file is searched backwards in steps of this.
const STEP: u64 = 1024 * 1024;
/// A keyframe's head is within this.
const HEAD: usize = 128;
/// The most keyframes that are kept, the last ones: two months of the closest.
const KEYS: usize = 1_000_000;

/// A keyframe's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// Bad events since the keyframe before.
    pub bad: u64,
    pub(super) offset: u64,
}

/// A part of the file.
#[derive(Default)]
struct Block {
    from: u64,
    bytes: Vec<u8>,
}

impl Block {
    /// What it holds before a place; none if the place is not in it.
    fn before(&self, place: u64) -> Option<&[u8]> {
        let length = usize::try_from(place.checked_sub(self.from)?).ok()?;
        self.bytes.get(..length).filter(|bytes| !bytes.is_empty())
    }
}

impl Tape {
    /// Follows the keyframes from the last one back.
    pub(super) fn find_keys(&mut self) -> Result<Vec<Key>, BadTape> {
        let mut keys: Vec<Key> = Vec::new();
        let mut block = Block::default();
        let mut next = self.keyframe_before(self.end, &mut block)?;
        while let Some(offset) = next.filter(|_| keys.len() < KEYS) {
            let head = self.key_head(offset)?;
            // Backwards in time too, or it is not one of the chain.
            let later = keys.last().map_or(LATEST, |later| later.t);
            let linked = match head.filter(|(t, ..)| *t <= later) {
                Some((t, prev, bad)) => {
                    keys.push(Key { t, bad, offset });
                    prev
                }
                None => 0,
            };
            // The first of a session, and the one after a damage, name none that could be followed.
            let sound = linked > 0 && linked < offset && self.key_head(linked)?.is_some();
            next = if sound { Some(linked) } else { self.keyframe_before(offset, &mut block)? };
        }
        keys.reverse();
        Ok(keys)
    }

    /// What the keyframe says that begins a line there; none if there is none.
    fn key_head(&self, offset: u64) -> io::Result<Option<(u64, u64, u64)>> {
        let Some(newline) = offset.checked_sub(1) else { return Ok(None) };
        let bytes = self.bytes(newline, HEAD)?;
        Ok(bytes.strip_prefix(b"\n").and_then(head))
    }

    /// Where the last keyframe before a place begins; the place is not behind the one of the last search.
    fn keyframe_before(&self, place: u64, block: &mut Block) -> io::Result<Option<u64>> {
        let needle = [b"\n", KEYFRAME.as_bytes()].concat();
        let mut to = place;
        if block.before(to).is_none() {
            *block = self.block_before(to)?;
        }
        loop {
            let bytes = block.before(to).unwrap_or_default();
            if let Some(at) = bytes.windows(needle.len()).rposition(|window| window == needle) {
                return Ok(Some(block.from + at as u64 + 1));
            }
            if block.from == 0 {
                return Ok(None);
            }
            // The needle may lie across two blocks.
            to = to.min(block.from + needle.len() as u64 - 1);
            *block = self.block_before(to)?;
        }
    }

    fn block_before(&self, to: u64) -> io::Result<Block> {
        let from = to.saturating_sub(STEP);
        let length = usize::try_from(to - from).unwrap_or_default();
        Ok(Block { from, bytes: self.bytes(from, length)? })
    }

    /// So many bytes from there, or those up to the end; reading goes on where it was.
    fn bytes(&self, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut done = 0;
        while done < length {
            match self.file.get_ref().read_at(&mut bytes[done..], from + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }
}
