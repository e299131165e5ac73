//! Opening the link to whichever address answers first.
//!
//! Owns when the next address is begun: a moment after the one before, or as soon as that one has failed. A frozen balancer
//! accepts connections and says nothing; to wait for each in turn would cost a kitchen its leases. The same race as in
//! `src/client/race.rs`, where its rules are tested: agents and clients share no crate but the words on the wire.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

/// How long one address is waited for alone: above a handshake on the same network, and a fraction of a lease.
const HEAD_START: Duration = Duration::from_millis(250);

/// The first success; or the last failure, and none if nothing was tried. Each try ends by itself.
pub(super) async fn race<T, E, F>(tries: impl IntoIterator<Item = F>) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let (mut waiting, mut running) = (tries.into_iter(), FuturesUnordered::new());
    let (mut more, mut last) = (true, None);
    loop {
        if more {
            match waiting.next() {
                Some(one) => running.push(one),
                None => more = false,
            }
        }
        let next = Instant::now() + HEAD_START;
        tokio::select! {
            outcome = running.next() => match outcome {
                Some(Ok(won)) => return Ok(won),
                Some(Err(why)) => last = Some(why),
                None if more => {}
                None => return Err(last),
            },
            () = sleep_until(next), if more => {}
        }
    }
}
