//! The core's truth in the words of the contract. Pure translation: every figure is read, none is computed twice.

use std::sync::Arc;
use std::time::Duration;

use balancer_core::event::{Cause, KitchenNo};
use balancer_core::policy::{ONE, WEIGHT_SUM};
use balancer_core::state::{DrainTerms, Kitchen, Order};
use balancer_core::{Decision, Note, Now, Signs, State};
use protocol::api::{
    AlternativeView, CandidateView, DrainView, ExcludedView, ExplainView, Health, HealthCounts, HopKind, HopView,
    ItemBody, KitchenView, Kpi, MigrationView, MoveResult, OrderView, RushView, Schedulable, StageView, Status,
};
use protocol::city::{DishNo, ZoneNo};
use protocol::feed::{Flow, KitchenInfo, KitchenRemark, KitchenRow, Snapshot};
use protocol::link::StayReason;
use protocol::{KitchenId, OrderState, WallTime};

use crate::hub::{Hub, Inner};
use crate::{VERSION, clock};

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn dish_name(state: &State, dish: DishNo) -> String {
    state.city().menu.dish(dish).map(|dish| dish.name.clone()).unwrap_or_default()
}

fn zone_name(state: &State, zone: ZoneNo) -> String {
    state.zone(zone).map(|zone| zone.name.clone()).unwrap_or_default()
}

fn kitchen_id(state: &State, number: KitchenNo) -> KitchenId {
    state.kitchen(number).id.clone()
}

/// One order.
#[must_use]
pub fn order(state: &State, order: &Order) -> OrderView {
    let hops = order.hops.iter().map(|hop| {
        let reason = match hop.cause {
            Cause::Dispatch | Cause::Retry | Cause::Release => None,
            Cause::Reassign { reason, .. } | Cause::Handover { reason, .. } => Some(reason.word().to_owned()),
            Cause::Recover { cause, .. } => Some(cause.word().to_owned()),
        };
        let pause_ms = hop.pause_ms.map(u64::from);
        let kitchen = kitchen_id(state, hop.kitchen);
        HopView { kitchen, token: hop.token, kind: hop.cause.kind(), reason, pause_ms, at: hop.at }
    });
    OrderView {
        id: order.id,
        state: order.state,
        kitchen: order.kitchen.map(|number| kitchen_id(state, number)),
        attempt: order.attempt,
        token: order.kitchen.map(|_| order.token),
        placed_at: order.placed_at,
        position: order.position,
        items: order
            .items
            .iter()
            .map(|item| ItemBody { dish: dish_name(state, item.dish), quantity: item.quantity })
            .collect(),
        zone: zone_name(state, order.zone),
        customer: order.customer.as_deref().map(str::to_owned),
        priority: order.priority,
        stage: stage(state, order),
        hops: hops.collect(),
        completed_at: order.ended_at,
        failure: order.failure.as_deref().map(str::to_owned),
        wasted_ms: u64::from(order.wasted_ms),
        stays: stays(state, order).map(str::to_owned),
    }
}

/// Why an order that is being cooked in a kitchen under drain stays there.
fn stays(state: &State, order: &Order) -> Option<&'static str> {
    let number = order.kitchen.filter(|_| order.state == OrderState::Cooking)?;
    if state.kitchen(number).schedulable != Schedulable::Draining {
        return None;
    }
    if order.in_the_oven {
        return Some(StayReason::InTheOven.word());
    }
    (order.stages_done + 1 >= order.stages).then_some(StayReason::NearlyDone.word())
}

fn stage(state: &State, order: &Order) -> StageView {
    let plan = protocol::order::plan(&order.items, &state.city().menu);
    let current = usize::from(order.stages_done).min(plan.len().saturating_sub(1));
    let (name, interruptible) =
        plan.get(current).map_or((String::new(), true), |stage| (stage.name.clone(), stage.interruptible));
    StageView { done: order.stages_done, of: order.stages, name, interruptible }
}

/// One kitchen as figures: what a list of 10,000 copies in a millisecond. Its words are made elsewhere.
#[derive(Debug, Clone)]
pub struct Figures {
    card: Arc<KitchenInfo>,
    schedulable: Schedulable,
    signs: Signs,
    load: f64,
    queued: u32,
    cooking: u32,
    in_the_oven: u32,
    completed: u64,
    failed: u64,
    lost_leases: u64,
    avg_ms: u32,
    since: WallTime,
    note: Option<Note>,
    drain: Option<Drain>,
    at: WallTime,
}

/// The figures of a kitchen with this card, with the age of its signs of life.
fn figures(inner: &Inner, now: Now, number: KitchenNo, card: Arc<KitchenInfo>) -> Figures {
    let kitchen = inner.core.state().kitchen(number);
    let count = |orders: usize| u32::try_from(orders).unwrap_or(u32::MAX);
    Figures {
        card,
        schedulable: kitchen.schedulable,
        signs: inner.core.signs(now.mono, number),
        load: kitchen.load(),
        queued: count(kitchen.waiting.len()),
        cooking: count(kitchen.cooking.len()),
        in_the_oven: kitchen.in_the_oven,
        completed: kitchen.completed,
        failed: kitchen.failed,
        lost_leases: kitchen.lost_leases,
        avg_ms: kitchen.avg_ms,
        since: kitchen.since,
        note: inner.core.note(now.mono, number),
        drain: drain(kitchen),
        at: now.wall,
    }
}

/// Those of all kitchens that have a card.
#[must_use]
pub fn all_figures(inner: &Inner, now: Now) -> Vec<Figures> {
    let cards = inner.cards.all().zip(inner.kitchens());
    cards.map(|(card, (number, _))| figures(inner, now, number, Arc::clone(card))).collect()
}

/// One kitchen.
#[must_use]
pub fn kitchen(inner: &Inner, now: Now, number: KitchenNo) -> KitchenView {
    let index = usize::try_from(number.0).unwrap_or(usize::MAX);
    figures(inner, now, number, Arc::new(info(inner.core.state(), index))).view()
}

impl Figures {
    /// With its words.
    #[must_use]
    pub fn view(self) -> KitchenView {
        KitchenView {
            id: self.card.id.clone(),
            name: self.card.name.clone(),
            zone: self.card.zone.clone(),
            capacity: self.card.capacity,
            stations: self.card.stations,
            specialties: self.card.specialties.clone(),
            schedulable: self.schedulable,
            health: self.signs.health,
            last_heard_ms: self.signs.silent.map(millis),
            lease_left_ms: self.signs.lease_left.map(millis),
            load: self.load,
            queued: self.queued,
            cooking: self.cooking,
            in_the_oven: self.in_the_oven,
            completed: self.completed,
            failed: self.failed,
            lost_leases: self.lost_leases,
            avg_ms: (self.avg_ms > 0).then_some(u64::from(self.avg_ms)),
            since: self.since,
            note: self.note.map(note),
            drain: self.drain.map(|drain| drain.view(self.at)),
        }
    }
}

fn note(note: Note) -> String {
    match note {
        Note::Slow { tenths } => format!("slow: {}.{} times the usual", tenths / 10, tenths % 10),
        Note::Stuck => "stuck: it holds orders and cooks none, so it gets one at a time".into(),
        Note::Ejected { failed, of } => {
            format!("ejected: {failed} of its last {of} attempts failed, so it gets a probe")
        }
        Note::HeldDown { left } => format!("held down {} s: it keeps falling", left.as_secs() + 1),
        Note::WarmingUp { percent } => format!("warming up: {percent} % of its places"),
    }
}

fn drain(kitchen: &Kitchen) -> Option<Drain> {
    let terms = kitchen.drain?;
    let count = |orders: usize| u32::try_from(orders).unwrap_or(u32::MAX);
    let (waiting, cooking) = (count(kitchen.waiting.len()), count(kitchen.cooking.len()));
    Some(Drain { waiting, cooking, in_the_oven: kitchen.in_the_oven, terms })
}

/// What a drain still has to do; the same until something leaves the kitchen, whatever time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    waiting: u32,
    cooking: u32,
    in_the_oven: u32,
    terms: DrainTerms,
}

impl Drain {
    fn view(self, now: WallTime) -> DrainView {
        let Self { waiting, cooking, in_the_oven, terms } = self;
        let deadline_left_ms = terms.deadline_ms.saturating_sub(now.ms_since(terms.since));
        DrainView { waiting, cooking, in_the_oven, deadline_left_ms }
    }
}

/// What is to be said of a kitchen beyond its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    note: Option<Note>,
    drain: Option<Drain>,
}

impl Remark {
    /// For the feed.
    #[must_use]
    pub fn view(self, no: u32, now: WallTime) -> KitchenRemark {
        KitchenRemark { no, note: self.note.map(note), drain: self.drain.map(|drain| drain.view(now)) }
    }
}

/// The kitchens of which something is to be said: a few comparisons for each of the others.
#[must_use]
pub fn remarks(inner: &Inner, now: Duration) -> Vec<(u32, Remark)> {
    let remark = |(number, kitchen): (KitchenNo, &Kitchen)| {
        let remark = Remark { note: inner.core.note(now, number), drain: drain(kitchen) };
        (remark.note.is_some() || remark.drain.is_some()).then_some((number.0, remark))
    };
    inner.kitchens().filter_map(remark).collect()
}

/// One of the four factors of a candidate.
type Factor = fn(&CandidateView) -> f64;

/// A decision, with what each single factor would have chosen.
#[must_use]
pub fn explain(state: &State, decision: &Decision) -> ExplainView {
    let part = |value: u32| f64::from(value) / ONE as f64;
    let candidates: Vec<CandidateView> = decision
        .candidates
        .iter()
        .map(|one| CandidateView {
            kitchen: kitchen_id(state, one.kitchen),
            score: one.score as f64 / (ONE * WEIGHT_SUM) as f64,
            load: part(one.load),
            specialty: part(one.specialty),
            time: part(one.time),
            distance: part(one.distance),
        })
        .collect();
    let factors: [(&str, Factor); 4] = [
        ("load only", |one| one.load),
        ("specialty only", |one| one.specialty),
        ("time only", |one| one.time),
        ("distance only", |one| one.distance),
    ];
    let alternatives = factors.iter().filter_map(|(rule, factor)| {
        let best = candidates.iter().reduce(|best, one| if factor(one) > factor(best) { one } else { best })?;
        Some(AlternativeView { rule: (*rule).to_owned(), kitchen: best.kitchen.clone() })
    });
    ExplainView {
        id: decision.order,
        at: decision.at,
        algorithm: decision.algorithm,
        chosen: kitchen_id(state, decision.chosen),
        alternatives: alternatives.collect(),
        candidates,
        more_candidates: decision.more_candidates,
        excluded: decision
            .excluded
            .iter()
            .map(|(number, why)| ExcludedView { kitchen: kitchen_id(state, *number), why: why.word().into() })
            .collect(),
        more_excluded: decision.more_excluded,
        weights: decision.weights,
    }
}

/// Moves in flight, ended and skipped, newest first.
#[must_use]
pub fn migrations(inner: &Inner, limit: usize) -> Vec<MigrationView> {
    let state = inner.core.state();
    let flying = inner.core.moves_in_flight().map(|one| MigrationView {
        at: one.at,
        order: Some(one.order),
        from: kitchen_id(state, one.from),
        to: Some(kitchen_id(state, one.to)),
        kind: one.kind,
        reason: one.reason.word().into(),
        pause_ms: None,
        result: MoveResult::InFlight,
    });
    let ended = state.migrations().iter().map(|one| MigrationView {
        at: one.at,
        order: Some(one.order),
        from: kitchen_id(state, one.from),
        to: Some(kitchen_id(state, one.to)),
        kind: one.kind,
        reason: one.reason.word().into(),
        pause_ms: one.pause_ms.map(u64::from),
        result: one.result,
    });
    let skipped = inner.core.skips().map(|one| MigrationView {
        at: one.at,
        order: None,
        from: kitchen_id(state, one.from),
        to: None,
        kind: HopKind::Reassign,
        reason: one.why.into(),
        pause_ms: None,
        result: one.result,
    });
    let mut all: Vec<MigrationView> = flying.chain(ended).chain(skipped).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    all.truncate(limit);
    all
}

/// The running rush.
#[must_use]
pub fn rush(inner: &Inner, now: Duration) -> Option<RushView> {
    let state = inner.core.state();
    let rush = state.rush()?;
    Some(RushView {
        rate: rush.rate_milli as f64 / 1e3,
        zone: rush.zone.map(|zone| zone_name(state, zone)),
        left_ms: inner.core.rush_left(now).map_or(0, millis),
        placed: rush.placed,
        shed: inner.core.shed().1,
    })
}

/// The key figures.
#[must_use]
pub fn kpi(inner: &Inner, now: Now) -> Kpi {
    let rates = inner.kpi.rates(now.wall);
    let state = inner.core.state();
    let counts = state.counts();
    let tried = counts.moves_done + counts.moves_failed;
    let (alive, all) = state.kitchens().iter().fold((0_u64, 0_u64), |(alive, all), kitchen| {
        let capacity = u64::from(kitchen.capacity);
        (alive + if kitchen.alive { capacity } else { 0 }, all + capacity)
    });
    Kpi {
        accepted_per_s: rates.accepted_per_s,
        completed_per_s: rates.completed_per_s,
        p50_ms: rates.p50_ms,
        p99_ms: rates.p99_ms,
        load_balance_efficiency: inner.efficiency(),
        migration_success_ratio: (tried > 0).then(|| counts.moves_done as f64 / tried as f64),
        availability: if all > 0 { alive as f64 / all as f64 } else { 0.0 },
    }
}

/// Kitchens by health.
#[must_use]
pub fn health_counts(inner: &Inner, now: Duration) -> HealthCounts {
    let mut counts = HealthCounts::default();
    for (number, _) in inner.kitchens() {
        match inner.core.signs(now, number).health {
            Health::Alive => counts.alive += 1,
            Health::Suspected => counts.suspected += 1,
            Health::Dead => counts.dead += 1,
        }
    }
    counts
}

/// `GET /status`.
#[must_use]
pub fn status(hub: &Hub, inner: &Inner, now: Now) -> Status {
    let state = inner.core.state();
    Status {
        city: state.city().name.clone(),
        leader: hub.peers.leader(None),
        standbys: hub.peers.standbys(now.mono),
        epoch: state.epoch(),
        position: state.position(),
        uptime_ms: millis(clock::mono().saturating_sub(hub.started)),
        kitchens: health_counts(inner, now.mono),
        proof: state.proof(),
        kpi: kpi(inner, now),
        rush: rush(inner, now.mono),
        version: VERSION.into(),
        key_window_ms: millis(state.key_term().window),
        alerts: inner.feed.alerts().to_vec(),
    }
}

/// What a new reader of the feed needs once.
#[must_use]
pub fn snapshot(hub: &Hub, state: &State) -> Snapshot {
    let city = state.city();
    Snapshot {
        city: city.name.clone(),
        zones: city.zones.clone(),
        dishes: city.menu.dishes.iter().filter(|dish| !dish.withdrawn).map(|dish| dish.name.clone()).collect(),
        leader: hub.id.clone(),
        overload_threshold: state.policy().overload_threshold,
    }
}

/// What a kitchen is, for the feed.
#[must_use]
pub fn info(state: &State, index: usize) -> KitchenInfo {
    let kitchen = &state.kitchens()[index];
    KitchenInfo {
        no: u32::try_from(index).unwrap_or(u32::MAX),
        id: kitchen.id.clone(),
        name: kitchen.name.clone(),
        zone: zone_name(state, kitchen.zone),
        capacity: kitchen.capacity,
        stations: kitchen.stations,
        specialties: kitchen.specialties.iter().map(|dish| dish_name(state, *dish)).collect(),
    }
}

/// How the kitchens are, for the feed.
#[must_use]
pub fn rows(inner: &Inner, now: Duration) -> Vec<KitchenRow> {
    let count = |orders: usize| u32::try_from(orders).unwrap_or(u32::MAX);
    inner
        .kitchens()
        .map(|(number, kitchen)| {
            let signs = inner.core.signs(now, number);
            let silent = if signs.health == Health::Alive { 0 } else { signs.silent.map_or(0, millis) / 100 * 100 };
            KitchenRow {
                no: number.0,
                health: signs.health,
                schedulable: kitchen.schedulable,
                queued: count(kitchen.waiting.len()),
                cooking: count(kitchen.cooking.len()),
                in_the_oven: kitchen.in_the_oven,
                completed: kitchen.completed,
                avg_ms: kitchen.avg_ms,
                silent_ms: silent,
            }
        })
        .collect()
}

/// The pipeline, for the feed; `stages` are those of the same position, if they are known.
#[must_use]
pub fn flow(inner: &Inner, now: Now, stages: Option<&[(String, u64)]>) -> Flow {
    let state = inner.core.state();
    let counts = state.counts();
    Flow {
        queued: state.count(OrderState::Queued),
        leased: state.count(OrderState::Leased),
        stages: stages.map_or_else(|| count_stages(state), <[_]>::to_vec),
        oldest_s: state.oldest_open().map(|order| now.wall.ms_since(order.placed_at) / 1_000),
        shed: inner.core.shed().0,
        recovered: counts.recovered,
        moves_done: counts.moves_done,
        moves_failed: counts.moves_failed,
        kpi: kpi(inner, now),
        rush: rush(inner, now.mono),
        algorithm: state.policy().algorithm.word().into(),
    }
}

/// Orders being cooked by the name of their stage, in the sequence in which the menu first names them.
fn count_stages(state: &State) -> Vec<(String, u64)> {
    let dishes = &state.city().menu.dishes;
    // Every order that is cooked is looked at in every tick: numbers here, names only for the sums.
    let longest = dishes.iter().map(|dish| dish.stages.len()).max().unwrap_or(0);
    let mut counts = vec![0_u64; longest * dishes.len()];
    for order in state.kitchens().iter().flat_map(|kitchen| &kitchen.cooking).filter_map(|id| state.order(*id)) {
        let Some(number) = order.main_dish().map(|dish| usize::from(dish.0)) else { continue };
        let last = dishes.get(number).and_then(|dish| dish.stages.len().checked_sub(1));
        if let Some(last) = last {
            counts[usize::from(order.stages_done).min(last) * dishes.len() + number] += 1;
        }
    }
    let mut sums: Vec<(String, u64)> = Vec::new();
    for (index, count) in counts.into_iter().enumerate() {
        let Some(stage) = dishes[index % dishes.len()].stages.get(index / dishes.len()) else { continue };
        match sums.iter_mut().find(|(name, _)| *name == stage.name) {
            Some((_, sum)) => *sum += count,
            None => sums.push((stage.name.clone(), count)),
        }
    }
    sums
}
