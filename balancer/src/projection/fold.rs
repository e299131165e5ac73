//! Events into rows: the last state of each order that a batch touches, and a line for each of its events.
//!
//! A fold of its own, beside the core's: it keeps no table of open orders, so its memory is that of one batch. The tests
//! compare the two. Never reads or writes a file.

use std::collections::BTreeMap;

use balancer_core::event::{Accepted, Cause, LossCause, Registered};
use balancer_core::{Event, KitchenNo, Recorded, limits};
use protocol::api::{ActionView, HistoryEvent, HopView, ItemBody, OrderView, Schedulable, StageView};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, FencingToken, Item, KitchenId, OrderId, OrderState, Position, WallTime};

use crate::notable::{self, Named};

/// An order as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderRow {
    /// As `GET /orders/{id}` answers it.
    pub(super) view: OrderView,
    /// The idempotency key.
    pub(super) key: Option<String>,
    /// Where its newest event stands.
    pub(super) last: Position,
    /// Since when the stage in hand is cooked.
    pub(super) stage_since: WallTime,
}

/// A kitchen as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KitchenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) capacity: u32,
    pub(super) stations: u32,
    pub(super) schedulable: Schedulable,
    pub(super) alive: bool,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) lost_leases: u64,
}

/// A batch in the making.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) city: Option<City>,
    pub(super) kitchens: Vec<KitchenRow>,
    /// Ids of the kitchens by number, for texts.
    names: Vec<String>,
    pub(super) orders: BTreeMap<OrderId, OrderRow>,
    pub(super) events: Vec<(OrderId, HistoryEvent)>,
    /// What operators did, oldest first.
    pub(super) actions: Vec<ActionView>,
    of: Of,
}

/// What is wanted of a batch; kitchens and city are always followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Order(OrderId),
    Operators,
}

impl Of {
    fn has(self, order: OrderId) -> bool {
        match self {
            Self::All => true,
            Self::Order(only) => only == order,
            Self::Operators => false,
        }
    }
}

impl Named for Fold {
    fn kitchen(&self, number: KitchenNo) -> String {
        self.names.get(number.index()).cloned().unwrap_or_else(|| "a kitchen".into())
    }

    fn zone(&self, number: ZoneNo) -> Option<&str> {
        let zone = self.city.as_ref().and_then(|city| city.zones.get(usize::from(number.0)));
        zone.map(|zone| zone.name.as_str())
    }
}

impl Fold {
    /// A batch that begins with what the tables say.
    pub(super) fn new(city: Option<City>, kitchens: Vec<KitchenRow>) -> Self {
        let names = kitchens.iter().map(|kitchen| kitchen.id.clone()).collect();
        let (orders, events, actions) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { city, kitchens, names, orders, events, actions, of: Of::All }
    }

    /// The same for one order.
    pub(super) fn of(order: OrderId, city: Option<City>, kitchens: Vec<KitchenRow>) -> Self {
        Self { of: Of::Order(order), ..Self::new(city, kitchens) }
    }

    /// The same for what operators did, and no order.
    pub(super) fn of_operators(city: Option<City>, kitchens: Vec<KitchenRow>) -> Self {
        Self { of: Of::Operators, ..Self::new(city, kitchens) }
    }

    /// Folds a row; `load` gives an order from the tables that no event of this batch has touched yet.
    pub(super) fn row<E>(
        &mut self,
        first: Position,
        epoch: Epoch,
        events: &[Recorded],
        mut load: impl FnMut(OrderId) -> Result<Option<OrderRow>, E>,
    ) -> Result<(), E> {
        for (recorded, position) in events.iter().zip((first.0..).map(Position)) {
            self.action(position, epoch, recorded);
            let Some(order) = recorded.event.order() else {
                self.other(&recorded.event);
                continue;
            };
            if !self.of.has(order) {
                continue;
            }
            let known = self.orders.contains_key(&order) || matches!(recorded.event, Event::Accepted(_));
            if let (false, Some(row)) = (known, if known { None } else { load(order)? }) {
                self.orders.insert(order, row);
            }
            self.events.push((
                order,
                HistoryEvent {
                    position,
                    epoch,
                    at: recorded.at,
                    event: recorded.event.word().into(),
                    detail: notable::detail(&self.names, &recorded.event),
                },
            ));
            self.order(position, order, recorded);
        }
        Ok(())
    }

    /// What an operator did, in the feed's words.
    fn action(&mut self, position: Position, epoch: Epoch, recorded: &Recorded) {
        let Some(by) = notable::operator(&recorded.event) else { return };
        let Some(line) = notable::event(self, position, recorded) else { return };
        self.actions.push(ActionView {
            position,
            epoch,
            at: recorded.at,
            operator: by.name.clone(),
            reason: by.reason.clone(),
            kind: line.kind,
            tone: line.tone,
            subject: line.subject,
            text: line.text,
        });
    }

    /// What is about no order.
    fn other(&mut self, event: &Event) {
        match event {
            Event::CityChanged { city } => self.city = Some(city.as_ref().clone()),
            Event::KitchenRegistered(registered) => self.registered(registered),
            Event::KitchenLost { kitchen, cause, .. } => {
                let Some(kitchen) = self.kitchens.get_mut(kitchen.index()) else { return };
                kitchen.alive = false;
                if *cause == LossCause::AgentLeft && kitchen.schedulable == Schedulable::Open {
                    kitchen.schedulable = Schedulable::Retired;
                }
            }
            Event::KitchenReturned { kitchen } => {
                if let Some(kitchen) = self.kitchens.get_mut(kitchen.index()) {
                    kitchen.alive = true;
                }
            }
            Event::KitchenScheduling { kitchen, schedulable, .. } => self.schedule(*kitchen, *schedulable),
            Event::DrainStarted { kitchen, .. } => self.schedule(*kitchen, Schedulable::Draining),
            Event::Drained { kitchen } => self.schedule(*kitchen, Schedulable::Cordoned),
            _ => {}
        }
    }

    fn schedule(&mut self, kitchen: KitchenNo, schedulable: Schedulable) {
        if let Some(kitchen) = self.kitchens.get_mut(kitchen.index()) {
            kitchen.schedulable = schedulable;
        }
    }

    fn registered(&mut self, registered: &Registered) {
        let index = registered.kitchen.index();
        if index == self.kitchens.len() {
            self.names.push(registered.id.to_string());
            self.kitchens.push(KitchenRow {
                id: registered.id.to_string(),
                name: String::new(),
                zone: String::new(),
                capacity: 0,
                stations: 0,
                schedulable: Schedulable::Open,
                alive: true,
                completed: 0,
                failed: 0,
                lost_leases: 0,
            });
        }
        let zone = self.zone_name(registered.zone);
        let Some(kitchen) = self.kitchens.get_mut(index) else { return };
        kitchen.name.clone_from(&registered.name);
        (kitchen.zone, kitchen.alive) = (zone, true);
        (kitchen.capacity, kitchen.stations) = (registered.capacity, registered.stations);
        if kitchen.schedulable == Schedulable::Retired {
            kitchen.schedulable = Schedulable::Open;
        }
    }

    fn order(&mut self, position: Position, id: OrderId, recorded: &Recorded) {
        let at = recorded.at;
        if let Event::Accepted(accepted) = &recorded.event {
            let row = self.accepted(position, accepted, at);
            self.orders.insert(id, row);
            return;
        }
        let Self { kitchens, orders, city, names, .. } = self;
        let Some(row) = orders.get_mut(&id) else { return };
        row.last = position;
        let holder = row.view.kitchen.as_ref().map(|kitchen| kitchen.as_str());
        let holder = holder.and_then(|holder| names.iter().position(|name| name == holder));
        match &recorded.event {
            Event::Leased { kitchen, token, cause, .. } => {
                row.leased(names, *kitchen, *token, *cause, at);
            }
            Event::Started { .. } if row.view.state == OrderState::Leased => {
                row.view.state = OrderState::Cooking;
                row.stage_since = at;
            }
            Event::StageDone { stage, .. } => {
                let done = row.view.stage.done.max(stage.saturating_add(1)).min(row.view.stage.of);
                row.stage_since = at;
                row.view.stage = stage_view(city.as_ref(), &row.view, done);
            }
            Event::HandedOver { pause_ms, .. } => {
                if let Some(hop) = row.view.hops.last_mut() {
                    hop.pause_ms = Some(u64::from(*pause_ms));
                }
            }
            Event::Requeued { .. } => {
                row.view.state = OrderState::Queued;
                row.view.completed_at = None;
            }
            Event::Completed { .. } => {
                row.ended(OrderState::Completed, at);
                row.view.stage = stage_view(city.as_ref(), &row.view, row.view.stage.of);
                count(kitchens, holder, |kitchen| kitchen.completed += 1);
            }
            Event::Cancelled { .. } => row.ended(OrderState::Cancelled, at),
            Event::DeadLettered { .. } => row.ended(OrderState::DeadLettered, at),
            Event::AttemptFailed { output, .. } => {
                row.view.failure = Some(output.to_string());
                row.view.state = OrderState::Queued;
                count(kitchens, holder, |kitchen| kitchen.failed += 1);
            }
            Event::LeaseLost { .. } => {
                if row.view.state == OrderState::Cooking {
                    row.view.wasted_ms += at.ms_since(row.stage_since);
                }
                row.view.state = OrderState::Queued;
                count(kitchens, holder, |kitchen| kitchen.lost_leases += 1);
            }
            _ => {}
        }
    }

    fn accepted(&self, position: Position, accepted: &Accepted, at: WallTime) -> OrderRow {
        let dish = |number: DishNo| self.city.as_ref().and_then(|city| city.menu.dish(number));
        let items = accepted.items.iter().map(|item| ItemBody {
            dish: dish(item.dish).map(|dish| dish.name.clone()).unwrap_or_default(),
            quantity: item.quantity,
        });
        let mut view = OrderView {
            id: accepted.order,
            state: OrderState::Queued,
            kitchen: None,
            attempt: 0,
            token: None,
            placed_at: at,
            position,
            items: items.collect(),
            zone: self.zone_name(accepted.zone),
            customer: accepted.customer.as_deref().map(str::to_owned),
            priority: accepted.priority,
            stage: StageView { done: 0, of: accepted.stages, name: String::new(), interruptible: true },
            hops: Vec::new(),
            completed_at: None,
            failure: None,
            wasted_ms: 0,
            stays: None,
        };
        view.stage = stage_view(self.city.as_ref(), &view, 0);
        OrderRow { view, key: accepted.key.as_deref().map(str::to_owned), last: position, stage_since: at }
    }

    fn zone_name(&self, number: ZoneNo) -> String {
        self.zone(number).map(str::to_owned).unwrap_or_default()
    }
}

impl OrderRow {
    fn leased(&mut self, names: &[String], kitchen: KitchenNo, token: FencingToken, cause: Cause, at: WallTime) {
        let id = names.get(kitchen.index()).and_then(|name| name.parse::<KitchenId>().ok());
        let view = &mut self.view;
        view.state = OrderState::Leased;
        view.attempt = view.attempt.saturating_add(1);
        view.token = Some(token);
        view.kitchen.clone_from(&id);
        let Some(kitchen) = id.filter(|_| view.hops.len() < limits::HOPS_KEPT) else { return };
        let (reason, pause_ms) = match cause {
            Cause::Dispatch | Cause::Retry | Cause::Release => (None, None),
            Cause::Reassign { reason, pause_ms, .. } => (Some(reason.word()), Some(u64::from(pause_ms))),
            Cause::Handover { reason, .. } => (Some(reason.word()), None),
            Cause::Recover { cause, .. } => (Some(cause.word()), None),
        };
        let reason = reason.map(str::to_owned);
        view.hops.push(HopView { kitchen, token, kind: cause.kind(), reason, pause_ms, at });
    }

    fn ended(&mut self, how: OrderState, at: WallTime) {
        if self.view.state.is_open() {
            self.view.state = how;
            self.view.completed_at = Some(at);
        }
    }
}

fn count(kitchens: &mut [KitchenRow], holder: Option<usize>, add: impl FnOnce(&mut KitchenRow)) {
    if let Some(kitchen) = holder.and_then(|index| kitchens.get_mut(index)) {
        add(kitchen);
    }
}

/// The stage in hand, by the menu as it is at this position.
fn stage_view(city: Option<&City>, view: &OrderView, done: u8) -> StageView {
    let of = view.stage.of;
    let Some(menu) = city.map(|city| &city.menu) else { return StageView { done, of, ..view.stage.clone() } };
    let number = |name: &str| menu.dishes.iter().position(|dish| dish.name == name);
    let items = view.items.iter().filter_map(|item| {
        let dish = DishNo(u16::try_from(number(&item.dish)?).ok()?);
        Some(Item { dish, quantity: item.quantity })
    });
    let plan = protocol::order::plan(&items.collect::<Vec<_>>(), menu);
    let current = usize::from(done).min(plan.len().saturating_sub(1));
    let (name, interruptible) =
        plan.get(current).map_or((String::new(), true), |stage| (stage.name.clone(), stage.interruptible));
    StageView { done, of, name, interruptible }
}
