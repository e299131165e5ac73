//! Nothing that a run started outlives it: whoever carries the run's mark in its environment is ended.
//!
//! Every process is stopped by its own guard first. This is for what no guard knows: a command that a killed kitchen was
//! running goes on without it. Looks at environments, never at names, and signals by pidfd alone.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that marks what a run started.
const MARK: &str = "CHEF_CHAOS_RUN";

/// Ends what carries this mark when it goes.
#[derive(Debug)]
pub struct Leftovers(OsString);

impl Leftovers {
    /// Of the run in this directory.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self(dir.as_os_str().to_owned())
    }

    /// The variable with its value, for everything that is started.
    #[must_use]
    pub fn mark(&self) -> (&'static str, OsString) {
        (MARK, self.0.clone())
    }

    /// Ends all of them; how many there were.
    pub fn end(&self) -> usize {
        let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| self.end_one(*pid)).count()
    }

    fn end_one(&self, pid: i32) -> bool {
        let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            return false;
        };
        // Read after the pidfd is open: it is this very process that is signalled.
        self.is_marked(pid) && pidfd_send_signal(&handle, Signal::KILL).is_ok()
    }

    fn is_marked(&self, pid: i32) -> bool {
        let wanted = [MARK.as_bytes(), b"=", self.0.as_bytes()].concat();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_carries_the_mark_is_ended() {
        let [ours, others] = ["/ours", "/others"].map(|dir| Leftovers::of(Path::new(dir)));
        let start = |of: &Leftovers| Command::new("sleep").arg("60").envs([of.mark()]).spawn().expect("sleep is there");
        let (mut one, mut two) = (start(&ours), start(&others));
        assert_eq!(ours.end(), 1);
        assert!(!one.wait().expect("it ends").success());
        assert!(two.try_wait().expect("a child").is_none());
        drop(others);
        assert!(!two.wait().expect("it ends").success());
    }
}
