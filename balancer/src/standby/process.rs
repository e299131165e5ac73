//! The leader's process, held by a pidfd: a handle that never comes to mean another process.
//!
//! Owns the proof that the handle is of the one that holds the ledger's lock, and the only signal a balancer ever sends.
//! A pid in a file may be old, and its number may belong to a stranger by now. So the pidfd is opened first, and only
//! then the kernel is asked (`/proc/locks`) whether *that pid* holds a lock on *that inode*: while the process behind the
//! pidfd lives, nobody else has its number. What cannot be proven (another user's view, another pid namespace, no
//! `/proc`) is never signalled.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use protocol::Position;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::verdict::Sample;
use crate::ledger;

/// The process that held the lock when this was made.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    fd: AsyncFd<OwnedFd>,
}

impl Process {
    /// A handle of the process `pid`, if it is the one that holds the lock of `dir`.
    pub(super) fn holder(dir: &Path, pid: u32) -> Option<Self> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let fd = pidfd_open(raw, PidfdFlags::empty()).ok()?;
        let inode = std::fs::metadata(ledger::lock_file(dir)).ok()?.ino();
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        if !locks.lines().any(|line| is_held_by(line, pid, inode)) {
            return None;
        }
        Some(Self { pid, fd: watched(fd).ok()? })
    }

    /// Waits for its end; safe to cancel.
    pub(super) async fn ended(&self) {
        // A pidfd is readable once the process has ended. An error here would be a defect of the runtime: then only the
        // lock tells.
        if self.fd.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What it does now.
    pub(super) fn sample(&self, position: Position) -> Sample {
        Sample::read(&std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default(), position)
    }

    /// SIGKILL: also a stopped process ends by it, and never runs again.
    pub(super) fn kill(&self) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.fd, Signal::KILL)?)
    }
}

#[expect(
    deprecated,
    reason = "its successor is `unsafe` for handles that may be closed underneath; an `OwnedFd` is not"
)]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// `1: FLOCK  ADVISORY  WRITE 4242 fe:00:753938 0 EOF`; a line of one who waits has `->` in the second place.
fn is_held_by(line: &str, pid: u32, inode: u64) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let is_lock = fields.next() == Some("FLOCK") && fields.nth(1) == Some("WRITE");
    let is_holder = fields.next().and_then(|text| text.parse().ok()) == Some(pid);
    let file = fields.next().and_then(|place| place.rsplit(':').next()?.parse().ok());
    is_lock && is_holder && file == Some(inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Journal;

    #[test]
    fn a_line_of_locks_names_pid_and_inode() {
        assert!(is_held_by("1: FLOCK  ADVISORY  WRITE 42 fe:00:77 0 EOF", 42, 77));
        assert!(!is_held_by("1: FLOCK  ADVISORY  WRITE 43 fe:00:77 0 EOF", 42, 77));
        assert!(!is_held_by("1: FLOCK  ADVISORY  WRITE 42 fe:00:78 0 EOF", 42, 77));
        assert!(!is_held_by("1: POSIX  ADVISORY  WRITE 42 fe:00:77 0 EOF", 42, 77));
        assert!(!is_held_by("1: -> FLOCK  ADVISORY  WRITE 42 fe:00:77 0 EOF", 42, 77));
        assert!(!is_held_by("", 42, 77));
    }

    #[tokio::test]
    async fn only_the_process_that_holds_the_lock_is_taken_for_the_leader() {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(dir.path()).expect("a new ledger");
        let own = std::process::id();
        assert!(Process::holder(dir.path(), own).is_some(), "this very process");
        let stranger = std::os::unix::process::parent_id();
        assert!(Process::holder(dir.path(), stranger).is_none(), "it lives, and holds nothing");
        drop(journal);
        assert!(Process::holder(dir.path(), own).is_none(), "nobody holds it");
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_seen() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let raw = Pid::from_raw(i32::try_from(child.id()).expect("small")).expect("positive");
        let fd = pidfd_open(raw, PidfdFlags::empty()).expect("it lives");
        let process = Process { pid: child.id(), fd: watched(fd).expect("a runtime") };
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), process.ended()).await.is_err());
        process.kill().expect("ours");
        tokio::time::timeout(std::time::Duration::from_secs(5), process.ended()).await.expect("it has ended");
        child.wait().expect("reaped");
        assert!(process.kill().is_err(), "nobody is signalled any more");
    }
}
