//! Admission: whether an order is taken at the door. Backpressure is an answer here, not a wait.
//!
//! Never chooses a kitchen. A shed order leaves no trace in the ledger but a count; an accepted one is never shed later.

use protocol::{OrderId, Priority};

use crate::dispatcher::{Core, Guard};
use crate::effect::{Refused, Reply};
use crate::event::{Accepted, Event};
use crate::input::{DiskHealth, NewOrder, Now, RequestId};
use crate::limits;
use crate::state::State;

impl Core {
    pub(crate) fn submit(&mut self, now: Now, request: RequestId, order: NewOrder) {
        if let Some(known) = order.key.as_ref().and_then(|key| self.state.keys.get(key)).copied()
            && !self.without(Guard::Idempotency)
        {
            return self.answer_again(request, known, &order);
        }
        if let Err(why) = admit(&self.state, order.priority) {
            self.soft.shed += 1;
            return self.refuse(request, why);
        }
        let id = self.accept(now, order, false);
        self.dispatch_waiting(now);
        if let Some(receipt) = self.receipt(id) {
            self.reply(request, Reply::Placed(receipt));
        }
    }

    /// How the ledger's disk was when the shell last said.
    #[must_use]
    pub fn disk(&self) -> DiskHealth {
        self.soft.disk
    }

    /// The ledger's disk has changed.
    pub(crate) fn disk_is(&mut self, _now: Now, health: DiskHealth) {
        self.soft.disk = health;
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

/// Whether there is room for one more; the last tenth of the line is for high priority.
pub(crate) fn admit(state: &State, priority: Priority) -> Result<(), Refused> {
    let limit = match priority {
        Priority::Normal => limits::QUEUE_MAX * limits::QUEUE_NORMAL_PERCENT / 100,
        Priority::High => limits::QUEUE_MAX,
    };
    if state.orders().open() >= limits::OPEN_ORDERS_MAX {
        return Err(Refused::TooManyOpen { limit: limits::OPEN_ORDERS_MAX });
    }
    if state.queued() >= limit {
        return Err(Refused::QueueFull { waiting: state.queued(), limit });
    }
    Ok(())
}

/// As many stages as the dish with the most.
fn stage_count(state: &State, order: &NewOrder) -> u8 {
    let stages = order.items.iter().filter_map(|item| state.city.menu.dish(item.dish)).map(|dish| dish.stages.len());
    u8::try_from(stages.max().unwrap_or(0)).unwrap_or(u8::MAX)
}
