//! The lock: one writer a directory, for as long as it lives.
//!
//! Owns the file LOCK. The kernel frees the lock when the process ends, however it ends, so there is nothing to clean
//! up after a crash. Never removes the file: two processes could then lock two files of that name.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::OpenError;
use super::place::FileId;

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
    /// The file that it has locked.
    pub file: FileId,
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
    /// Takes the lock of `dir`, or says who has it. Makes directory and file if there are none and `may_make`; takes only
    /// `this` file, if one is named.
    pub(super) fn take(dir: &Path, may_make: bool, this: Option<FileId>) -> Result<Self, OpenError> {
        let gone = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound if !may_make => OpenError::Gone { dir: dir.to_owned() },
            _ => OpenError::Directory { dir: dir.to_owned(), source },
        };
        if may_make {
            fs::create_dir_all(dir).map_err(gone)?;
        }
        let mut options = File::options();
        let mut file =
            options.read(true).write(true).create(may_make).truncate(false).open(dir.join(LOCK)).map_err(gone)?;
        let id = FileId::of(&file).map_err(gone)?;
        if this.is_some_and(|this| this != id) {
            return Err(OpenError::Gone { dir: dir.to_owned() });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { dir: dir.to_owned(), holder: holder(&mut file, id) });
            }
            Err(TryLockError::Error(source)) => return Err(gone(source)),
        }
        write_pid(&mut file).map_err(gone)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Takes the number out, so that it is not read as the holder's before the next one has written its own.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File, id: FileId) -> Holder {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    Holder { pid: read.ok().and_then(|_| text.trim().parse().ok()), file: id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_opener_learns_who_was_first() {
        let dir = tempfile::tempdir().expect("dir");
        let first = Lock::take(dir.path(), true, None).expect("free");
        let error = Lock::take(dir.path(), true, None).expect_err("held");
        let OpenError::InUse { holder, .. } = &error else { panic!("{error}") };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert!(error.to_string().contains("--data-dir"), "{error}");
        drop(first);
        Lock::take(dir.path(), true, None).expect("free again");
    }

    #[test]
    fn who_may_make_nothing_finds_nothing_and_makes_nothing() {
        let root = tempfile::tempdir().expect("dir");
        let dir = root.path().join("data");
        assert!(matches!(Lock::take(&dir, false, None), Err(OpenError::Gone { .. })));
        assert!(!dir.exists());
        let first = Lock::take(&dir, true, None).expect("made");
        let id = FileId::at(&lock_file(&dir)).expect("it lies there");
        assert!(matches!(Lock::take(&dir, false, Some(id)), Err(OpenError::InUse { .. })));
        fs::rename(&dir, root.path().join("away")).expect("moved");
        fs::create_dir(&dir).expect("made");
        fs::write(lock_file(&dir), "").expect("written");
        let error = Lock::take(&dir, false, Some(id)).expect_err("another file of that name");
        assert!(matches!(error, OpenError::Gone { .. }), "{error}");
        drop(first);
    }

    #[test]
    fn a_file_is_no_directory() {
        let dir = tempfile::tempdir().expect("dir");
        let file = dir.path().join("menu");
        fs::write(&file, "soup").expect("file");
        let error = Lock::take(&file, true, None).expect_err("not a directory");
        assert!(matches!(error, OpenError::Directory { .. }), "{error}");
        let error = Lock::take(&file.join("below"), true, None).expect_err("not a directory");
        assert!(error.to_string().contains("menu/below"), "{error}");
    }
}
