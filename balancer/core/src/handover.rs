//! Handover: an order that is being cooked goes on in another kitchen, from its last checkpoint.

use protocol::OrderId;
use protocol::link::{DeclineReason, LeaseName, StayReason};

use crate::dispatcher::Core;
use crate::event::KitchenNo;
use crate::input::Now;

impl Core {
    pub(crate) fn reserved(&mut self, _now: Now, _number: KitchenNo, _order: OrderId) {}

    pub(crate) fn reserve_refused(&mut self, _now: Now, _number: KitchenNo, _order: OrderId, _why: DeclineReason) {}

    pub(crate) fn paused(&mut self, _now: Now, _number: KitchenNo, _lease: LeaseName, _stages_done: u8) {}

    pub(crate) fn handover_refused(&mut self, _now: Now, _number: KitchenNo, _lease: LeaseName, _why: StayReason) {}
}
