//! What the supervisor has to say: to its log always, to standard error only when no console is open.
//!
//! Owns `logs/supervisor.log`. Never fails: a full disk must not stop a city.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use protocol::WallTime;

/// The supervisor's log.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<File>,
    talkative: bool,
}

impl Journal {
    /// Begins the log anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(logs: &Path, talkative: bool) -> std::io::Result<Self> {
        Ok(Self { file: Mutex::new(File::create(logs.join("supervisor.log"))?), talkative })
    }

    /// For the log only.
    pub fn note(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(file, "{} {line}", WallTime::now());
    }

    /// For the log, and for the person in front of it.
    pub fn say(&self, line: &str) {
        self.note(line);
        if self.talkative {
            let _ = writeln!(std::io::stderr(), "{} {line}", WallTime::now().clock());
        }
    }
}
