//! Agents' connections, and what waits to be written to each.
//!
//! Owns the outboxes and their bound. Never decides what is written, and never writes: the connection's own task does.

use std::sync::Arc;
use std::time::Instant;

use balancer_core::Input;
use balancer_core::input::ConnectionId;
use protocol::link::BalancerMessage;
use tokio::sync::Notify;

use super::{Hub, Inner};

/// Messages that may wait for one agent; an agent that reads none of them is cut off. Some seconds at full rate.
const OUTBOX_MAX: usize = 200_000;

#[derive(Default)]
pub(super) struct Outbox {
    messages: Vec<BalancerMessage>,
    closing: bool,
    /// In the list of those that will be woken.
    listed: bool,
    wake: Arc<Notify>,
}

impl Hub {
    /// Opens an agent's connection; the notice says that something waits to be sent.
    pub(crate) fn connect(&self) -> (ConnectionId, Arc<Notify>) {
        let mut inner = self.lock();
        inner.next_connection += 1;
        let connection = ConnectionId(inner.next_connection);
        let outbox = Outbox::default();
        let wake = Arc::clone(&outbox.wake);
        inner.agents.insert(connection, outbox);
        (connection, wake)
    }

    /// Closes an agent's connection.
    pub(crate) fn disconnect(&self, connection: ConnectionId) {
        self.lock().agents.remove(&connection);
        self.inputs([Input::Left { connection }]);
    }

    /// What waits to be sent to an agent, and whether the connection ends after it.
    pub(crate) fn take_outbox(&self, connection: ConnectionId) -> (Vec<BalancerMessage>, bool) {
        let mut inner = self.lock();
        match inner.agents.get_mut(&connection) {
            Some(outbox) => (std::mem::take(&mut outbox.messages), outbox.closing),
            None => (Vec::new(), true),
        }
    }
}

impl Inner {
    pub(super) fn post(&mut self, connection: ConnectionId, message: BalancerMessage) {
        let Some(outbox) = self.agents.get_mut(&connection) else { return };
        if outbox.messages.len() >= OUTBOX_MAX {
            tracing::warn!(connection = connection.0, "an agent does not read: cutting it off");
            outbox.closing = true;
            outbox.messages.clear();
        } else if !outbox.closing {
            outbox.messages.push(message);
        }
        if !std::mem::replace(&mut outbox.listed, true) {
            self.to_wake.push(connection);
        }
    }

    pub(super) fn wake_agents(&mut self) {
        self.woken = Instant::now();
        for connection in self.to_wake.drain(..) {
            if let Some(outbox) = self.agents.get_mut(&connection) {
                outbox.listed = false;
                outbox.wake.notify_one();
            }
        }
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        if let Some(outbox) = self.agents.get_mut(&connection) {
            outbox.closing = true;
            outbox.wake.notify_one();
        }
    }
}
