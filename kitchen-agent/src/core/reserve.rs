//! Places kept for orders that another kitchen may hand over to this one.
//!
//! Owns which, and for how long. Keeps no station idle: the order goes ahead of the line when it comes, and until then the
//! stations cook what is there. A place is kept for the balancer on this connection only; a lost connection frees it.

use std::time::Duration;

use protocol::OrderId;
use protocol::link::{AgentMessage, DeclineReason};

use super::Agent;
use super::beat::millis;

impl Agent {
    /// Keeps a place, or keeps it longer.
    pub(super) fn reserve(&mut self, now: Duration, order: OrderId, for_ms: u32) {
        self.reserved.remove(&order);
        let refused = if self.closing.is_some() {
            Some(DeclineReason::Closing)
        } else if self.has_place(now) {
            None
        } else {
            Some(DeclineReason::Full)
        };
        match refused {
            Some(why) => self.send(AgentMessage::ReserveRefused { order, why }),
            None => {
                self.reserved.insert(order, now + millis(for_ms));
                self.send(AgentMessage::Reserved { order });
            }
        }
    }

    pub(super) fn unreserve(&mut self, order: OrderId) {
        self.reserved.remove(&order);
    }

    /// The order has come: whether a place was kept for it.
    pub(super) fn take_reservation(&mut self, now: Duration, order: OrderId) -> bool {
        self.reserved.remove(&order).is_some_and(|until| until > now)
    }

    /// How many places are still kept. Forgetting needs no deadline of its own: it matters only when somebody asks.
    pub(super) fn count_reserved(&mut self, now: Duration) -> usize {
        self.reserved.retain(|_, until| *until > now);
        self.reserved.len()
    }

    /// This kitchen takes nothing more.
    pub(super) fn refuse_reservations(&mut self) {
        for order in std::mem::take(&mut self.reserved).into_keys() {
            if self.connected() {
                self.send(AgentMessage::ReserveRefused { order, why: DeclineReason::Closing });
            }
        }
    }
}
