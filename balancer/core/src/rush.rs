//! Rush: a workload made on the balancer's side, as an open model: a Poisson stream that waits for nobody.
//!
//! Its orders pass the same admission as any other; what is shed is counted. Chance draws dish and zone; what it drew
//! stands in the ledger.

use std::time::Duration;

use protocol::city::{DishNo, ZoneNo};
use protocol::{Item, Priority};

use crate::dispatcher::Core;
use crate::effect::{Refused, Reply};
use crate::event::Event;
use crate::input::{NewOrder, Now, Operator, RequestId};
use crate::limits;

impl Core {
    pub(crate) fn start_rush(
        &mut self,
        now: Now,
        request: RequestId,
        (rate, lasts, zone): (f64, Duration, Option<ZoneNo>),
        by: Operator,
    ) {
        let rate_milli = (rate * 1_000.0).round().max(1.0) as u64;
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        if self.state.rush.is_none() {
            self.soft.rush_shed = 0;
        }
        self.emit(now, Event::RushStarted { rate_milli, zone, lasts_ms, by });
        self.soft.rush_ends = Some(now.mono + lasts);
        self.soft.rush_next = Some(now.mono + self.gap(rate_milli));
        self.reply(request, Reply::Done(format!("a rush of {rate} orders a second for {} s", lasts.as_secs())));
    }

    pub(crate) fn stop_rush(&mut self, now: Now, request: RequestId, by: Operator) {
        if self.state.rush.is_none() {
            return self.refuse(request, Refused::NoRush);
        }
        self.end_rush(now, by);
        self.reply(request, Reply::Done("the rush is over".into()));
    }

    /// Takes the rush of the ledger over: it goes on with what is left of its time, at most all of it, and one whose time is
    /// over is ended. Releases before this one let a rush die with its leader and wrote nothing: it is ended here, too.
    pub(crate) fn adopt_rush(&mut self, now: Now) {
        let Some(rush) = self.state.rush else { return };
        let left = Duration::from_millis(rush.lasts_ms.saturating_sub(now.wall.ms_since(rush.since)));
        if left.is_zero() {
            return self.end_rush(now, Operator::default());
        }
        self.soft.rush_ends = Some(now.mono + left);
        self.soft.rush_next = Some(now.mono + self.gap(rush.rate_milli));
    }

    /// Makes the orders that are due.
    pub(crate) fn rush_due(&mut self, now: Now) {
        if self.is_disk_stalled() {
            return;
        }
        let (Some(rush), Some(ends)) = (self.state.rush, self.soft.rush_ends) else { return };
        let mut made = 0;
        while let Some(next) = self.soft.rush_next.filter(|next| *next <= now.mono && *next <= ends) {
            if made == limits::RUSH_BURST_MAX {
                return;
            }
            made += 1;
            self.rush_order(now, rush.zone);
            self.soft.rush_next = Some(next + self.gap(rush.rate_milli));
        }
        if now.mono >= ends {
            self.end_rush(now, Operator::default());
        }
    }

    fn end_rush(&mut self, now: Now, by: Operator) {
        self.soft.rush_next = None;
        self.soft.rush_ends = None;
        self.emit(now, Event::RushEnded { by });
    }

    fn gap(&mut self, rate_milli: u64) -> Duration {
        let mean = 1_000.0 / rate_milli.max(1) as f64;
        Duration::from_secs_f64(self.soft.random.exponential(mean))
    }

    fn rush_order(&mut self, now: Now, zone: Option<ZoneNo>) {
        if self.admit(Priority::Normal).is_err() {
            self.soft.rush_shed += 1;
            self.soft.shed += 1;
            return;
        }
        let dishes = &self.state.city.menu.dishes;
        let offered: Vec<usize> = (0..dishes.len()).filter(|index| !dishes[*index].withdrawn).collect();
        let zones = self.state.city.zones.len();
        let random = &mut self.soft.random;
        // The smaller of two draws: what stands first on the menu is popular.
        let pick = random.below(offered.len()).min(random.below(offered.len()));
        let Some(dish) = offered.get(pick).and_then(|index| u16::try_from(*index).ok()) else { return };
        let quantity = 1 + u16::from(random.below(4) == 0);
        let zone = zone.unwrap_or_else(|| ZoneNo(random.below(zones) as u16));
        let items = vec![Item { dish: DishNo(dish), quantity }];
        let order = NewOrder { items, zone, customer: None, priority: Priority::Normal, key: None };
        self.accept(now, order, true);
        self.dispatch_waiting(now);
    }
}
