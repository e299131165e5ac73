//! The lock: one writer a directory, for as long as it lives.
//!
//! Owns the file LOCK. The kernel frees the lock when the process ends, however it ends, so there is nothing to clean
//! up after a crash. Never removes the file: two processes could then lock two files of that name.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Name of the file.
const LOCK: &str = "LOCK";

/// The file of `dir` that is locked; who wants to know its holder from the system needs its inode.
#[must_use]
pub fn lock_file(dir: &Path) -> PathBuf {
    dir.join(LOCK)
}

/// Who holds a lock, as far as the file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The process, unless it had no time yet to write its number.
    pub pid: Option<u32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

/// The right to write the ledger of one directory, until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Makes the directory if there is none, and takes its lock or says who has it.
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory { dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let mut options = File::options();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(dir.join(LOCK)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { dir: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_pid(&mut file).map_err(unusable)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Takes the number out, so that it is not read as the holder's before the next one has written its own.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    Holder { pid: read.ok().and_then(|_| text.trim().parse().ok()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_opener_learns_who_was_first() {
        let dir = tempfile::tempdir().expect("dir");
        let first = Lock::take(dir.path()).expect("free");
        let error = Lock::take(dir.path()).expect_err("held");
        let OpenError::InUse { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert!(error.to_string().contains("--data-dir"), "{error}");
        drop(first);
        Lock::take(dir.path()).expect("free again");
    }

    #[test]
    fn a_file_is_no_directory() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("menu");
        fs::write(&file, "soup").expect("file");
        let error = Lock::take(&file).expect_err("not a directory");
        assert!(matches!(error, OpenError::Directory { .. }), "{error}");
        let error = Lock::take(&file.join("below")).expect_err("not a directory");
        assert!(error.to_string().contains("menu/below"), "{error}");
    }
}
