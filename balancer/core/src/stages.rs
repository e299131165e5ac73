//! Stage limits: a kitchen that lives and hangs. Never judges by silence; that is the failure detector's.
//!
//! - A stage may take [`limits::STAGE_TIMES`] the menu's time at the speed that the agent said, and never less than
//!   [`limits::STAGE_LIMIT_MIN`]; a command of the operator's may take what its agent said, and a little for the agent to
//!   say that it is over.
//! - An order that waits where a station is free has to be started within the same least time.
//!
//! Whoever breaks either is *stuck*: all that it holds goes elsewhere, and it gets one order at a time until one of them
//! comes on ([`crate::grey`]). It is told to stop, and nobody else begins before its fence would have come there.
//!
//! Judged is only what is known: not before a kitchen's hello to this leader, and not the time in which this process or its
//! disk stood still. An order is looked at when its lease goes on, so whatever is cooked within one lease costs nothing,
//! and a limit is noticed at most two leases late.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::link::{BalancerMessage, LeaseName};
use protocol::{OrderId, OrderState};

use crate::dispatcher::{Core, Guard};
use crate::event::{Cause, KitchenNo, LossCause};
use crate::grey::Trouble;
use crate::input::Now;
use crate::limits;
use crate::soft::Link;
use crate::state::Order;

/// Since when an order has been in its stage.
#[derive(Debug, Clone, Copy)]
struct Watch {
    counter: u64,
    /// In time that counts.
    since: Duration,
    /// It was asked to pause and stays: it may wait for a station before its stage goes on.
    paused: bool,
}

/// Orders that last longer than a lease, and the time that counts.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    watched: BTreeMap<OrderId, Watch>,
    /// How long this process or its disk has stood still, in all.
    excused: Duration,
    /// The disk stands still since then.
    stalled: Option<Duration>,
}

impl Stages {
    /// The time that counts: it stands while we do.
    fn counted(&self, now: Duration) -> Duration {
        self.stalled.unwrap_or(now).saturating_sub(self.excused)
    }

    /// The disk takes nothing from now on.
    pub(crate) fn stall(&mut self, now: Duration) {
        self.stalled = self.stalled.or(Some(now));
    }

    /// It takes something again.
    pub(crate) fn go_on(&mut self, now: Duration) {
        if let Some(since) = self.stalled.take() {
            self.excused += now.saturating_sub(since);
        }
    }

    /// This process stood still for so long.
    pub(crate) fn excuse(&mut self, lag: Duration) {
        if self.stalled.is_none() {
            self.excused += lag;
        }
    }

    /// The order is in no stage any more.
    pub(crate) fn remove(&mut self, id: OrderId) {
        if !self.watched.is_empty() {
            self.watched.remove(&id);
        }
    }
}

impl Core {
    /// A stage of the order began.
    pub(crate) fn stage_began(&mut self, now: Now, id: OrderId) {
        let since = self.soft.stages.counted(now.mono);
        if let Some(watch) = self.soft.stages.watched.get_mut(&id) {
            (watch.since, watch.paused) = (since, false);
        }
    }

    /// The order was asked to pause, and stays.
    pub(crate) fn was_paused(&mut self, now: Now, id: OrderId) {
        let since = self.soft.stages.counted(now.mono);
        let Some(counter) = self.state.order(id).map(|order| order.token.counter) else { return };
        self.soft.stages.watched.insert(id, Watch { counter, since, paused: true });
    }

    /// The lease of the order goes on: whether the order does, too.
    pub(crate) fn look_at_stage(&mut self, now: Now, id: OrderId) {
        let Some(order) = self.state.order(id) else { return };
        let Some(number) = order.kitchen.filter(|number| self.is_judged(now, *number)) else { return };
        let state = order.state;
        match state {
            OrderState::Leased => self.look_at_unstarted(now, number),
            OrderState::Cooking if self.is_over_time(now, id) => self.hangs(now, number, Some(id)),
            OrderState::Cooking
            | OrderState::Queued
            | OrderState::Completed
            | OrderState::Cancelled
            | OrderState::DeadLettered => {}
        }
    }

    /// Whether anything is known of it: it has said hello, and what it had to tell then has been read.
    fn is_judged(&self, now: Now, number: KitchenNo) -> bool {
        let link = self.soft.link(number);
        let known = link.speed_milli > 0 && link.connection.is_some() && !link.suspected;
        known && now.mono >= link.judged_from && !self.without(Guard::StageLimit)
    }

    fn is_over_time(&mut self, now: Now, id: OrderId) -> bool {
        let Some(order) = self.state.order(id) else { return false };
        let (counter, number) = (order.token.counter, order.kitchen);
        let Some(limit) = number.map(|number| self.stage_limit(order, self.soft.link(number))) else { return false };
        let counted = self.soft.stages.counted(now.mono);
        let begins = Watch { counter, since: counted, paused: false };
        let watch = self.soft.stages.watched.entry(id).or_insert(begins);
        if watch.counter != counter {
            *watch = begins;
        }
        let times = if watch.paused { limits::PAUSED_TIMES } else { 1 };
        counted.saturating_sub(watch.since) >= limit * times
    }

    /// How long the stage in hand may take.
    fn stage_limit(&self, order: &Order, link: &Link) -> Duration {
        if let Some(timeout_ms) = link.stage_timeout_ms {
            return Duration::from_millis(u64::from(timeout_ms)).min(limits::STAGE_LIMIT_MAX) + limits::STAGE_GRACE;
        }
        let planned_ms = self.planned_stage_ms(&order.items, usize::from(order.stages_done)).unwrap_or(0);
        let ms = planned_ms.saturating_mul(limits::STAGE_TIMES * 1_000) / u64::from(link.speed_milli.max(1));
        Duration::from_millis(ms).clamp(limits::STAGE_LIMIT_MIN, limits::STAGE_LIMIT_MAX)
    }

    /// An order waits in the kitchen: whether a station has been free all the time.
    fn look_at_unstarted(&mut self, now: Now, number: KitchenNo) {
        let kitchen = self.state.kitchen(number);
        let idle = kitchen.cooking.len() < kitchen.stations as usize;
        let counted = self.soft.stages.counted(now.mono);
        let link = self.soft.link_mut(number);
        if !idle {
            link.unstarted_since = None;
            return;
        }
        let since = *link.unstarted_since.get_or_insert(counted);
        if counted.saturating_sub(since) >= limits::STAGE_LIMIT_MIN {
            self.hangs(now, number, None);
        }
    }

    /// The kitchen hangs: all that it holds goes elsewhere. The order that showed it has lost an attempt, the others have
    /// only lost time.
    pub(crate) fn hangs(&mut self, now: Now, number: KitchenNo, shown_by: Option<OrderId>) {
        self.distrust(now, number, Trouble::Stuck);
        self.soft.link_mut(number).unstarted_since = None;
        let kitchen = self.state.kitchen(number);
        let held = kitchen.cooking.iter().chain(&kitchen.waiting).copied();
        // While the disk stalls nothing is given up but what the agent itself has.
        let stalled = self.is_disk_stalled();
        let held: Vec<OrderId> = held.filter(|id| !stalled || shown_by == Some(*id)).collect();
        for id in held {
            let token = self.state.order(id).map(|order| order.token).unwrap_or_default();
            let cause = if shown_by == Some(id) { LossCause::StageTimeout } else { LossCause::KitchenStuck };
            self.lose(now, id, cause);
            self.tell(number, BalancerMessage::Stop(LeaseName { order: id, token }));
            self.wait_for_the_fence(now.mono, id);
        }
    }

    /// Orders that an earlier leader took from a kitchen that hung may still be cooked there.
    pub(crate) fn adopt_line(&mut self, now: Duration) {
        let taken = |cause: Cause| match cause {
            Cause::Recover { cause, .. } => matches!(cause, LossCause::StageTimeout | LossCause::KitchenStuck),
            Cause::Dispatch | Cause::Reassign { .. } | Cause::Retry | Cause::Handover { .. } | Cause::Release => false,
        };
        let waits = self.state.queue.iter().map(|(_, id)| *id);
        let recovered = |id: &OrderId| self.state.order(*id).is_some_and(|order| taken(order.next_cause));
        let orders: Vec<OrderId> = waits.filter(recovered).collect();
        orders.into_iter().for_each(|id| self.wait_for_the_fence(now, id));
    }
}
