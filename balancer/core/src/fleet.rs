//! The fleet: kitchens come, go, are cordoned and drained. Never decides about a single order.

use std::time::Duration;

use protocol::api::Schedulable;
use protocol::city::{CAPACITY_MAX, DishNo, NAME_MAX, ZoneNo};
use protocol::link::{BalancerMessage, Hello, LeaseName, Refusal, Welcome, places};
use protocol::{KitchenId, OrderId, text};

use crate::dispatcher::Core;
use crate::effect::{Effect, Refused, Reply};
use crate::event::{Event, KitchenNo, LossCause, MoveReason, Registered};
use crate::input::{ConnectionId, Now, Operator, RequestId};
use crate::limits;
use crate::routing::{DishSet, Facts, Unfit};

impl Core {
    pub(crate) fn join(&mut self, now: Now, connection: ConnectionId, hello: Hello) {
        match self.admit_kitchen(now, &hello) {
            Ok((zone, specialties)) => self.let_in(now, connection, hello, zone, specialties),
            Err(refusal) => {
                self.effects.push(Effect::Tell(connection, BalancerMessage::Refused(refusal)));
                self.effects.push(Effect::Close(connection));
            }
        }
    }

    fn admit_kitchen(&self, now: Now, hello: &Hello) -> Result<(ZoneNo, Vec<DishNo>), Refusal> {
        if !self.soft.leads {
            return Err(Refusal::NotLeader);
        }
        let found = self.check_hello(hello).map_err(Refusal::Hello)?;
        let Some(number) = self.state.find_kitchen(&hello.kitchen) else {
            let full = self.state.kitchens.len() >= limits::KITCHENS_MAX;
            return if full { Err(Refusal::Full(limits::KITCHENS_MAX as u32)) } else { Ok(found) };
        };
        let link = self.soft.link(number);
        let lease = Duration::from_millis(u64::from(self.soft.timing.lease_ms));
        let heard = link.heard.is_some_and(|heard| now.mono < heard + lease);
        if link.connection.is_some() && heard && self.state.kitchen(number).session != hello.session {
            return Err(Refusal::Alive { kitchen: hello.kitchen.clone(), pid: link.pid });
        }
        Ok(found)
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
        if let Some(old) = known.and_then(|number| self.soft.link(number).connection) {
            self.soft.connections.remove(&old);
            self.effects.push(Effect::Close(old));
        }
        if known.is_some() && !same_process {
            self.lose_all(now, number, LossCause::AgentRestarted);
        }
        if same_process {
            self.returned(now, number);
        } else {
            let Hello { kitchen: id, name, capacity, stations, session, .. } = hello;
            let registered = Registered { kitchen: number, id, name, zone, capacity, stations, specialties, session };
            self.emit(now, Event::KitchenRegistered(Box::new(registered)));
        }
        let link = self.soft.link_mut(number);
        link.connection = Some(connection);
        link.heard = Some(now.mono);
        link.pid = hello.pid;
        link.suspected = false;
        link.closing = false;
        link.empty = false;
        // 0 is the hello of this connection: an older heartbeat would make every lease late on arrival.
        link.seq = 0;
        self.soft.connections.insert(connection, number);
        self.refresh(number);
        let welcome = Welcome { epoch: self.state.epoch, timing: self.soft.timing, city: self.state.city.clone() };
        self.effects.push(Effect::Tell(connection, BalancerMessage::Welcome(Box::new(welcome))));
        // What was on the wire when the old connection broke; the agent ignores what it has already.
        let waiting: Vec<OrderId> = self.state.kitchen(number).waiting.iter().copied().collect();
        for order in waiting {
            // Told anew, so its time begins anew: the agent counts it from this connection's hello.
            let counter = self.state.order(order).map_or(0, |order| order.token.counter);
            self.soft.leases.renew(now.mono, order, counter);
            self.tell_cook(order, number);
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

    /// Its process was seen to end.
    pub(crate) fn gone(&mut self, now: Now, request: RequestId, id: &KitchenId, pid: u32) {
        let Some(number) = self.state.find_kitchen(id) else {
            return self.refuse(request, Refused::NoSuchKitchen(id.clone()));
        };
        let link = self.soft.link(number);
        if link.pid != pid || !self.state.kitchen(number).alive {
            return self.refuse(request, Refused::NotThatProcess { kitchen: id.clone(), pid });
        }
        let silent = link.heard.map_or(Duration::ZERO, |heard| now.mono.saturating_sub(heard));
        let silent_ms = u32::try_from(silent.as_millis()).unwrap_or(u32::MAX);
        let (kitchen, cause) = (number, LossCause::ProcessExited);
        self.emit(now, Event::KitchenLost { kitchen, cause, silent_ms });
        self.lose_all(now, number, cause);
        self.reply(request, Reply::Done(format!("{id} is dead: its orders go elsewhere")));
    }

    /// Heard again after it was lost.
    pub(crate) fn returned(&mut self, now: Now, number: KitchenNo) {
        if !self.state.kitchen(number).alive {
            self.emit(now, Event::KitchenReturned { kitchen: number });
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

    pub(crate) fn drain(
        &mut self,
        now: Now,
        request: RequestId,
        id: &KitchenId,
        deadline: Option<Duration>,
        force: bool,
        by: Operator,
    ) {
        let Some(number) = self.state.find_kitchen(id) else {
            return self.refuse(request, Refused::NoSuchKitchen(id.clone()));
        };
        let kitchen = self.state.kitchen(number);
        if kitchen.schedulable == Schedulable::Draining {
            return self.refuse(request, Refused::NothingToChange { kitchen: id.clone(), state: "draining" });
        }
        let own = if self.soft.routing.unfit(number).is_none() { u64::from(self.free(number)) } else { 0 };
        let (needs, free) = (kitchen.waiting.len() as u64, self.soft.routing.open_places() - own);
        if needs > free && !force {
            return self.refuse(request, Refused::NoRoomToDrain { kitchen: id.clone(), needs, free });
        }
        self.emit(now, Event::KitchenScheduling { kitchen: number, schedulable: Schedulable::Draining, by });
        self.soft.link_mut(number).drain_until = Some(now.mono + deadline.unwrap_or(limits::DRAIN_DEADLINE));
        let (waiting, cooking) = (needs, self.state.kitchen(number).cooking.len());
        self.reply(request, Reply::Done(format!("{id} is draining: {waiting} orders move, {cooking} finish in place")));
        self.drain_step(now);
    }

    /// Moves what waits in draining kitchens, recovers what is left at the deadline, and notices who is empty.
    pub(crate) fn drain_step(&mut self, now: Now) {
        for number in (0..self.state.kitchens.len()).map(|number| KitchenNo(number as u32)) {
            let kitchen = self.state.kitchen(number);
            if kitchen.schedulable != Schedulable::Draining {
                continue;
            }
            let link = self.soft.link(number);
            if kitchen.held() == 0 && (link.empty || !kitchen.alive) {
                self.soft.link_mut(number).drain_until = None;
                self.emit(now, Event::Drained { kitchen: number });
            } else if link.drain_until.is_some_and(|until| now.mono >= until) {
                let held: Vec<OrderId> = kitchen.cooking.iter().chain(&kitchen.waiting).copied().collect();
                for id in held {
                    let token = self.state.order(id).map(|order| order.token).unwrap_or_default();
                    self.lose(now, id, LossCause::DrainDeadline);
                    self.tell(number, BalancerMessage::Stop(LeaseName { order: id, token }));
                }
            } else {
                let waiting: Vec<OrderId> = kitchen.waiting.iter().copied().collect();
                for order in waiting {
                    self.move_anywhere(now, order, number, MoveReason::Drain);
                }
            }
        }
    }

    /// Free places: what it may hold, less what it holds and what is promised to orders on their way.
    pub(crate) fn free(&self, number: KitchenNo) -> u32 {
        let kitchen = self.state.kitchen(number);
        let taken = kitchen.held() + self.soft.links.get(number.index()).map_or(0, |link| link.reserved);
        places(kitchen.capacity, kitchen.stations).saturating_sub(taken)
    }

    /// Brings routing up to date after anything about the kitchen changed.
    pub(crate) fn refresh(&mut self, number: KitchenNo) {
        let (kitchen, link) = (self.state.kitchen(number), self.soft.link(number));
        let unfit = match kitchen.schedulable {
            _ if !kitchen.alive => Some(Unfit::Dead),
            Schedulable::Cordoned | Schedulable::Retired => Some(Unfit::Cordoned),
            Schedulable::Draining => Some(Unfit::Draining),
            Schedulable::Open if link.closing => Some(Unfit::Draining),
            Schedulable::Open if link.suspected || link.connection.is_none() => Some(Unfit::Suspected),
            Schedulable::Open => None,
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
