//! What a new leader makes of the ledger that it finds. Never decides anything: all leases count as renewed, all living
//! kitchens as heard, and the agents tell the rest.

use std::time::Duration;

use protocol::OrderId;
use protocol::api::MoveResult;

use crate::dispatcher::Core;
use crate::event::{Event, KitchenNo, MoveReason};
use crate::grey::Pace;
use crate::input::Now;
use crate::limits;
use crate::soft::Link;
use crate::warmup::Steadiness;

impl Core {
    /// Builds the soft state of everything the ledger holds: all leases count as renewed, all living kitchens as heard.
    pub(crate) fn adopt(&mut self, now: Now) {
        self.soft.routing.defer_index();
        self.soft.next_tick = now.mono + limits::TICK;
        self.soft.next_cycle = now.mono + Duration::from_millis(self.state.policy().cycle_ms);
        for number in 0..self.state.kitchens.len() {
            let kitchen = &self.state.kitchens[number];
            let drain = kitchen.drain.filter(|_| kitchen.schedulable == protocol::api::Schedulable::Draining);
            self.soft.links.push(Link {
                heard: kitchen.alive.then_some(now.mono),
                suspected: kitchen.alive,
                drain_until: drain.map(|terms| now.mono + self.drain_left(now, terms)),
                lost_at: (!kitchen.alive).then_some(now.mono),
                lost_before: Duration::from_millis(now.wall.ms_since(kitchen.since)),
                steadiness: Steadiness::found(kitchen.alive, kitchen.lost),
                pace: Pace::new(now.mono),
                ..Link::default()
            });
            self.refresh(KitchenNo(number as u32));
        }
        self.measure_fleet(now);
        self.measure_line();
        self.configure_routing();
        let leases: Vec<(OrderId, u64, bool)> = self
            .state
            .kitchens
            .iter()
            .flat_map(|kitchen| {
                kitchen.waiting.iter().map(|id| (*id, true)).chain(kitchen.cooking.iter().map(|id| (*id, false)))
            })
            .filter_map(|(id, waits)| self.state.order(id).map(|order| (id, order.token.counter, waits)))
            .collect();
        for (order, counter, waits) in leases {
            let age = self.state.order(order).map_or(0, |order| now.wall.ms_since(order.leased_at));
            self.soft.leases.adopt(now.mono, order, counter, Duration::from_millis(age));
            if waits {
                self.stealable(order, now.mono);
            }
        }
        self.adopt_line(now.mono);
        self.adopt_rush(now);
        self.end_ordered_moves(now);
    }

    /// Nobody waits for the answers to a leader that ended: what an operator ordered is said to have failed.
    fn end_ordered_moves(&mut self, now: Now) {
        let ordered: Vec<(OrderId, KitchenNo)> = self.state.ordered.iter().map(|(order, to)| (*order, *to)).collect();
        for (order, to) in ordered {
            let Some(from) = self.state.order(order).and_then(|order| order.kitchen) else { continue };
            let (reason, result) = (MoveReason::Operator, MoveResult::LeaderLost);
            self.emit(now, Event::MoveFailed { order, from, to, reason, result });
        }
    }
}
