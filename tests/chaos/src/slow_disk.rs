//! A disk that takes its time: strace holds each sync of a process for a while, as a full device queue would.
//!
//! Owns its own strace and the promise that whoever it was attached to runs on, however strace ends. Says why if there is
//! none here, or if it may not attach. While it is attached every system call of the process costs more, too: this is a
//! slow disk in a slow machine.

use std::process::Stdio;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Result;
use crate::process::{Process, Resumed, Signal};

/// An strace that may not attach says so and ends within this.
const ATTACH_MAX: Duration = Duration::from_millis(300);
/// Detaching from all threads of a process.
const DETACH_MAX: Duration = Duration::from_secs(5);

/// Makes each sync of this process last so much longer, for so long; ends early if the process does.
///
/// # Errors
/// There is no strace, or it may not attach.
pub async fn slow(process: Process, each: Duration, lasts: Duration) -> Result<()> {
    // Beside a regular detaching: an strace that is killed leaves nobody stopped, if only somebody says go on.
    let resumed = Resumed(process);
    let mut strace = attach(resumed.0.pid, each)?;
    if let Ok(status) = timeout(ATTACH_MAX, strace.wait()).await {
        if !resumed.0.runs() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(mut errors) = strace.stderr.take() {
            let _ = errors.read_to_string(&mut said).await;
        }
        bail!("strace may not attach: {} ({})", said.trim(), status?);
    }
    if timeout(lasts, strace.wait()).await.is_err() {
        detach(strace).await;
    }
    Ok(())
}

fn attach(pid: u32, each: Duration) -> Result<Child> {
    let inject = format!("inject=fdatasync,fsync:delay_enter={}", each.as_micros());
    let mut command = Command::new("strace");
    command.args(["-f", "-q", "-p", &pid.to_string(), "-e", "trace=fdatasync,fsync", "-e", &inject]);
    command.args(["-o", "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true).spawn().wrap_err("there is no strace here")
}

async fn detach(mut strace: Child) {
    let process = strace.id().and_then(|pid| Process::open(pid, std::process::id()).ok());
    let _ = process.map(|process| process.signal(Signal::TERM));
    if timeout(DETACH_MAX, strace.wait()).await.is_err() {
        let _ = strace.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn state(pid: u32) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        stat.rsplit_once(") ").expect("a state").1[..1].to_owned()
    }

    #[tokio::test]
    async fn whoever_was_slowed_runs_on_also_when_the_disturbance_is_broken_off() {
        let mut child = Command::new("sleep").arg("60").kill_on_drop(true).spawn().expect("sleep is there");
        let pid = child.id().expect("it runs");
        let open = || Process::open(pid, std::process::id()).expect("a child");
        let (each, lasts) = (Duration::from_millis(10), Duration::from_millis(400));
        if let Err(error) = slow(open(), each, lasts).await {
            return eprintln!("skipped: {error:#}");
        }
        // Dropped in the midst of it, as by ctrl-C.
        assert!(timeout(Duration::from_secs(1), slow(open(), each, Duration::from_secs(60))).await.is_err());
        let deadline = Instant::now() + Duration::from_secs(5);
        while state(pid) != "S" && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(state(pid), "S");
        child.kill().await.expect("it runs");
    }
}
