//! Certain deaths: tells the leader that a kitchen's process has ended, so that nobody waits for its leases.
//!
//! Owns the telling. It is a help, never a need: if it fails, the leases run out by themselves. Never delays a restart.

use std::sync::Arc;
use std::time::Duration;

use protocol::shared::Secret;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::client::Client;

/// A lease is over after 1.5 s: later nobody needs to be told.
const WORTH_IT: Duration = Duration::from_secs(3);
/// Deaths that are told at once; with a thousand kitchens dying together the others wait for their turn.
const AT_ONCE: usize = 32;

/// A process of a kitchen that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) id: String,
    pub(super) pid: u32,
}

/// Tells each death until nobody reports any more.
pub(super) async fn tell(client: Client, secret: Secret, mut deaths: mpsc::UnboundedReceiver<Death>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(Death { id, pid }) = deaths.recv().await {
        let (Ok(id), Ok(place)) = (id.parse(), places.clone().acquire_owned().await) else { continue };
        let client = client.clone();
        tokio::spawn(async move {
            // Refused: the same kitchen is back already as another process. Unanswered: its leases run out.
            let _ = timeout(WORTH_IT, client.gone(&id, pid, &secret)).await;
            drop(place);
        });
    }
}
