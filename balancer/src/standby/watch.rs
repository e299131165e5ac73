//! Watching the leader: when it is dead or hung, and what must have happened before the lock is anybody else's.
//!
//! ```text
//! the pidfd says it ended     -> try the lock at once
//! it let the lock go          -> a try of the lock succeeds
//! it is silent, and lost      -> SIGKILL by the pidfd; its end is then seen as above (`verdict.rs`: lost, or only busy)
//! ```
//! Owns the decision to kill. A process is killed only if all of this holds in the same look: the lock is still held, by
//! the pid that the pidfd was proven to be; that process wrote LEADER, so it has served before; and it has been silent for
//! a second that this process was awake, and does nothing, or for longer and gets nowhere. With several standbys the lock decides; the others meet a new pid, prove it
//! anew, and start counting at zero, so nobody kills a leader for its predecessor's silence.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Node;
use super::probe::{Word, ask_forever};
use super::process::Process;
use super::silence::Silence;
use super::verdict::Verdict;
use crate::leadership::Leader;
use crate::ledger::{FileId, Journal, OpenError, Terms};

/// Between two looks: a leader that ends in good order is followed so soon.
const LOOK: Duration = Duration::from_millis(50);
/// Between two lines in the log about a leader that cannot be replaced.
const COMPLAIN: Duration = Duration::from_secs(10);

/// Follows whoever holds the lock until it is this process's, and opens the journal.
pub(super) async fn until_free(
    dir: &Path,
    node: &Arc<Node>,
    file: FileId,
    on_standby: impl FnOnce(&Leader),
) -> Result<Journal, OpenError> {
    let (sender, mut words) = mpsc::channel(4);
    let asking = tokio::spawn(ask_forever(dir.to_owned(), Arc::clone(node), sender));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::new(dir, node);
    let mut on_standby = Some(on_standby);
    let opened = loop {
        match Journal::open_on(dir, Terms::following(Some(file), node.seen().tip)) {
            Err(OpenError::InUse { holder, .. }) => watch.is_held_by(holder.pid),
            // Nothing was taken. Out of descriptors, most likely, and others may end meanwhile; or the ledger that was
            // followed is not there: then it is waited for.
            Err(
                error @ (OpenError::Directory { .. }
                | OpenError::Gone { .. }
                | OpenError::Another { .. }
                | OpenError::Traces { .. }
                | OpenError::Older { .. }),
            ) => watch.cannot_look(&error),
            opened => break opened,
        }
        tokio::select! {
            () = ended(watch.process.as_ref()) => watch.has_ended(),
            word = words.recv() => watch.hears(word.unwrap_or(Word::Unasked)),
            _ = looks.tick() => watch.looks(),
        }
        if node.seen().caught_up
            && let Some(leader) = node.leader()
            && let Some(on_standby) = on_standby.take()
        {
            on_standby(&leader);
        }
    };
    asking.abort();
    node.nobody();
    opened
}

async fn ended(process: Option<&Process>) {
    match process {
        Some(process) => process.ended().await,
        None => std::future::pending().await,
    }
}

struct Watch<'a> {
    dir: &'a Path,
    node: &'a Node,
    /// Proven to hold the lock.
    process: Option<Process>,
    /// It wrote LEADER.
    served: bool,
    silence: Silence,
    verdict: Verdict,
    killed: bool,
    looked: Instant,
    /// When a line was last written about a process that cannot be seen, or not be killed.
    unseen: Option<Instant>,
    spared: Option<Instant>,
}

impl<'a> Watch<'a> {
    fn new(dir: &'a Path, node: &'a Node) -> Self {
        let (process, looked) = (None, Instant::now());
        let (silence, verdict) = (Silence::default(), Verdict::default());
        // A process that has just locked the ledger has not always written its pid yet: no word of that for a while.
        Self {
            dir,
            node,
            process,
            served: false,
            silence,
            verdict,
            killed: false,
            looked,
            unseen: Some(looked),
            spared: None,
        }
    }

    /// The lock is held, and the file beside it names this pid.
    fn is_held_by(&mut self, pid: Option<u32>) {
        if self.process.as_ref().map(|process| process.pid) == pid && pid.is_some() {
            return;
        }
        let Some(process) = pid.and_then(|pid| Process::holder(self.dir, pid)) else {
            self.process = None;
            return;
        };
        tracing::info!(pid = process.pid, "following the balancer that holds the ledger");
        *self = Self { process: Some(process), ..Self::new(self.dir, self.node) };
    }

    fn has_ended(&mut self) {
        if let Some(process) = self.process.take() {
            tracing::warn!(pid = process.pid, "the leader has ended");
        }
        self.node.nobody();
    }

    fn hears(&mut self, word: Word) {
        match word {
            Word::Leads(leader) => {
                if self.process.as_ref().is_none_or(|process| process.pid == leader.pid) {
                    self.silence.heard();
                    self.spared = None;
                    self.node.found(leader);
                }
            }
            Word::Refused => {
                self.silence.refused();
                self.node.nobody();
            }
            Word::NotLeading => {
                self.silence.heard();
                self.node.nobody();
            }
            Word::Unasked => self.silence.heard(),
        }
    }

    fn looks(&mut self) {
        let gap = self.looked.elapsed();
        self.looked = Instant::now();
        let Some(process) = &self.process else { return self.complain_unseen() };
        if !self.served {
            self.served = Leader::read(self.dir).is_some_and(|leader| leader.pid == process.pid);
            return;
        }
        self.silence.pass(gap);
        let position = self.node.seen().position;
        let lost = self.verdict.is_lost(self.silence.silent(), || process.sample(position));
        if (lost || self.silence.is_stuck_at_its_end()) && !self.killed {
            self.kill();
        }
    }

    fn kill(&mut self) {
        let Some(process) = &self.process else { return };
        self.node.nobody();
        match process.kill() {
            Ok(()) => {
                let (silent, did) = (self.silence.silent(), self.verdict.words());
                tracing::warn!(pid = process.pid, ?silent, did, "the leader does not answer and is lost: killed");
                self.killed = true;
            }
            Err(error) => {
                if due(&mut self.spared) {
                    tracing::error!(pid = process.pid, %error, "the leader is hung and cannot be killed from here: waiting for its end");
                }
            }
        }
    }

    /// A leader that cannot be seen is followed and never killed.
    fn cannot_look(&mut self, error: &OpenError) {
        if due(&mut self.unseen) {
            tracing::error!(%error, "cannot look at the lock");
        }
    }

    fn complain_unseen(&mut self) {
        if self.node.leader().is_none() && due(&mut self.unseen) {
            tracing::warn!("the ledger is locked by a process that cannot be seen from here: waiting for the lock");
        }
    }
}

/// Whether it is time for another line.
fn due(last: &mut Option<Instant>) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= COMPLAIN);
    if due {
        *last = Some(Instant::now());
    }
    due
}
