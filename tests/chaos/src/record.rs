//! The record: every request, every answer and every fault of a run, in an append-only file of JSON lines.
//!
//! A line is written before the request leaves and another when its answer is here, so a request without an answer is
//! seen as what it is: unknown. The checker reads this file, never the memory of whoever wrote it.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use color_eyre::eyre::WrapErr;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::clock::{self, Ms};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Line {
    /// A request is about to leave.
    Sent {
        /// When.
        at: Ms,
        /// Its idempotency key.
        key: String,
        /// Fingerprint of its body.
        body: String,
        /// The number of the try, from 1.
        attempt: u32,
        /// To whom.
        url: String,
    },
    /// Its answer is here, or will never be.
    Got {
        /// When.
        at: Ms,
        /// Whose.
        key: String,
        /// The number of the try.
        attempt: u32,
        /// HTTP status; absent without an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The order, of a 2xx.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<String>,
        /// Where its acceptance is said to stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u64>,
        /// The code of a refusal, or what went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// No further try will be made, from the time it was due to its end.
    Ended {
        /// When.
        at: Ms,
        /// Which.
        key: String,
        /// When it should have been sent.
        due: Ms,
        /// From then to the last answer, in microseconds.
        took_us: u64,
        /// Placed, or not.
        placed: bool,
    },
    /// An operator calls an order off: once before the request leaves, and once with its answer.
    Cancel {
        /// When.
        at: Ms,
        /// Which.
        order: String,
        /// HTTP status; absent before, and without an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
    /// A fault begins.
    Fault {
        /// When.
        at: Ms,
        /// Its number in the run.
        number: u32,
        /// What.
        kind: String,
        /// Whom: a kitchen's or a balancer's id.
        target: String,
    },
    /// The fault is over, and the city was seen whole again.
    Healed {
        /// When the fault was taken back.
        at: Ms,
        /// Its number.
        number: u32,
        /// When the city was whole; absent if it was not within the bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calm: Option<Ms>,
    },
}

/// Where lines go; one for all tasks of a run.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<BufWriter<File>>>);

impl Recorder {
    /// Begins a new file.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).wrap_err_with(|| format!("the record {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(BufWriter::new(file)))))
    }

    /// Appends a line. A full disk ends the run: a verdict without its record would be worth nothing.
    pub fn write(&self, line: &Line) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = serde_json::to_writer(&mut *file, line).map_err(std::io::Error::from);
        written.and_then(|()| file.write_all(b"\n")).expect("the record can be written");
    }

    /// A fault began just now.
    pub fn fault(&self, number: u32, kind: &str, target: &str) {
        self.write(&Line::Fault { at: clock::now(), number, kind: kind.into(), target: target.into() });
    }

    /// Everything written so far reaches the file.
    ///
    /// # Errors
    /// The disk is full.
    pub fn flush(&self) -> Result<()> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }
}

/// Reads a record line by line.
///
/// # Errors
/// It cannot be read, or a line is none of ours.
pub fn read(path: &Path, mut each: impl FnMut(Line)) -> Result<()> {
    let file = File::open(path).wrap_err_with(|| format!("the record {}", path.display()))?;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        each(serde_json::from_str(&line?).wrap_err_with(|| format!("line {} of {}", index + 1, path.display()))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_its_order_and_a_record_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("record.jsonl");
        let recorder = Recorder::create(&path).expect("a new file");
        let sent = Line::Sent { at: 1, key: "k".into(), body: "b".into(), attempt: 1, url: "u".into() };
        let why = Some("no answer".into());
        let got = Line::Got { at: 2, key: "k".into(), attempt: 1, status: None, order: None, position: None, why };
        recorder.write(&sent);
        recorder.write(&got);
        recorder.flush().expect("a disk");
        let mut lines = Vec::new();
        read(&path, |line| lines.push(line)).expect("readable");
        assert_eq!(lines, [sent, got]);
        assert!(Recorder::create(&path).is_err());
    }
}
