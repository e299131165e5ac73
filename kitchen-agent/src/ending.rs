//! Reasons to end that come from the operating system: signals, and a parent that is gone.
//!
//! Owns noticing them. Never ends anything itself.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, getppid};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often to look whether the parent is still there: soon enough for a person who has just quit a city.
const PARENT_CHECK: Duration = Duration::from_millis(200);

/// Why the agent should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGTERM or ctrl-c: gracefully.
    Asked,
    /// Nobody is left to ask: at once.
    ParentGone,
}

/// Waits for a reason.
pub(crate) struct Endings {
    terminate: Signal,
    interrupt: Signal,
    parent: Option<Parent>,
}

struct Parent {
    pid: Option<Pid>,
    check: Interval,
}

impl Endings {
    pub(crate) fn watch(die_with_parent: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            parent: die_with_parent.then(Parent::watch),
        })
    }

    /// Waits for the next reason. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Ending {
        let parent = async {
            match &mut self.parent {
                Some(parent) => parent.gone().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(()) = self.terminate.recv() => Ending::Asked,
            Some(()) = self.interrupt.recv() => Ending::Asked,
            () = parent => Ending::ParentGone,
        }
    }
}

impl Parent {
    fn watch() -> Self {
        wake_when_parent_dies();
        let mut check = interval(PARENT_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { pid: getppid(), check }
    }

    /// A process whose parent dies is handed to another.
    async fn gone(&mut self) {
        while getppid() == self.pid {
            self.check.tick().await;
        }
    }
}

/// Asks the kernel for SIGCONT at the parent's death: a stopped agent could not look for itself. Not SIGKILL, because
/// the kernel means the parent's *thread* that started us, and that may end long before the process.
#[cfg(target_os = "linux")]
fn wake_when_parent_dies() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    if let Err(error) = set_parent_process_death_signal(Some(Signal::CONT)) {
        tracing::debug!("no signal at the parent's death: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn wake_when_parent_dies() {}
