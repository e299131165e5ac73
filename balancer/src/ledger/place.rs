//! Where an open ledger lies: whether the files behind this process's handles are still those that its path names.
//!
//! Owns the comparison. A directory that was renamed, removed or unmounted takes nothing away from a process that has its
//! files open: appends go on, into files that nobody will find. So before anything is acknowledged the path must still lead
//! to the same files. Never judges why it does not.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::path::Arg;

/// A file, whatever its name is: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: (u32, u32),
    inode: u64,
}

impl FileId {
    /// Of what lies at `path` now.
    ///
    /// # Errors
    /// Nothing lies there, or it cannot be looked at.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::look(CWD, path, AtFlags::empty())
    }

    /// Of an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Self::look(file, "", AtFlags::EMPTY_PATH)
    }

    /// Asks for no times. A file whose times were looked at gets a new one with its very next write (Linux from 6.13 on), and
    /// the journal's files would cost the disk a write of an inode with each commit.
    fn look(dir: impl AsFd, path: impl Arg, flags: AtFlags) -> io::Result<Self> {
        let found = statx(dir, path, flags, StatxFlags::INO)?;
        Ok(Self { device: (found.stx_dev_major, found.stx_dev_minor), inode: found.stx_ino })
    }
}

/// The files of an open ledger, and where they lay when it was opened.
#[derive(Debug, Clone)]
pub struct Place {
    files: Vec<(PathBuf, FileId)>,
}

impl Place {
    /// Of `files`, as they lie now.
    pub(super) fn of(files: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let files = files.into_iter().map(|path| FileId::at(&path).map(|id| (path, id)));
        Ok(Self { files: files.collect::<io::Result<_>>()? })
    }

    /// Whether each still lies there. One look costs about a microsecond a file.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.files.iter().all(|(path, id)| FileId::at(path).is_ok_and(|found| found == *id))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_renamed_a_removed_and_a_replaced_directory_are_seen_and_so_is_its_return() {
        let root = tempfile::tempdir().expect("dir");
        let (dir, away) = (root.path().join("data"), root.path().join("away"));
        fs::create_dir(&dir).expect("made");
        fs::write(dir.join("LOCK"), "").expect("written");
        let place = Place::of([dir.join("LOCK")]).expect("it lies there");
        assert!(place.is_here());
        fs::rename(&dir, &away).expect("moved");
        assert!(!place.is_here(), "moved away");
        fs::create_dir(&dir).expect("made");
        fs::write(dir.join("LOCK"), "").expect("written");
        assert!(!place.is_here(), "another one lies there");
        fs::remove_dir_all(&dir).expect("removed");
        fs::rename(&away, &dir).expect("moved back");
        assert!(place.is_here());
        fs::remove_dir_all(&dir).expect("removed");
        assert!(!place.is_here(), "removed");
    }
}
