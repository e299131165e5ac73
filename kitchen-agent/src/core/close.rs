//! The graceful end: nothing new, what cooks may finish for a while, then goodbye.
//!
//! Owns when the agent is done. Never cuts a report short for impatience: only the end of the grace does.

use std::time::Duration;

use protocol::OrderId;
use protocol::link::{AgentMessage, DeclineReason, LeaseName};

use super::{Agent, Effect};

/// How long what is cooking may go on after the first `Close`: longer than any stage of the built-in city, shorter than
/// the 10 s after which container runtimes kill.
pub const GRACE: Duration = Duration::from_secs(5);

impl Agent {
    /// Takes nothing more and hands back what is not started; a second time ends at once.
    pub(super) fn close(&mut self, now: Duration) {
        if self.closing.is_some() {
            return self.end();
        }
        self.closing = Some(now + GRACE);
        self.refuse_reservations();
        let unstarted = self.held.values().filter(|held| held.started.is_none());
        let waiting: Vec<LeaseName> = unstarted.map(|held| held.cook.lease).collect();
        for lease in waiting {
            self.stop(lease.order);
            if self.connected() {
                self.send(AgentMessage::Declined { lease, why: DeclineReason::Closing });
            }
        }
    }

    pub(super) fn end_when_empty(&mut self, now: Duration) {
        let Some(until) = self.closing else { return };
        let empty = self.held.is_empty() && self.reports.is_empty();
        if !self.closed && (empty || until <= now) {
            self.end();
        }
    }

    /// Stops what still cooks, so that the goodbye is true.
    fn end(&mut self) {
        let held: Vec<OrderId> = self.held.keys().copied().collect();
        for order in held {
            self.stop(order);
        }
        if self.connected() {
            self.send(AgentMessage::Goodbye);
        }
        self.outbox.push(Effect::Closed);
        self.closed = true;
    }
}
