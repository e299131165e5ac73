//! A balancer that does not lead: it follows the ledger, watches the leader, and hands it every request.
//!
//! ```text
//! standby/follower.rs   the journal, applied as it grows        standby/process.rs   the leader's process, by pidfd
//! standby/probe.rs      ten questions a second to the leader     standby/watch.rs     when to take over, and what first
//! standby/forward.rs    a request on its way to the leader       standby/silence.rs   how long it has not answered
//! standby/verdict.rs    whether it is lost, or only busy
//! ```
//! It founds nothing: it takes over the ledger that it followed, in the place where it was, or waits until that is back.
//!
//! Owns the way from "the lock is held" to "the lock is mine". Invariant: nothing is written, and the lock is not taken,
//! before the kernel gave the lock; and the kernel gives it only when the process that had it has ended or let go.

mod follower;
pub(crate) mod forward;
pub(crate) mod probe;
mod process;
mod silence;
mod verdict;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::api::BalancerView;
use tokio::sync::watch::{Receiver, Sender};

use crate::api::callers::Callers;
use crate::config::Args;
use crate::hub::Hub;
use crate::leadership::Leader;
use crate::ledger::{Journal, OpenError};
use crate::recovery::BadLedger;
use follower::Follower;
pub(crate) use follower::{Followed, Seen};
use forward::Forwarder;

/// The right to lead, and the truth as far as it is written.
pub(crate) struct Won {
    pub(crate) journal: Journal,
    pub(crate) followed: Followed,
}

/// Why a balancer can neither lead nor follow.
#[derive(Debug, thiserror::Error)]
pub enum CannotLead {
    /// The ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The ledger cannot be replayed.
    #[error(transparent)]
    Ledger(#[from] BadLedger),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// This process as its HTTP side sees it: it leads once there is a hub, and then to its end.
pub(crate) struct Node {
    /// Its name.
    pub(crate) id: String,
    /// Where it answers.
    pub(crate) url: String,
    /// Whose requests it hears.
    pub(crate) callers: Callers,
    hub: OnceLock<Arc<Hub>>,
    leader: Sender<Option<Leader>>,
    seen: Sender<Seen>,
    pub(crate) forwarder: Forwarder,
}

impl Node {
    /// One that does not lead yet.
    pub(crate) fn new(id: String, url: String, callers: Callers) -> Self {
        let forwarder = Forwarder::new(&id);
        let (leader, seen) = (Sender::default(), Sender::default());
        Self { id, url, callers, hub: OnceLock::new(), leader, seen, forwarder }
    }

    /// What leads here; none on a standby.
    pub(crate) fn hub(&self) -> Option<&Arc<Hub>> {
        self.hub.get()
    }

    /// From now on this process leads: requests that were parked find it like any other leader.
    pub(crate) fn leads(&self, hub: Arc<Hub>, leader: Leader) {
        let _ = self.hub.set(hub);
        self.found(leader);
    }

    /// Where the leader answers; none while nobody is known to lead.
    pub(crate) fn leader(&self) -> Option<Leader> {
        self.leader.borrow().clone()
    }

    /// Follows [`Node::leader`].
    pub(crate) fn watch_leader(&self) -> Receiver<Option<Leader>> {
        self.leader.subscribe()
    }

    /// Waits until somebody leads.
    pub(crate) async fn leader_within(&self, limit: Duration) -> Option<Leader> {
        let mut leaders = self.watch_leader();
        let found = tokio::time::timeout(limit, leaders.wait_for(Option::is_some)).await;
        found.ok()?.ok()?.clone()
    }

    /// How far it has followed.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// What it says about itself to the leader.
    fn report(&self) -> BalancerView {
        let (pid, position) = (std::process::id(), Some(self.seen().position));
        BalancerView { id: self.id.clone(), role: "standby".into(), pid, url: Some(self.url.clone()), position }
    }

    fn found(&self, leader: Leader) {
        self.leader.send_if_modified(|known| {
            let news = known.as_ref() != Some(&leader);
            *known = Some(leader);
            news
        });
    }

    fn nobody(&self) {
        self.leader.send_if_modified(|known| known.take().is_some());
    }
}

/// Leads at once if nobody else does; otherwise follows until it is this one's turn. `on_standby` is called once, when it
/// can forward. Cancelled on shutdown.
///
/// # Errors
/// The ledger cannot be used, by nobody.
pub(crate) async fn until_it_leads(
    args: &Args,
    node: &Arc<Node>,
    on_standby: impl FnOnce(&Leader),
) -> Result<Won, CannotLead> {
    let dir = args.data_dir.clone();
    let file = match Journal::open_on(&dir, args.terms()) {
        Ok(journal) => return win(dir, journal, None).await,
        Err(OpenError::InUse { holder, .. }) => {
            tracing::info!(%holder, "the ledger has a leader: following it");
            holder.file
        }
        Err(error) => return Err(error.into()),
    };
    let follower = Follower::start(dir.clone(), node.seen.clone())?;
    let journal = watch::until_free(&dir, node, file, on_standby).await?;
    win(dir, journal, Some(follower)).await
}

/// Brings the state to the end of the ledger, which nobody else writes any more. Off the runtime's thread: requests are
/// parked meanwhile, and questions answered.
async fn win(dir: PathBuf, journal: Journal, follower: Option<Follower>) -> Result<Won, CannotLead> {
    Leader::remove(&dir);
    let reading = move || {
        let followed = follower.and_then(Follower::finish).and_then(|mut followed| match followed.catch_up() {
            Ok(()) if followed.state.position() == journal.last() => Some(followed),
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "what was followed does not go on: reading the ledger anew");
                None
            }
        });
        let followed = followed.map_or_else(|| Followed::begin(&dir), Ok)?;
        Ok(Won { journal, followed })
    };
    tokio::task::spawn_blocking(reading).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
