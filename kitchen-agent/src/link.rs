//! The link to a balancer: one connection at a time, to whichever of the given addresses lets this kitchen in.
//!
//! Owns connecting, trying again, and the queue between the socket and the loop. Never decides about an order; what was
//! queued for a connection dies with it, because the core says again what matters after the next welcome.

mod patience;
mod race;
mod session;

use std::time::Duration;

use protocol::link::{AgentMessage, BalancerMessage, Refusal};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::address::Address;
use crate::core::Input;
use crate::run::{AgentError, shown};
use patience::{Backoff, End, Patience};
use race::race;
use session::Ended;

/// The most turns of the loop that wait for the socket. A balancer that takes none of so many is as good as gone; with
/// the batches of one turn bounded by what one turn reads, this is a few megabytes at worst.
const OUTGOING_TURNS: usize = 256;
/// The most frames read ahead of the loop: 64 of at most 64 KiB. Beyond it the balancer's writes wait.
const INCOMING_FRAMES: usize = 64;
/// How long a goodbye may take to reach the socket.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection tells the loop.
enum Event {
    Connected(mpsc::Sender<Vec<AgentMessage>>),
    Heard(Vec<BalancerMessage>),
    Lost,
}

/// The loop's end of the link.
pub(crate) struct Link {
    events: mpsc::Receiver<Event>,
    ready: Vec<Event>,
    /// Of the connection that stands, if one does.
    out: Option<mpsc::Sender<Vec<AgentMessage>>>,
    patience: Patience,
    connections: u64,
}

impl Link {
    /// Begins to connect; `seed` spreads the retries of many agents.
    pub(crate) fn open(addresses: Vec<Address>, seed: u64) -> Self {
        let (sender, events) = mpsc::channel(INCOMING_FRAMES);
        tokio::spawn(keep_connected(addresses, Backoff::new(seed), sender));
        Self { events, ready: Vec::new(), out: None, patience: Patience::default(), connections: 0 }
    }

    /// Waits for something to happen and returns all that has. Safe to cancel.
    pub(crate) async fn inputs(&mut self) -> Vec<Input> {
        if self.events.recv_many(&mut self.ready, INCOMING_FRAMES).await == 0 {
            return std::future::pending().await; // the task ends only with the loop
        }
        let mut inputs = Vec::with_capacity(self.ready.len());
        for event in self.ready.drain(..) {
            match event {
                Event::Connected(out) => {
                    self.out = Some(out);
                    self.connections += 1;
                    inputs.push(Input::Connected);
                }
                Event::Heard(messages) => {
                    if messages.iter().any(|message| matches!(message, BalancerMessage::Welcome(_))) {
                        self.patience = Patience::default();
                    }
                    inputs.extend(messages.into_iter().map(Input::Message));
                }
                Event::Lost => {
                    self.out = None;
                    inputs.push(Input::Disconnected);
                }
            }
        }
        inputs
    }

    /// Queues the messages of one turn; they leave in as few frames as they fit in.
    pub(crate) fn send(&mut self, messages: Vec<AgentMessage>) {
        if messages.is_empty() {
            return;
        }
        let Some(out) = &self.out else { return };
        if out.try_send(messages).is_err() {
            warn!("the balancer does not read what this kitchen sends: the connection is given up");
            self.out = None; // the session sees its queue end, and ends
        }
    }

    /// Ends the connection once what is queued is out, and makes a new one.
    pub(crate) fn hang_up(&mut self) {
        warn!("the balancer is not heard: no heartbeat was answered for a fence");
        self.out = None; // the session sees its queue end, and ends
    }

    /// Takes a refusal; an error if trying again would be no use.
    pub(crate) fn refused(&mut self, now: Duration, refusal: Refusal) -> Result<(), AgentError> {
        if self.patience.bears(now, &refusal) {
            info!("not let in yet: {}", shown(&refusal));
            return Ok(());
        }
        Err(AgentError::Refused(refusal))
    }

    /// How often the connection was made anew.
    pub(crate) fn reconnects(&self) -> u64 {
        self.connections.saturating_sub(1)
    }

    /// Lets what is queued reach the socket, for at most a second.
    pub(crate) async fn close(mut self) {
        if self.out.take().is_none() {
            return;
        }
        let flushed = async { while !matches!(self.events.recv().await, Some(Event::Lost) | None) {} };
        if tokio::time::timeout(GOODBYE, flushed).await.is_err() {
            warn!("the goodbye did not reach the balancer; it will notice by itself");
        }
    }
}

/// Connects again and again until the loop has gone: to whichever address answers first, and after it has ended to that
/// behind it before the others.
async fn keep_connected(addresses: Vec<Address>, mut backoff: Backoff, events: mpsc::Sender<Event>) {
    let mut first = 0;
    loop {
        let count = addresses.len();
        let order = (0..count).map(|step| (first + step) % count);
        let tries = order.map(|index| {
            let address = &addresses[index];
            async move { session::open(address).await.map(|socket| (index, socket)).map_err(|why| (index, why)) }
        });
        let opened = tokio::select! {
            opened = race(tries) => opened,
            () = events.closed() => return,
        };
        // A round through all of them, or one of them.
        let (index, Ended { end, why }, of_a_round) = match opened {
            Err(Some((index, why))) => (index, Ended { end: End::Failed, why }, 1),
            Err(None) => return, // the settings have at least one
            Ok((index, socket)) => {
                info!("connected to {}", addresses[index]);
                let (out, outgoing) = mpsc::channel(OUTGOING_TURNS);
                if events.send(Event::Connected(out)).await.is_err() {
                    return;
                }
                let ended = session::run(socket, outgoing, &events).await;
                if events.send(Event::Lost).await.is_err() {
                    return;
                }
                (index, ended, count)
            }
        };
        first = (index + 1) % count;
        let wait = backoff.after(end, of_a_round);
        warn!("{}: {why}; next try in {} ms", addresses[index], wait.as_millis());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = events.closed() => return,
        }
    }
}
