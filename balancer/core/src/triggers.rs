//! What moves orders that wait without being asked: idle stations, overload, and drains. Decides which and where to; how
//! is [`crate::migration`]'s. Every move that is considered and not tried is remembered with its reason.
//!
//! - `idle_station`: a station with nothing to do takes the oldest waiting order it is a specialist for, or the oldest
//!   that has waited longer than a patience of two mean cooking times. This is what brings any policy close to one
//!   central queue; taking just any order costs more in cooking time than it saves in waiting.
//! - `overload`: a kitchen above 90 % gives orders to kitchens below 50 % until it is below 70 %, at most two a cycle,
//!   only where the predicted wait gets shorter by more than the move costs. Near full load nobody is below 50 %, and then
//!   this one rests.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{OrderId, OrderState};

use crate::dispatcher::Core;
use crate::event::{KitchenNo, MoveReason};
use crate::input::Now;
use crate::limits;
use crate::migration::PANIC;

/// Why an order stays after so many automatic moves.
const OFTEN: &str = "an order has been moved as often as it may";

impl Core {
    /// The order waits in a kitchen since `since`: an idle station may take it.
    pub(crate) fn stealable(&mut self, id: OrderId, since: Duration) {
        let Some(order) = self.state.order(id).filter(|order| order.state == OrderState::Leased) else { return };
        let Some(dish) = order.main_dish() else { return };
        self.soft.stealable.entry(dish).or_default().insert(id, since);
    }

    /// It no longer waits, or is being moved; says since when it waited.
    pub(crate) fn not_stealable(&mut self, id: OrderId) -> Option<Duration> {
        let dish = self.state.order(id)?.main_dish()?;
        self.soft.stealable.get_mut(&dish)?.remove(&id)
    }

    /// Stations that became free look for work elsewhere.
    pub(crate) fn steal(&mut self, now: Now) {
        if self.soft.crowded == 0 || !self.state.policy.as_ref().is_none_or(|policy| policy.steal) {
            return self.soft.freed.clear();
        }
        if !self.soft.freed.is_empty() && self.is_panicking() {
            return self.soft.freed.clear();
        }
        while let Some(number) = self.soft.freed.pop_first() {
            while self.idle_stations(number) > 0 {
                let Some((id, from)) = self.find_for(now.mono, number) else {
                    self.say_who_stays(now, number);
                    break;
                };
                self.ask(now, id, (from, number), MoveReason::IdleStation, None);
            }
        }
    }

    /// At every tick, all kitchens look once more: an order may have become old enough.
    pub(crate) fn steal_everywhere(&mut self) {
        if self.soft.crowded > 0 {
            self.soft.freed.insert_all(self.state.kitchens.len());
        }
    }

    /// Stations that nobody uses, less the places that are promised.
    pub(crate) fn idle_stations(&self, number: KitchenNo) -> u32 {
        if self.soft.routing.unfit(number).is_some() || self.soft.moves.len() >= limits::MOVES_IN_FLIGHT_MAX {
            return 0;
        }
        let kitchen = self.state.kitchen(number);
        kitchen.stations.saturating_sub(kitchen.held() + self.soft.link(number).reserved)
    }

    fn find_for(&self, now: Duration, number: KitchenNo) -> Option<(OrderId, KitchenNo)> {
        let kitchen = self.state.kitchen(number);
        let own = kitchen.specialties.iter().filter_map(|dish| self.soft.stealable.get(dish));
        let specialist = own.filter_map(|waiting| self.first_takeable(number, waiting)).min();
        let patience = Duration::from_millis(2 * self.soft.routing.scale_ms());
        let found = specialist.or_else(|| {
            let all = self.soft.stealable.values();
            let oldest = all.filter_map(|waiting| self.first_takeable(number, waiting)).min();
            oldest.filter(|(_, since)| now >= *since + patience)
        });
        let (id, _) = found?;
        self.state.order(id)?.kitchen.map(|from| (id, from))
    }

    /// Remembers whose oldest order an idle station passed over only because it has been moved as often as it may.
    fn say_who_stays(&mut self, now: Now, number: KitchenNo) {
        let max_hops = self.state.policy.as_ref().map_or(3, |policy| policy.max_hops);
        let kitchen = self.state.kitchen(number);
        let oldest = kitchen.specialties.iter().filter_map(|dish| self.soft.stealable.get(dish)?.first_key_value());
        let settled = oldest.filter_map(|(id, _)| self.state.order(*id)).find(|order| {
            let from = order.kitchen.filter(|from| *from != number);
            u32::from(order.moves) >= max_hops && from.is_some_and(|from| self.soft.link(from).crowded)
        });
        if let Some(from) = settled.and_then(|order| order.kitchen) {
            self.soft.skip(now, from, OFTEN);
        }
    }

    /// The first of these orders that waits behind busy stations elsewhere and may still be moved.
    fn first_takeable(&self, number: KitchenNo, waiting: &BTreeMap<OrderId, Duration>) -> Option<(OrderId, Duration)> {
        let max_hops = self.state.policy.as_ref().map_or(3, |policy| policy.max_hops);
        let looked_at = waiting.iter().take(limits::STEAL_LOOKS).map(|(id, since)| (*id, *since));
        looked_at.filter(|(id, _)| self.takeable(*id, number, max_hops)).min()
    }

    fn takeable(&self, id: OrderId, number: KitchenNo, max_hops: u32) -> bool {
        let Some(order) = self.state.order(id) else { return false };
        let Some(from) = order.kitchen else { return false };
        from != number && self.soft.link(from).crowded && u32::from(order.moves) < max_hops && self.may_ask(id, from)
    }

    /// One look at the thresholds.
    pub(crate) fn relieve(&mut self, now: Now) {
        let policy = self.state.policy();
        let available = |to: KitchenNo| {
            self.soft.routing.unfit(to).is_none() && self.state.kitchen(to).load() < policy.available_threshold
        };
        let room = (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)).any(available);
        for from in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            let kitchen = self.state.kitchen(from);
            let load = kitchen.load();
            let link = self.soft.link_mut(from);
            link.hot = if link.hot { load >= policy.calm_threshold } else { load > policy.overload_threshold };
            if !link.hot || !kitchen.alive {
                continue;
            }
            if !policy.migrate {
                self.soft.skip(now, from, "moves for overload are switched off");
            } else if self.is_panicking() {
                self.soft.skip(now, from, PANIC);
            } else if room {
                self.relieve_one(now, from, &policy);
            } else {
                self.soft.skip(now, from, "no kitchen is below the available threshold");
            }
        }
    }

    fn relieve_one(&mut self, now: Now, from: KitchenNo, policy: &protocol::api::PolicyView) {
        let mut moved = 0;
        let waiting: Vec<OrderId> = self.state.kitchen(from).waiting.iter().rev().copied().collect();
        if waiting.is_empty() {
            return self.soft.skip(now, from, "everything in it is being cooked");
        }
        // The newest waits longest if it stays, so it gains most.
        for (behind, id) in waiting.iter().enumerate() {
            if moved == policy.max_migrations_per_cycle {
                return self.soft.skip(now, from, "the limit of this cycle is reached");
            }
            let Some(order) = self.state.order(*id) else { continue };
            let line = order.main_dish().and_then(|dish| self.soft.stealable.get(&dish));
            let since = line.and_then(|line| line.get(id)).copied().unwrap_or(now.mono);
            if now.mono < since + Duration::from_millis(policy.min_stay_ms) {
                self.soft.skip(now, from, "its newest orders have only just come");
            } else if u32::from(order.moves) >= policy.max_hops {
                self.soft.skip(now, from, OFTEN);
            } else if !self.may_ask(*id, from) {
                self.soft.skip(now, from, "moves are in flight, or the kitchen is not heard");
            } else if let Some(to) = self.relief_for(*id, from, policy.available_threshold) {
                let ahead = waiting.len() - behind;
                let there = self.wait_at(to, self.state.kitchen(to).held() as usize + 1);
                if self.wait_at(from, ahead) > there + limits::MOVE_COST_MS {
                    self.ask(now, *id, (from, to), MoveReason::Overload, None);
                    moved += 1;
                } else {
                    return self.soft.skip(now, from, "no target would start it sooner");
                }
            } else {
                return self.soft.skip(now, from, "no kitchen is below the available threshold");
            }
        }
    }

    fn relief_for(&self, id: OrderId, from: KitchenNo, below: f64) -> Option<KitchenNo> {
        let order = self.state.order(id)?;
        let fits = |to: KitchenNo| to != from && self.state.kitchen(to).load() < below;
        let best = self.soft.routing.best_by_scan(&order.items, order.zone, fits)?;
        u32::try_from(best).ok().map(KitchenNo)
    }

    /// Predicted wait in milliseconds of the order that is `place`-th in line at a kitchen: orders ahead that need a
    /// station, times the cooking time, over the stations.
    fn wait_at(&self, number: KitchenNo, place: usize) -> u64 {
        let kitchen = self.state.kitchen(number);
        let stations = u64::from(kitchen.stations.max(1));
        let busy = kitchen.cooking.len() as u64;
        let ahead = (place as u64 + busy.min(stations)).saturating_sub(stations);
        let avg = if kitchen.avg_ms > 0 { u64::from(kitchen.avg_ms) } else { self.soft.routing.scale_ms() };
        ahead * avg / stations
    }

    /// Moves an order to the best fit kitchen, if there is one.
    pub(crate) fn move_anywhere(&mut self, now: Now, id: OrderId, from: KitchenNo, reason: MoveReason) {
        if self.is_panicking() {
            return self.soft.skip(now, from, PANIC);
        }
        if !self.may_ask(id, from) {
            return;
        }
        // Looking at every kitchen for every order would be thousands of looks a tick in a full city.
        if self.soft.routing.open_places() == 0 {
            return self.soft.skip(now, from, "no other kitchen has a free place");
        }
        match self.relief_for(id, from, f64::INFINITY) {
            Some(to) => self.ask(now, id, (from, to), reason, None),
            None => self.soft.skip(now, from, "no other kitchen has a free place"),
        }
    }
}
