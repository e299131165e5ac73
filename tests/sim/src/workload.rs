//! The clients: a Poisson stream of orders, retries with the same key, and a few that use a key for another order.
//!
//! Their requests and replies travel over a network of their own that delays, loses, repeats and reorders.

use balancer_core::input::NewOrder;
use balancer_core::{Input, Reply};
use protocol::city::{DishNo, ZoneNo};
use protocol::{Item, Priority};

use crate::balancer::Waits;
use crate::kitchens::KILLER;
use crate::queue::{MS, SECOND, Time, What};
use crate::world::World;

/// In the safety phase a client tries so often.
const ATTEMPTS_MAX: u32 = 12;

/// One client with one order in mind.
#[derive(Debug)]
pub struct Client {
    /// What it asks for.
    pub order: NewOrder,
    /// How often it has sent.
    pub attempts: u32,
    /// It has an answer that it takes as the last word.
    pub answered: bool,
    /// How long it waits.
    patience: Time,
}

impl World {
    /// The next client comes.
    pub fn new_client(&mut self) {
        if self.calm || self.clients.len() >= self.params.clients_max {
            return;
        }
        let gap = self.work.exponential(1e6 / self.params.rate) as Time;
        self.queue.at(self.now + gap, What::NewClient);
        let order = self.draw_order();
        let patience = self.work.between(300 * MS, 3 * SECOND);
        self.clients.push(Client { order, attempts: 0, answered: false, patience });
        self.send(self.clients.len() - 1);
    }

    pub(crate) fn draw_order(&mut self) -> NewOrder {
        let (dishes, zones) = (self.params.city.menu.dishes.len(), self.params.city.zones.len());
        let number = self.clients.len();
        let items = (0..1 + self.work.below(2)).map(|_| Item {
            dish: DishNo(self.work.below(dishes) as u16),
            quantity: 1 + u16::from(self.work.chance(0.2)),
        });
        let items = items.collect();
        let zone = ZoneNo(self.work.below(zones) as u16);
        let key = if number > 0 && self.work.chance(self.params.conflicts) {
            let other = self.work.below(number);
            self.clients[other].order.key.clone()
        } else {
            self.work.chance(0.85).then(|| format!("key-{number}").into_boxed_str())
        };
        let priority = if self.work.chance(self.params.urgent) { Priority::High } else { Priority::Normal };
        let who = if self.work.chance(self.params.killers) { KILLER } else { "c" };
        let customer = Some(format!("{who}{number}").into_boxed_str());
        NewOrder { items, zone, customer, priority, key }
    }

    /// The client sends its request, and waits.
    pub fn send(&mut self, client: usize) {
        let one = &mut self.clients[client];
        if one.answered {
            return;
        }
        one.attempts += 1;
        let (attempt, patience) = (one.attempts, one.patience);
        self.queue.at(self.now + patience, What::Impatient { client, attempt });
        let loss = if self.calm { 0.0 } else { self.params.loss };
        let copies = 1 + u32::from(!self.calm && self.net.chance(self.params.twice));
        for _ in 0..copies {
            // A request without a key that comes twice is two orders: only what may be repeated is.
            if !self.net.chance(loss) && (self.clients[client].order.key.is_some() || attempt == 1) {
                let delay = self.client_delay();
                self.queue.at(self.now + delay, What::Request { client });
            }
            if self.clients[client].order.key.is_none() {
                return;
            }
        }
    }

    fn client_delay(&mut self) -> Time {
        let (low, high) = self.params.delay;
        let late = if !self.calm && self.net.chance(self.params.loss) { 3 * SECOND } else { 0 };
        self.net.between(low, high + late)
    }

    /// A request reaches the balancer.
    pub fn request(&mut self, client: usize) {
        if self.balancer.core.is_none() {
            return;
        }
        if self.balancer.paused {
            return self.parked.push(client);
        }
        let order = self.clients[client].order.clone();
        self.ask(Waits::Client(client), |request| Input::Submit { request, order });
    }

    /// A reply leaves the balancer.
    pub fn answer(&mut self, client: usize, reply: Reply) {
        self.checker.answered(self.now, &self.clients[client].order, &reply);
        let loss = if self.calm { 0.0 } else { self.params.loss };
        if self.net.chance(loss) {
            return;
        }
        let delay = self.client_delay();
        self.queue.at(self.now + delay, What::Answer { client, reply: Box::new(reply) });
    }

    /// A reply reaches its client.
    pub fn answered(&mut self, client: usize, reply: &Reply) {
        match reply {
            Reply::Placed(_) | Reply::Replayed(_) => self.clients[client].answered = true,
            Reply::Refused(balancer_core::Refused::IdempotencyConflict { .. }) => {
                self.stats.conflicts += u64::from(!self.clients[client].answered);
                self.clients[client].answered = true;
            }
            Reply::Refused(_) | Reply::Done(_) => {}
        }
    }

    /// The client has waited long enough: once more with the same key, or it gives up.
    pub fn impatient(&mut self, client: usize, attempt: u32) {
        let one = &mut self.clients[client];
        if one.answered || one.attempts != attempt {
            return;
        }
        if one.order.key.is_none() || (attempt >= ATTEMPTS_MAX && !self.calm) {
            one.answered = true;
            return;
        }
        self.stats.retries += 1;
        let wait = self.work.between(10 * MS, 500 * MS);
        self.queue.at(self.now + wait, What::Send { client });
    }
}
