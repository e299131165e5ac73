//! Signals to processes of one city, and to no others.
//!
//! A process is held by its pidfd, and is accepted only if its parent is the one that started the city: a pid that has
//! come to somebody else in the meantime is refused, and a signal cannot reach the wrong process.

use std::os::fd::OwnedFd;

use color_eyre::eyre::{bail, eyre};
pub use rustix::process::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::Result;

/// A process that was ours when it was looked at.
#[derive(Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    started: u64,
    handle: OwnedFd,
}

impl Process {
    /// Takes hold of a child of `parent`.
    ///
    /// # Errors
    /// It is gone, or not that parent's child.
    pub fn open(pid: u32, parent: u32) -> Result<Self> {
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| eyre!("{pid} is no pid"))?;
        let handle = pidfd_open(raw, PidfdFlags::empty()).map_err(|error| eyre!("process {pid}: {error}"))?;
        // After the pidfd is open the number cannot change its owner unnoticed.
        match look(pid) {
            Some(look) if look.parent == parent => Ok(Self { pid, started: look.started, handle }),
            Some(look) => bail!("process {pid} is a child of {}, not of {parent}: it is left alone", look.parent),
            None => bail!("process {pid} is gone"),
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        pidfd_send_signal(&self.handle, signal).map_err(|error| eyre!("process {}: {error}", self.pid))
    }

    /// Whether it still runs; a zombie does not, and neither does another process under its number.
    #[must_use]
    pub fn runs(&self) -> bool {
        look(self.pid).is_some_and(|look| look.started == self.started && !matches!(look.state, 'Z' | 'X'))
    }
}

/// A stopped process that is resumed when this goes, however that comes.
#[derive(Debug)]
pub struct Resumed(pub Process);

impl Drop for Resumed {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::CONT);
    }
}

struct Look {
    state: char,
    parent: u32,
    /// In ticks since the machine started: with the pid it names one process for ever.
    started: u64,
}

/// `/proc/PID/stat`: the fields behind the last parenthesis are the third (state), the fourth (parent) and so on.
fn look(pid: u32) -> Option<Look> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let state = fields.first()?.chars().next()?;
    Some(Look { state, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_of_the_named_parent_is_signalled_and_its_end_is_seen() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is there");
        let own = std::process::id();
        assert!(Process::open(child.id(), 1).expect_err("not a child of init").to_string().contains("left alone"));
        let process = Process::open(child.id(), own).expect("a child");
        assert!(process.runs());
        process.signal(Signal::KILL).expect("it runs");
        child.wait().expect("it ends");
        assert!(!process.runs());
        assert!(process.signal(Signal::KILL).is_err());
    }
}
