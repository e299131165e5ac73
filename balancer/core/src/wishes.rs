//! What people ask of a single order, and of the policy: another chance, an end, other weights. Moves are in
//! [`crate::migration`], kitchens in [`crate::fleet`].

use std::time::Duration;

use protocol::api::PolicyView;
use protocol::link::{BalancerMessage, LeaseName};
use protocol::{OrderId, OrderState};

use crate::dispatcher::Core;
use crate::effect::{Refused, Reply};
use crate::event::Event;
use crate::input::{Now, Operator, RequestId};
use crate::policy;

impl Core {
    /// An operator gives an order another chance.
    pub(crate) fn release(&mut self, now: Now, request: RequestId, id: OrderId, by: Operator) {
        let Some(order) = self.state.orders.get(id) else {
            return self.refuse(request, Refused::NoSuchOrder(id));
        };
        if order.state != OrderState::DeadLettered {
            return self.refuse(request, Refused::NotInQuarantine { order: id, state: order.state.word() });
        }
        self.emit(now, Event::Requeued { order: id, by });
        self.reply(request, Reply::Done(format!("{id} waits again, with a clean record")));
    }

    pub(crate) fn cancel(&mut self, now: Now, request: RequestId, id: OrderId, by: Operator) {
        let Some(order) = self.state.orders.get(id) else {
            return self.refuse(request, Refused::NoSuchOrder(id));
        };
        let (state, kitchen, token) = (order.state, order.kitchen, order.token);
        if state == OrderState::DeadLettered {
            // Out of quarantine and called off, in one turn: nobody is given it in between.
            self.emit(now, Event::Requeued { order: id, by: by.clone() });
        } else if !state.is_open() {
            return self.refuse(request, Refused::AlreadyEnded { order: id, state: state.word() });
        }
        self.drop_move(now, id, "it is cancelled");
        self.emit(now, Event::Cancelled { order: id, by });
        if let (OrderState::Leased | OrderState::Cooking, Some(kitchen)) = (state, kitchen) {
            self.tell(kitchen, BalancerMessage::Stop(LeaseName { order: id, token }));
        }
        self.reply(request, Reply::Done(format!("{id} is cancelled")));
    }

    pub(crate) fn set_policy(&mut self, now: Now, request: RequestId, policy: PolicyView, by: Operator) {
        if let Err(why) = policy::check(&policy) {
            return self.refuse(request, Refused::BadPolicy(why));
        }
        let cycle = Duration::from_millis(policy.cycle_ms);
        self.soft.next_cycle = self.soft.next_cycle.min(now.mono + cycle);
        self.emit(now, Event::PolicySet { policy: Box::new(policy), by });
        self.measure_line();
        self.reply(request, Reply::Done("the policy is in force".into()));
    }
}
