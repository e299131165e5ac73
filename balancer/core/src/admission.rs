//! Admission: whether an order is taken at the door. Backpressure is an answer here, not a wait.
//!
//! Never chooses a kitchen. A shed order leaves no trace in the ledger but a count; an accepted one is never shed later.

use std::time::Duration;

use protocol::{OrderId, OrderState, Priority};

use crate::dispatcher::{Core, Guard};
use crate::effect::{Refused, Reply};
use crate::event::{Accepted, Event};
use crate::input::{NewOrder, Now, RequestId};
use crate::limits;
use crate::state::State;

/// The orders that wait for a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// How many may wait before a normal order is refused; twice as many for high priority.
    pub limit: usize,
    /// How long a new order would wait.
    pub wait: Duration,
}

impl Core {
    pub(crate) fn submit(&mut self, now: Now, request: RequestId, order: NewOrder) {
        if let Some(known) = order.key.as_ref().and_then(|key| self.remembered(now, key))
            && !self.without(Guard::Idempotency)
        {
            return self.answer_again(request, known, &order);
        }
        if let Err(why) = self.admit(order.priority) {
            self.soft.shed += 1;
            return self.refuse(request, why);
        }
        let id = self.accept(now, order, false);
        self.dispatch_waiting(now);
        if let Some(receipt) = self.receipt(id) {
            self.reply(request, Reply::Placed(receipt));
        }
    }

    /// The order in memory that has this key: always while it is open or in quarantine, and within its window.
    fn remembered(&self, now: Now, key: &str) -> Option<OrderId> {
        let order = self.state.keyed(key)?;
        let waits = order.state.is_open() || order.state == OrderState::DeadLettered;
        let fresh = !self.state.key_term().is_over(order.placed_at, now.wall);
        (waits || fresh).then_some(order.id)
    }

    /// Takes an order that has passed the door.
    pub(crate) fn accept(&mut self, now: Now, order: NewOrder, rush: bool) -> OrderId {
        let id = OrderId(self.state.last_order.0 + 1);
        let stages = stage_count(&self.state, &order);
        let NewOrder { items, zone, customer, priority, key } = order;
        let accepted = Accepted { order: id, items, zone, customer, priority, key, stages, rush };
        self.emit(now, Event::Accepted(Box::new(accepted)));
        id
    }

    /// Whether there is room for one more: among all open orders, in the line by its length (the last tenth is for high
    /// priority), and in the line by the time that it takes.
    pub(crate) fn admit(&self, priority: Priority) -> Result<(), Refused> {
        if let Some(why) = self.disk_refusal() {
            return Err(why);
        }
        let limit = match priority {
            Priority::Normal => limits::QUEUE_MAX * limits::QUEUE_NORMAL_PERCENT / 100,
            Priority::High => limits::QUEUE_MAX,
        };
        if self.state.orders().open() + self.state.quarantined() >= limits::OPEN_ORDERS_MAX {
            return Err(Refused::TooManyOpen { limit: limits::OPEN_ORDERS_MAX });
        }
        if self.state.queued() >= limit {
            return Err(Refused::QueueFull { waiting: self.state.queued(), limit });
        }
        let patience = match priority {
            Priority::Normal => 1,
            Priority::High => 2,
        };
        let waiting = self.waiting();
        match self.soft.line_limit {
            Some(limit) if waiting >= limit.saturating_mul(patience) => Err(match self.soft.vitals.rate_milli {
                Some(_) => Refused::LineTooLong { waiting, wait_ms: self.wait_ms() },
                None => Refused::NobodyCooks { waiting },
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The line at the door.
    #[must_use]
    pub fn line(&self) -> Line {
        let longest = limits::QUEUE_MAX * limits::QUEUE_NORMAL_PERCENT / 100;
        let limit = self.soft.line_limit.map_or(longest, |limit| limit.min(longest));
        Line { limit, wait: Duration::from_millis(self.wait_ms()) }
    }

    /// How long the line may be by the time it takes: what the fleet cooks in [`PolicyView::max_wait_ms`], and
    /// [`limits::LINE_MIN`] while nobody knows of a kitchen that will cook it. Without a bound on waiting there is none
    /// here either, also before the first kitchen: who uses the line as a queue fills it before the kitchens come.
    ///
    /// [`PolicyView::max_wait_ms`]: protocol::api::PolicyView::max_wait_ms
    pub(crate) fn measure_line(&mut self) {
        let max_wait_ms = self.max_wait_ms();
        let vitals = self.soft.vitals;
        self.soft.line_limit = (max_wait_ms > 0).then(|| {
            let cooked = vitals.rate_milli.map_or(0, |rate_milli| rate_milli.saturating_mul(max_wait_ms) / 1_000_000);
            let least = vitals.places.saturating_mul(2).max(limits::LINE_MIN as u64);
            usize::try_from(cooked.max(least)).unwrap_or(usize::MAX)
        });
    }

    /// The bound on waiting in force, in milliseconds; 0 for none.
    pub(crate) fn max_wait_ms(&self) -> u64 {
        self.state.policy.as_ref().map_or(0, |policy| policy.max_wait_ms)
    }

    /// Orders that are not being cooked yet.
    fn waiting(&self) -> usize {
        self.state.queued() + usize::try_from(self.state.counts.leased).unwrap_or(usize::MAX)
    }

    /// What a new order would wait for a station, in milliseconds; 0 while there is nobody to wait for.
    fn wait_ms(&self) -> u64 {
        let rate_milli = self.soft.vitals.rate_milli.unwrap_or(u64::MAX).max(1);
        (self.waiting() as u64).saturating_mul(1_000_000) / rate_milli
    }

    fn answer_again(&mut self, request: RequestId, known: OrderId, order: &NewOrder) {
        let same = self.state.orders.get(known).is_some_and(|old| {
            old.items == order.items
                && old.zone == order.zone
                && old.customer == order.customer
                && old.priority == order.priority
        });
        match self.receipt(known) {
            Some(receipt) if same => self.reply(request, Reply::Replayed(receipt)),
            _ => self.refuse(request, Refused::IdempotencyConflict { order: known }),
        }
    }
}

/// As many stages as the dish with the most.
fn stage_count(state: &State, order: &NewOrder) -> u8 {
    let stages = order.items.iter().filter_map(|item| state.city.menu.dish(item.dish)).map(|dish| dish.stages.len());
    u8::try_from(stages.max().unwrap_or(0)).unwrap_or(u8::MAX)
}
