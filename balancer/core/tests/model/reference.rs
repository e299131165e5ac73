//! The reference: what each order, key and kitchen is, in the simplest words, and which next step each may take.
//!
//! Shares no code with the core. It follows the events and objects to one that cannot be; and it answers by itself what a
//! request or a report must lead to.

use std::collections::BTreeMap;

use balancer_core::event::{Cause, LossCause};
use balancer_core::{Event, KitchenNo};
use protocol::api::{Proof, Schedulable};
use protocol::link::{LeaseName, places};
use protocol::{FencingToken, OrderId};

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Waits,
    Leased,
    Cooking,
    Completed,
    Cancelled,
    SetAside,
}

impl Phase {
    pub fn held(self) -> bool {
        matches!(self, Self::Leased | Self::Cooking)
    }

    pub fn open(self) -> bool {
        self.held() || self == Self::Waits
    }
}

/// One order.
#[derive(Debug, Clone)]
pub struct Order {
    pub dish: u16,
    pub high: bool,
    pub phase: Phase,
    pub holder: usize,
    pub tokens: Vec<FencingToken>,
    pub stages_done: u8,
    half_strikes: u32,
}

impl Order {
    pub fn newest(&self) -> FencingToken {
        self.tokens.last().copied().unwrap_or_default()
    }
}

/// One kitchen, in the sequence of registration.
#[derive(Debug, Clone)]
pub struct Kitchen {
    /// Which of the bench's.
    pub actor: usize,
    pub alive: bool,
    pub schedulable: Schedulable,
    places: usize,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Reference {
    pub orders: Vec<Order>,
    pub keys: BTreeMap<String, OrderId>,
    pub kitchens: Vec<Kitchen>,
    position: u64,
    epoch: u32,
    counter: u64,
    stale: u64,
}

impl Reference {
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(usize::try_from(id.0).ok()?.checked_sub(1)?)
    }

    pub fn kitchen(&self, actor: usize) -> Option<(usize, &Kitchen)> {
        self.kitchens.iter().enumerate().find(|(_, kitchen)| kitchen.actor == actor)
    }

    /// Orders that this kitchen of the bench holds.
    pub fn held_by(&self, actor: usize) -> Vec<OrderId> {
        let Some((number, _)) = self.kitchen(actor) else { return Vec::new() };
        let ids = (1..).map(OrderId).zip(&self.orders);
        ids.filter(|(_, order)| order.phase.held() && order.holder == number).map(|(id, _)| id).collect()
    }

    /// Whether this lease is the newest of its order and this kitchen holds it.
    pub fn is_current(&self, actor: usize, lease: LeaseName) -> bool {
        let holder = self.kitchen(actor).map(|(number, _)| number);
        self.order(lease.order)
            .is_some_and(|order| order.phase.held() && Some(order.holder) == holder && order.newest() == lease.token)
    }

    /// Whether the order was completed under this very lease, by this kitchen.
    pub fn is_settled(&self, actor: usize, lease: LeaseName) -> bool {
        let holder = self.kitchen(actor).map(|(number, _)| number);
        self.order(lease.order).is_some_and(|order| {
            order.phase == Phase::Completed && Some(order.holder) == holder && order.newest() == lease.token
        })
    }

    fn count(&self, what: impl Fn(Phase) -> bool) -> u64 {
        self.orders.iter().filter(|order| what(order.phase)).count() as u64
    }

    /// What the proof must say.
    pub fn proof(&self) -> Proof {
        Proof {
            position: protocol::Position(self.position),
            epoch: protocol::Epoch(self.epoch),
            accepted: self.orders.len() as u64,
            open: self.count(Phase::open),
            completed: self.count(|phase| phase == Phase::Completed),
            cancelled: self.count(|phase| phase == Phase::Cancelled),
            dead_lettered: self.count(|phase| phase == Phase::SetAside),
            lost: 0,
            twice: 0,
            stale_refused: self.stale,
        }
    }

    /// An order that has had three strikes does not wait for a fourth.
    pub fn nothing_is_overdue(&self) -> Result<(), String> {
        let overdue = |order: &&Order| order.phase.open() && order.half_strikes / 2 >= 3;
        self.orders.iter().find(overdue).map_or(Ok(()), |order| Err(format!("not set aside: {order:?}")))
    }

    /// Follows an event, or says why it cannot be.
    pub fn follow(&mut self, event: &Event) -> Result<(), String> {
        self.position += 1;
        match event {
            Event::EpochStarted { epoch } => {
                same("epoch", self.epoch + 1, epoch.0)?;
                self.epoch = epoch.0;
            }
            Event::Accepted(accepted) => {
                same("order", self.orders.len() as u64 + 1, accepted.order.0)?;
                if let Some(key) = &accepted.key
                    && let Some(first) = self.keys.insert(key.to_string(), accepted.order)
                {
                    return Err(format!("key {key} is {first} and {}", accepted.order));
                }
                self.orders.push(Order {
                    dish: accepted.items[0].dish.0,
                    high: accepted.priority == protocol::Priority::High,
                    phase: Phase::Waits,
                    holder: usize::MAX,
                    tokens: Vec::new(),
                    stages_done: 0,
                    half_strikes: 0,
                });
            }
            Event::Leased { order, kitchen, token, cause } => self.leased(*order, kitchen.index(), *token, *cause)?,
            Event::Started { order, token, .. } => {
                let order = self.named(*order, *token)?;
                same("phase", Phase::Leased, order.phase)?;
                order.phase = Phase::Cooking;
            }
            Event::StageDone { order, token, stage } => {
                let order = self.named(*order, *token)?;
                if *stage < order.stages_done {
                    return Err(format!("stage {stage} again: {order:?}"));
                }
                order.stages_done = stage + 1;
            }
            Event::Completed { order, token, .. } => self.named(*order, *token)?.phase = Phase::Completed,
            Event::AttemptFailed { order, token, .. } => self.attempt_over(*order, *token, true)?,
            Event::LeaseLost { order, token, cause } => {
                let death =
                    matches!(cause, LossCause::AgentRestarted | LossCause::KitchenSilent | LossCause::ProcessExited);
                let let_go = matches!(
                    cause,
                    LossCause::AgentLeft
                        | LossCause::Returned
                        | LossCause::Declined
                        | LossCause::DrainDeadline
                        | LossCause::KitchenStuck
                );
                if let_go {
                    self.named(*order, *token)?.phase = Phase::Waits; // no strike: it is not to blame
                } else {
                    self.attempt_over(*order, *token, false)?;
                }
                let at_once = self.known(*order)?;
                at_once.half_strikes += u32::from(death && at_once.phase == Phase::Leased);
                at_once.phase = Phase::Waits;
            }
            Event::Cancelled { order, .. } => self.end(*order, Phase::Cancelled)?,
            Event::DeadLettered { order, .. } => {
                if self.known(*order)?.half_strikes / 2 < 3 {
                    return Err(format!("{order} is set aside too early"));
                }
                self.end(*order, Phase::SetAside)?;
            }
            Event::Requeued { order, .. } => {
                let order = self.known(*order)?;
                same("phase", Phase::SetAside, order.phase)?;
                (order.phase, order.half_strikes) = (Phase::Waits, 0);
            }
            Event::StaleRefused { order, kitchen, token } => {
                let order = self.order(*order).ok_or("a stale result of no order")?;
                if order.phase.held() && order.newest() == *token && order.holder == kitchen.index() {
                    return Err(format!("a current result is refused: {order:?}"));
                }
                self.stale += 1;
            }
            Event::KitchenRegistered(one) => {
                let actor = one.id.as_str()[1..].parse().map_err(|_| "an id of ours")?;
                let places = places(one.capacity, one.stations) as usize;
                match self.kitchens.get_mut(one.kitchen.index()) {
                    Some(known) => {
                        same("kitchen", known.actor, actor)?;
                        (known.alive, known.places) = (true, places);
                        if known.schedulable == Schedulable::Retired {
                            known.schedulable = Schedulable::Open;
                        }
                    }
                    None => {
                        same("number", self.kitchens.len(), one.kitchen.index())?;
                        self.kitchens.push(Kitchen { actor, alive: true, schedulable: Schedulable::Open, places });
                    }
                }
            }
            Event::KitchenLost { kitchen, cause, .. } => {
                let kitchen = self.kitchen_mut(*kitchen)?;
                kitchen.alive = false;
                if *cause == LossCause::AgentLeft && kitchen.schedulable == Schedulable::Open {
                    kitchen.schedulable = Schedulable::Retired;
                }
            }
            Event::KitchenReturned { kitchen } => {
                let kitchen = self.kitchen_mut(*kitchen)?;
                same("alive", false, kitchen.alive)?;
                kitchen.alive = true;
            }
            Event::KitchenScheduling { kitchen, schedulable, .. } => {
                self.kitchen_mut(*kitchen)?.schedulable = *schedulable;
            }
            Event::DrainStarted { kitchen, .. } => self.kitchen_mut(*kitchen)?.schedulable = Schedulable::Draining,
            Event::Drained { kitchen } => {
                let held = self.held_in(kitchen.index());
                let kitchen = self.kitchen_mut(*kitchen)?;
                same("drained from", Schedulable::Draining, kitchen.schedulable)?;
                same("orders in a drained kitchen", 0, held)?;
                kitchen.schedulable = Schedulable::Cordoned;
            }
            Event::MoveFailed { order, .. } | Event::MoveOrdered { order, .. } => {
                self.known(*order)?;
            }
            Event::HandedOver { order, token, .. } => {
                self.named(*order, *token)?;
            }
            Event::CityChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::KeyWindowSet { .. }
            | Event::PolicySet { .. }
            | Event::RushStarted { .. }
            | Event::RushEnded { .. } => {}
        }
        Ok(())
    }

    fn leased(&mut self, id: OrderId, kitchen: usize, token: FencingToken, cause: Cause) -> Result<(), String> {
        same("the epoch of a token", self.epoch, token.epoch.0)?;
        if token.counter <= self.counter {
            return Err(format!("token {token} after {}", self.counter));
        }
        self.counter = token.counter;
        let held = self.held_in(kitchen);
        let target = self.kitchens.get(kitchen).ok_or("leased to no kitchen")?;
        if !target.alive || target.schedulable != Schedulable::Open || held >= target.places {
            return Err(format!("{id} is leased to {target:?}, which holds {held}"));
        }
        let order = self.known(id)?;
        match cause {
            Cause::Dispatch | Cause::Recover { .. } | Cause::Retry | Cause::Release => {
                same("phase", Phase::Waits, order.phase)?;
            }
            // Who gives an order back is believed, also if it had said that it began.
            Cause::Reassign { from, .. } => {
                same("held", true, order.phase.held())?;
                same("source", order.holder, from.index())?;
            }
            Cause::Handover { from, .. } => {
                same("phase", Phase::Cooking, order.phase)?;
                same("source", order.holder, from.index())?;
            }
        }
        (order.phase, order.holder) = (Phase::Leased, kitchen);
        order.tokens.push(token);
        Ok(())
    }

    fn attempt_over(&mut self, id: OrderId, token: FencingToken, failed: bool) -> Result<(), String> {
        let order = self.named(id, token)?;
        if failed || order.phase == Phase::Cooking {
            order.half_strikes += 2;
            order.phase = Phase::Waits;
        }
        Ok(())
    }

    fn end(&mut self, id: OrderId, how: Phase) -> Result<(), String> {
        let order = self.known(id)?;
        if !order.phase.open() {
            return Err(format!("{id} becomes {how:?} from {:?}", order.phase));
        }
        order.phase = how;
        Ok(())
    }

    fn held_in(&self, kitchen: usize) -> usize {
        self.orders.iter().filter(|order| order.phase.held() && order.holder == kitchen).count()
    }

    fn known(&mut self, id: OrderId) -> Result<&mut Order, String> {
        let index = usize::try_from(id.0).ok().and_then(|id| id.checked_sub(1));
        index.and_then(|index| self.orders.get_mut(index)).ok_or_else(|| format!("{id} is unknown"))
    }

    /// The order, if this is its newest lease and it is held.
    fn named(&mut self, id: OrderId, token: FencingToken) -> Result<&mut Order, String> {
        let order = self.known(id)?;
        if order.phase.held() && order.newest() == token { Ok(order) } else { Err(format!("under {token}: {order:?}")) }
    }

    fn kitchen_mut(&mut self, number: KitchenNo) -> Result<&mut Kitchen, String> {
        self.kitchens.get_mut(number.index()).ok_or_else(|| format!("kitchen {number:?} is unknown"))
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, found: T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}
