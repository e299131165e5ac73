//! A line of a recording.
//!
//! Owns the words of the file. Unknown keys are passed over, so that a newer file still plays.
//! Never touches a file.

use protocol::WallTime;
use protocol::feed::Frame;
use serde::{Deserialize, Serialize};

use super::fold::Fold;
use super::sum::seal;
use super::told::Told;

/// The version of the format; a reader refuses higher ones.
pub(super) const VERSION: u32 = 2;
/// From this version on every line is sealed.
pub(super) const SEALED: u32 = 2;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Always `recording`.
    pub(super) chef: String,
    pub(super) version: u32,
    /// The recorder's wall clock at time 0.
    pub(super) at: WallTime,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Milliseconds since the recording began.
    pub t: u64,
    /// What happened.
    pub said: Said,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Said {
    /// A frame of the feed.
    Frame(Box<Frame>),
    /// The link was lost; why, and milliseconds to the next try.
    Lost(String, u64),
    /// A try began, there.
    Connecting(String),
    /// The operator pressed this.
    Key(String),
    /// The operator, or a drill, says so.
    Mark(String),
    /// A page was told this.
    Told(Box<Told>),
    /// So many records are missing: the disk was too slow.
    Gap(u64),
    /// The recording goes on after a pause; the recorder's wall clock now.
    Session(WallTime),
    /// Never written: here the file is damaged; the place of the line.
    Damaged(u64),
    /// Never written: the picture of the keyframe after a damage.
    Picture(Box<Fold>),
}

/// A record as it is written: one of the fields after `t`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Raw {
    t: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<Box<Frame>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<(String, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connecting: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Box<Told>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<WallTime>,
}

impl From<Record> for Raw {
    fn from(record: Record) -> Self {
        let raw = Self { t: record.t, ..Self::default() };
        match record.said {
            Said::Frame(frame) => Self { frame: Some(frame), ..raw },
            Said::Lost(why, retry_ms) => Self { lost: Some((why, retry_ms)), ..raw },
            Said::Connecting(url) => Self { connecting: Some(url), ..raw },
            Said::Key(key) => Self { key: Some(key), ..raw },
            Said::Mark(text) => Self { mark: Some(text), ..raw },
            Said::Told(told) => Self { told: Some(told), ..raw },
            Said::Gap(records) => Self { gap: Some(records), ..raw },
            Said::Session(at) => Self { session: Some(at), ..raw },
            // What reading makes of a file is not written into another.
            Said::Damaged(_) | Said::Picture(_) => raw,
        }
    }
}

impl Raw {
    /// The record; none if it says nothing this version knows.
    pub(super) fn record(self) -> Option<Record> {
        let said = self.frame.map(Said::Frame);
        let said = said.or_else(|| self.lost.map(|(why, retry_ms)| Said::Lost(why, retry_ms)));
        let said = said.or_else(|| self.connecting.map(Said::Connecting)).or_else(|| self.key.map(Said::Key));
        let said = said.or_else(|| self.mark.map(Said::Mark)).or_else(|| self.told.map(Said::Told));
        let said = said.or_else(|| self.gap.map(Said::Gap));
        Some(Record { t: self.t, said: said.or_else(|| self.session.map(Said::Session))? })
    }
}

/// A keyframe; its first three fields are read without the rest, see [`head`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Keyframe<F> {
    /// Milliseconds since the recording began; the records before it are in `fold`.
    pub(super) keyframe: u64,
    /// Where the keyframe before it begins; 0: there is none.
    pub(super) prev: u64,
    /// Bad events since that one.
    pub(super) bad: u64,
    pub(super) fold: F,
}

/// What every keyframe begins with.
pub(super) const KEYFRAME: &str = "{\"keyframe\":";

/// Time, place of the one before, and bad events of a keyframe's first bytes.
pub(super) fn head(bytes: &[u8]) -> Option<(u64, u64, u64)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(KEYFRAME)?;
    let (t, rest) = text.split_once(",\"prev\":")?;
    let (prev, rest) = rest.split_once(",\"bad\":")?;
    let (bad, _) = rest.split_once(',')?;
    Some((t.parse().ok()?, prev.parse().ok()?, bad.parse().ok()?))
}

/// A line that can be decoded here, with its newline.
pub(super) fn encode(record: Record) -> Vec<u8> {
    ended(serde_json::to_vec(&Raw::from(record)))
}

/// A keyframe's line.
pub(super) fn encode_keyframe(keyframe: u64, prev: u64, bad: u64, fold: &Fold) -> Vec<u8> {
    ended(serde_json::to_vec(&Keyframe { keyframe, prev, bad, fold }))
}

/// A header's line.
pub(super) fn encode_header(at: WallTime) -> Vec<u8> {
    ended(serde_json::to_vec(&Header { chef: "recording".to_owned(), version: VERSION, at }))
}

/// Our own types always become JSON: their keys are strings and no number is an infinity.
fn ended(line: serde_json::Result<Vec<u8>>) -> Vec<u8> {
    let mut line = line.unwrap_or_default();
    seal(&mut line);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_comes_back() {
        for said in [
            Said::Lost("reset".into(), 250),
            Said::Connecting("http://a".into()),
            Said::Key("g g".into()),
            Said::Mark("sent kill kitchen_1".into()),
            Said::Gap(7),
            Said::Session(WallTime(9)),
        ] {
            let record = Record { t: 12, said };
            let line = encode(record.clone());
            assert_eq!(line.last(), Some(&b'\n'));
            let raw: Raw = serde_json::from_slice(&line).expect("JSON");
            assert_eq!(format!("{:?}", raw.record()), format!("{:?}", Some(record)));
        }
        let raw: Raw = serde_json::from_str("{\"t\":1,\"smell\":\"basil\"}").expect("JSON");
        assert!(raw.record().is_none());
    }

    #[test]
    fn the_head_of_a_keyframe_is_read_without_the_rest() {
        let line = encode_keyframe(5_000, 77, 2, &Fold::default());
        assert_eq!(head(&line), Some((5_000, 77, 2)));
        assert_eq!(head(&line[..40]), Some((5_000, 77, 2)));
        assert_eq!(head(b"{\"t\":5}"), None);
    }
}
