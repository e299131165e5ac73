//! What an event adds to the key figures, the metrics and the feed.
//!
//! Owns the way of one event into them. Never changes the state: it is already past the event.

use balancer_core::event::Cause;
use balancer_core::{Event, Recorded};
use protocol::Position;
use protocol::api::HopKind;

use super::Inner;

/// Orders in quarantine that are remembered for the alert; the count in it stops there.
const SET_ASIDE_MAX: usize = 1_000;

impl Inner {
    /// Folds one event into the figures of the last seconds.
    pub(super) fn observe(&mut self, recorded: &Recorded, position: Position) {
        let at = recorded.at;
        let state = self.core.state();
        let age = |order| state.order(order).map_or(0, |order| at.ms_since(order.placed_at));
        match &recorded.event {
            Event::Accepted(_) => self.kpi.accepted(at),
            Event::Completed { order, .. } => {
                let age = age(*order);
                self.kpi.completed(at, age);
                self.metrics.order_seconds.add(age as f64 / 1e3);
            }
            Event::Leased { order, cause, .. } => match cause {
                Cause::Dispatch => self.metrics.dispatch_seconds.add(age(*order) as f64 / 1e3),
                Cause::Reassign { pause_ms, .. } => {
                    self.metrics.moved(cause.kind(), "done");
                    self.metrics.pause_seconds.add(f64::from(*pause_ms) / 1e3);
                }
                Cause::Handover { .. } => self.metrics.moved(cause.kind(), "done"),
                Cause::Recover { .. } | Cause::Retry | Cause::Release => {}
            },
            Event::DeadLettered { order, .. } => {
                // Released and set aside again, it is still one order.
                self.set_aside.retain(|(known, _)| known != order);
                if self.set_aside.len() >= SET_ASIDE_MAX {
                    self.set_aside.remove(0);
                }
                self.set_aside.push((*order, at));
            }
            Event::HandedOver { pause_ms, .. } => self.metrics.pause_seconds.add(f64::from(*pause_ms) / 1e3),
            Event::MoveFailed { result, .. } => self.metrics.moved(HopKind::Reassign, result.word()),
            _ => {}
        }
        self.feed.observe(self.core.state(), recorded, position);
    }
}
