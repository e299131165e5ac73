//! The fleet: kitchens come, go and are cordoned. Never decides about a single order.

use std::time::Duration;

use protocol::api::Schedulable;
use protocol::city::{CAPACITY_MAX, City, DishNo, NAME_MAX, ZoneNo};
use protocol::link::{self, BalancerMessage, Hello, Refusal, Timing, Welcome};
use protocol::{Epoch, KitchenId, OrderId, text};

use crate::dispatcher::Core;
use crate::effect::{Effect, Refused, Reply};
use crate::event::{Event, KitchenNo, LossCause, Registered};
use crate::grey::Trouble;
use crate::input::{ConnectionId, Now, Operator, RequestId};
use crate::limits;
use crate::routing::{DishSet, Facts, Unfit};

impl Core {
    pub(crate) fn join(&mut self, now: Now, connection: ConnectionId, hello: Hello) {
        match self.admit_kitchen(now, &hello) {
            Ok((zone, specialties)) => self.let_in(now, connection, hello, zone, specialties),
            Err(refusal) => {
                let tell = if self.is_disk_stalled() { Effect::TellNow } else { Effect::Tell };
                self.effects.push(tell(connection, BalancerMessage::Refused(refusal)));
                self.effects.push(Effect::Close(connection));
            }
        }
    }

    fn admit_kitchen(&self, now: Now, hello: &Hello) -> Result<(ZoneNo, Vec<DishNo>), Refusal> {
        if !self.soft.leads {
            return Err(Refusal::NotLeader);
        }
        let found = self.check_hello(hello).map_err(Refusal::Hello)?;
        if self.is_disk_stalled() && !self.is_known_alive(hello) {
            // Taking it in would be an event, and the agents that are here must be able to come back all the same.
            return Err(Refusal::NotLeader);
        }
        let Some(number) = self.state.find_kitchen(&hello.kitchen) else {
            let full = is_full(self.soft.links.iter().map(|link| link.lost_for(now.mono)));
            return if full { Err(Refusal::Full(limits::KITCHENS_MAX as u32)) } else { Ok(found) };
        };
        let link = self.soft.link(number);
        let heard = link.heard.is_some_and(|heard| now.mono < heard + self.lease_time());
        if link.connection.is_some() && heard && self.state.kitchen(number).session != hello.session {
            return Err(Refusal::Alive { kitchen: hello.kitchen.clone(), pid: link.pid });
        }
        Ok(found)
    }

    /// The same process as before, and not lost: letting it in decides nothing.
    fn is_known_alive(&self, hello: &Hello) -> bool {
        let known = self.state.find_kitchen(&hello.kitchen).map(|number| self.state.kitchen(number));
        known.is_some_and(|kitchen| kitchen.alive && kitchen.session == hello.session)
    }

    fn check_hello(&self, hello: &Hello) -> Result<(ZoneNo, Vec<DishNo>), String> {
        let city = &self.state.city;
        let shown = |name: &str| text::clean(name, 40);
        text::check(&hello.name, NAME_MAX).map_err(|why| format!("KITCHEN_NAME {why}"))?;
        if !(1..=CAPACITY_MAX).contains(&hello.capacity) {
            return Err(format!("KITCHEN_CAPACITY {} is not in 1 to {CAPACITY_MAX}", hello.capacity));
        }
        if !(1..=hello.capacity).contains(&hello.stations) {
            return Err(format!("KITCHEN_STATIONS {} is not in 1 to the capacity {}", hello.stations, hello.capacity));
        }
        if hello.speed_milli == 0 || hello.stage_timeout_ms == Some(0) {
            return Err("SPEED and --stage-timeout cannot be 0: nothing would ever be cooked".into());
        }
        let zone =
            city.zones.iter().position(|zone| zone.name == hello.zone).and_then(|index| u16::try_from(index).ok());
        let zone = zone.ok_or_else(|| {
            let known: Vec<&str> = city.zones.iter().take(20).map(|zone| zone.name.as_str()).collect();
            format!("KITCHEN_LOCATION `{}` is not a zone of this city: {}", shown(&hello.zone), known.join(", "))
        })?;
        let mut specialties = Vec::new();
        for name in &hello.specialties {
            let dish = city.menu.find(name).ok_or_else(|| {
                let known: Vec<&str> = city.menu.dishes.iter().take(20).map(|dish| dish.name.as_str()).collect();
                format!("KITCHEN_SPECIALTIES `{}` is not on the menu: {}", shown(name), known.join(", "))
            })?;
            specialties.push(dish);
        }
        specialties.sort_unstable();
        specialties.dedup();
        Ok((ZoneNo(zone), specialties))
    }

    fn let_in(&mut self, now: Now, connection: ConnectionId, hello: Hello, zone: ZoneNo, specialties: Vec<DishNo>) {
        let known = self.state.find_kitchen(&hello.kitchen);
        let number = known.unwrap_or(KitchenNo(self.state.kitchens.len() as u32));
        let same_process = known.is_some_and(|number| self.state.kitchen(number).session == hello.session);
        let was_alive = known.is_some_and(|number| self.state.kitchen(number).alive);
        if let Some(old) = known.and_then(|number| self.soft.link(number).connection) {
            self.soft.connections.remove(&old);
            self.effects.push(Effect::Close(old));
        }
        if known.is_some() && !same_process {
            self.lose_all(now, number, LossCause::AgentRestarted);
            if was_alive {
                self.remember_loss(now, number, LossCause::AgentRestarted);
            }
        }
        if same_process {
            self.returned(now, number);
        } else {
            let Hello { kitchen: id, name, capacity, stations, session, .. } = hello;
            let registered = Registered { kitchen: number, id, name, zone, capacity, stations, specialties, session };
            self.emit(now, Event::KitchenRegistered(Box::new(registered)));
            self.came_back(now, number);
        }
        let judged_from = now.mono + self.lease_time();
        let link = self.soft.link_mut(number);
        link.connection = Some(connection);
        link.heard = Some(now.mono);
        link.pid = hello.pid;
        (link.speed_milli, link.stage_timeout_ms) = (hello.speed_milli, hello.stage_timeout_ms);
        link.judged_from = judged_from;
        link.unstarted_since = None;
        link.suspected = false;
        link.closing = false;
        link.empty = false;
        // 0 is the hello of this connection: an older heartbeat would make every lease late on arrival.
        link.seq = 0;
        self.soft.connections.insert(connection, number);
        self.refresh(number);
        let welcome = Welcome { epoch: self.state.epoch, timing: self.soft.timing, city: self.state.city.clone() };
        let welcome = BalancerMessage::Welcome(Box::new(welcome));
        // While the disk stalls only a process that was here all the time is let in, by no event: its leases must go on.
        let tell = if self.is_disk_stalled() { Effect::TellNow } else { Effect::Tell };
        self.effects.push(tell(connection, welcome));
        // What was on the wire when the old connection broke; the agent ignores what it has already.
        let waiting: Vec<OrderId> = self.state.kitchen(number).waiting.iter().copied().collect();
        for order in waiting {
            // Told anew, so its time begins anew: the agent counts it from this connection's hello.
            let counter = self.state.order(order).map_or(0, |order| order.token.counter);
            self.soft.leases.renew(now.mono, order, counter);
            self.tell_cook(now, order, number);
        }
    }

    pub(crate) fn left(&mut self, connection: ConnectionId) {
        let Some(number) = self.soft.connections.remove(&connection) else { return };
        let link = self.soft.link_mut(number);
        if link.connection == Some(connection) {
            link.connection = None;
            link.suspected = true;
            self.refresh(number);
        }
    }

    /// The agent ends on purpose.
    pub(crate) fn goodbye(&mut self, now: Now, number: KitchenNo) {
        self.lose_all(now, number, LossCause::AgentLeft);
        let (kitchen, cause) = (number, LossCause::AgentLeft);
        self.emit(now, Event::KitchenLost { kitchen, cause, silent_ms: 0 });
    }

    /// Whether that process of the kitchen has an open connection here.
    #[must_use]
    pub fn is_connected(&self, id: &KitchenId, pid: u32) -> bool {
        let link = self.state.find_kitchen(id).map(|number| self.soft.link(number));
        link.is_some_and(|link| link.pid == pid && link.connection.is_some())
    }

    /// Its process was seen to end.
    pub(crate) fn gone(&mut self, now: Now, request: RequestId, id: &KitchenId, pid: u32) {
        let Some(number) = self.state.find_kitchen(id) else {
            return self.refuse(request, Refused::NoSuchKitchen(id.clone()));
        };
        let link = self.soft.link(number);
        // 0 is no process: a new leader knows of none until it is told.
        if pid == 0 || link.pid != pid || !self.state.kitchen(number).alive {
            return self.refuse(request, Refused::NotThatProcess { kitchen: id.clone(), pid });
        }
        let silent = link.heard.map_or(Duration::ZERO, |heard| now.mono.saturating_sub(heard));
        let silent_ms = u32::try_from(silent.as_millis()).unwrap_or(u32::MAX);
        let (kitchen, cause) = (number, LossCause::ProcessExited);
        // Whatever its connection still carries was said by the dead.
        if let Some(connection) = self.soft.link_mut(number).connection.take() {
            self.soft.connections.remove(&connection);
            self.effects.push(Effect::Close(connection));
        }
        self.soft.link_mut(number).suspected = true;
        self.emit(now, Event::KitchenLost { kitchen, cause, silent_ms });
        self.lose_all(now, number, cause);
        self.reply(request, Reply::Done(format!("{id} is dead: its orders go elsewhere")));
    }

    /// Heard again after it was lost.
    pub(crate) fn returned(&mut self, now: Now, number: KitchenNo) {
        if !self.state.kitchen(number).alive {
            self.emit(now, Event::KitchenReturned { kitchen: number });
            self.came_back(now, number);
        }
    }

    /// Every lease of the kitchen is over.
    pub(crate) fn lose_all(&mut self, now: Now, number: KitchenNo, cause: LossCause) {
        let kitchen = self.state.kitchen(number);
        let held: Vec<OrderId> = kitchen.cooking.iter().chain(&kitchen.waiting).copied().collect();
        held.into_iter().for_each(|order| self.lose(now, order, cause));
    }

    pub(crate) fn cordon(&mut self, now: Now, request: RequestId, id: &KitchenId, by: Operator) {
        self.reschedule(now, request, id, Schedulable::Cordoned, by);
    }

    pub(crate) fn uncordon(&mut self, now: Now, request: RequestId, id: &KitchenId, by: Operator) {
        self.reschedule(now, request, id, Schedulable::Open, by);
    }

    fn reschedule(&mut self, now: Now, request: RequestId, id: &KitchenId, to: Schedulable, by: Operator) {
        let Some(number) = self.state.find_kitchen(id) else {
            return self.refuse(request, Refused::NoSuchKitchen(id.clone()));
        };
        if self.state.kitchen(number).schedulable == to {
            return self.refuse(request, Refused::NothingToChange { kitchen: id.clone(), state: to.word() });
        }
        self.soft.link_mut(number).drain_until = None;
        self.emit(now, Event::KitchenScheduling { kitchen: number, schedulable: to, by });
        self.reply(request, Reply::Done(format!("{id} is {}", to.word())));
    }

    /// Free places: what it may hold, less what it holds and what is promised to orders on their way.
    pub(crate) fn free(&self, number: KitchenNo) -> u32 {
        let kitchen = self.state.kitchen(number);
        let Some(link) = self.soft.links.get(number.index()) else { return 0 };
        let free = self.allowed(number).saturating_sub(kitchen.held() + link.reserved);
        if link.pace.is_open() { free.min(1_u32.saturating_sub(link.reserved)) } else { free }
    }

    /// Brings routing up to date after anything about the kitchen changed.
    pub(crate) fn refresh(&mut self, number: KitchenNo) {
        let (kitchen, link) = (self.state.kitchen(number), self.soft.link(number));
        // A kitchen that is slow, keeps falling or often fails is better than none.
        let cautious = self.others_are_sound(number);
        let unfit = match kitchen.schedulable {
            _ if !kitchen.alive => Some(Unfit::Dead),
            Schedulable::Cordoned | Schedulable::Retired => Some(Unfit::Cordoned),
            Schedulable::Draining => Some(Unfit::Draining),
            Schedulable::Open if link.closing => Some(Unfit::Draining),
            Schedulable::Open if link.suspected || link.connection.is_none() => Some(Unfit::Suspected),
            Schedulable::Open if cautious && link.steadiness.is_held() => Some(Unfit::HeldDown),
            Schedulable::Open if link.pace.is_probing() => None,
            // One that cooks nothing is no better than none.
            Schedulable::Open => match link.pace.trouble() {
                Some(Trouble::Stuck) => Some(Unfit::Stuck),
                Some(Trouble::Failing) if cautious => Some(Unfit::Ejected),
                Some(Trouble::Slow) if cautious => Some(Unfit::Slow),
                Some(Trouble::Failing | Trouble::Slow) | None => None,
            },
        };
        let facts = Facts {
            unfit,
            zone: kitchen.zone,
            specialties: kitchen.specialties.iter().copied().collect::<DishSet>(),
            capacity: kitchen.capacity,
            free: self.free(number),
            avg_ms: kitchen.avg_ms,
        };
        self.soft.routing.set(number, facts);
        self.load_changed(number);
    }

    /// Brings routing up to date after an order came or went.
    pub(crate) fn load_changed(&mut self, number: KitchenNo) {
        let kitchen = self.state.kitchen(number);
        let crowded = !kitchen.waiting.is_empty() && kitchen.cooking.len() >= kitchen.stations as usize;
        let avg_ms = kitchen.avg_ms;
        self.soft.routing.set_free(number, self.free(number), avg_ms);
        let link = self.soft.link_mut(number);
        if link.crowded != crowded {
            link.crowded = crowded;
            self.soft.crowded = if crowded { self.soft.crowded + 1 } else { self.soft.crowded - 1 };
        }
    }
}

/// Whether the city has its limit of kitchens, given for how long each has been dead. Who has been lost for long does not
/// count: numbers are never reused, and names that come and go must not close the city.
fn is_full(lost_for: impl ExactSizeIterator<Item = Option<Duration>>) -> bool {
    let kept = lost_for.len();
    if kept < limits::KITCHENS_MAX {
        return false;
    }
    let forgotten = lost_for.flatten().filter(|lost| *lost >= limits::FORGOTTEN_AFTER).count();
    kept - forgotten >= limits::KITCHENS_MAX || kept >= limits::KITCHENS_KEPT
}

/// Whether an agent can be welcomed to this city: the map and the menu reach it in one frame. What a ledger has numbered
/// stays in it, so two files that each fit may not fit together.
pub(crate) fn fits_a_frame(city: &City) -> Result<(), String> {
    let welcome = Welcome { epoch: Epoch(u32::MAX), timing: Timing::DEFAULT, city: city.clone() };
    let bytes = link::encode(&[BalancerMessage::Welcome(Box::new(welcome))]).len();
    if bytes <= link::FRAME_MAX {
        return Ok(());
    }
    let (zones, dishes) = (city.zones.len(), city.menu.dishes.len());
    Err(format!(
        "with what the ledger has numbered it would be {zones} zones and {dishes} dishes in {bytes} bytes, at most {}: use \
         the names that are known, or begin a new ledger",
        link::FRAME_MAX
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city(dead: usize, lost_for: Duration, alive: usize) -> bool {
        let kitchens = vec![Some(lost_for); dead].into_iter().chain(vec![None; alive]);
        is_full(kitchens.collect::<Vec<_>>().into_iter())
    }

    #[test]
    fn kitchens_that_never_came_back_do_not_fill_the_city_but_there_is_a_bound() {
        let (most, kept) = (limits::KITCHENS_MAX, limits::KITCHENS_KEPT);
        let (recently, long_ago) = (Duration::from_secs(60), limits::FORGOTTEN_AFTER);
        assert!(!city(0, recently, most - 1));
        assert!(city(0, recently, most));
        assert!(city(most - 10, recently, 10), "they may come back");
        assert!(!city(most - 10, long_ago, 10));
        assert!(city(10, long_ago, most));
        assert!(!city(kept - 100, long_ago, 99));
        assert!(city(kept - 100, long_ago, 100), "the ledger's own bound");
    }
}
