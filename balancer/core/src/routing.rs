//! Routing: which kitchen gets an order. Never gives a lease, never moves an order, never waits.
//!
//! [`Routing`] keeps one [`Slot`] of plain numbers for each kitchen, refreshed whenever the kitchen changes, and chooses
//! among the fit ones by the policy in force. Ties go to the next kitchen at or after a rotating offset, or one kitchen
//! would take all. Under [`limits::INDEX_FROM`](crate::limits::INDEX_FROM) kitchens the score is found by a scan, above by
//! an exact index ([`index`]); the two agree in a test, bit for bit.

pub mod explain;
pub mod index;
mod others;

use protocol::Item;
use protocol::api::{Algorithm, PolicyView};
use protocol::city::{DishNo, Zone, ZoneNo};

use crate::event::KitchenNo;
use crate::limits;
use crate::policy::{self, ONE, Score, Shares};
use crate::random::Random;
pub use crate::soft::{Candidate, Unfit};
use index::Index;

/// Dishes as bits: "is this a specialty" is one shift.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct DishSet(Vec<u64>);

impl FromIterator<DishNo> for DishSet {
    fn from_iter<I: IntoIterator<Item = DishNo>>(dishes: I) -> Self {
        let mut words = Vec::new();
        for dish in dishes {
            let word = usize::from(dish.0 / 64);
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (dish.0 % 64);
        }
        Self(words)
    }
}

impl DishSet {
    /// Whether the dish is in it.
    #[must_use]
    pub fn contains(&self, dish: DishNo) -> bool {
        self.0.get(usize::from(dish.0 / 64)).is_some_and(|word| word >> (dish.0 % 64) & 1 == 1)
    }

    /// The specialty term of an order.
    #[must_use]
    pub fn term(&self, items: &[Item]) -> u64 {
        let (mut good, mut all) = (0, 0);
        for item in items {
            let pieces = u32::from(item.quantity);
            all += pieces;
            good += if self.contains(item.dish) { pieces } else { 0 };
        }
        policy::specialty_term(good, all)
    }
}

/// What routing is told about a kitchen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Facts {
    pub unfit: Option<Unfit>,
    pub zone: ZoneNo,
    pub specialties: DishSet,
    pub capacity: u32,
    pub free: u32,
    pub avg_ms: u32,
}

/// A kitchen in columns: everything about it that does not depend on the order is computed already.
#[derive(Debug, Clone)]
pub struct Slot {
    facts: Facts,
    load: u64,
    time: u64,
    /// The weighted sum of load and time.
    own: Score,
}

/// The fleet as routing sees it, and the memory of the policies that have one.
#[derive(Debug, Default)]
pub struct Routing {
    slots: Vec<Slot>,
    shares: Option<Shares>,
    algorithm: Algorithm,
    scale_ms: u64,
    /// Distance terms, `zones * zones`.
    distances: Vec<u64>,
    zones: usize,
    offset: usize,
    turns: Vec<i64>,
    index: Option<Index>,
    open_places: u64,
    /// The index is not kept until the next [`Routing::configure`].
    deferred: bool,
}

impl Routing {
    /// Takes over policy and map, and computes everything anew. `scale_ms` is the time scale in force.
    pub fn configure(&mut self, policy: &PolicyView, zones: &[Zone], scale_ms: u64) {
        self.shares = Some(Shares::from(policy.weights));
        self.algorithm = policy.algorithm;
        self.scale_ms = scale_ms;
        self.zones = zones.len();
        let term = |from: &Zone, to: &Zone| policy::distance_term(from.km_to(to), policy.distance_scale_km);
        self.distances = zones.iter().flat_map(|from| zones.iter().map(move |to| term(from, to))).collect();
        for number in 0..self.slots.len() {
            let facts = self.slots[number].facts.clone();
            self.slots[number] = self.slot(facts);
        }
        self.deferred = false;
        self.rebuild_index();
    }

    /// Says how a kitchen is now; a new one must have the next number.
    pub fn set(&mut self, kitchen: KitchenNo, facts: Facts) {
        let number = kitchen.index();
        self.open_places += places(&facts);
        let slot = self.slot(facts);
        if number == self.slots.len() {
            self.slots.push(slot);
            self.turns.push(0);
            self.rebuild_index();
            return;
        }
        let old = std::mem::replace(&mut self.slots[number], slot);
        self.open_places -= places(&old.facts);
        let slot = &self.slots[number];
        let moved = old.facts.zone != slot.facts.zone || old.facts.specialties != slot.facts.specialties;
        match &mut self.index {
            Some(_) if moved => self.rebuild_index(),
            Some(index) => index.set(number, key(slot)),
            None => {}
        }
    }

    /// The number of a fit kitchen's free places changed; cheaper than [`Self::set`].
    pub fn set_free(&mut self, kitchen: KitchenNo, free: u32, avg_ms: u32) {
        let (scale_ms, shares) = (self.scale_ms, self.shares());
        let slot = &mut self.slots[kitchen.index()];
        self.open_places -= places(&slot.facts);
        slot.facts.free = free;
        if slot.facts.avg_ms != avg_ms {
            slot.facts.avg_ms = avg_ms;
            slot.time = policy::time_term(avg_ms, scale_ms);
        }
        slot.load = policy::load_term(free, slot.facts.capacity);
        slot.own = shares.load * slot.load + shares.time * slot.time;
        self.open_places += places(&slot.facts);
        if let Some(index) = &mut self.index {
            index.set(kitchen.index(), key(slot));
        }
    }

    /// Free places in fit kitchens.
    #[must_use]
    pub fn open_places(&self) -> u64 {
        self.open_places
    }

    /// The time scale in force.
    #[must_use]
    pub fn scale_ms(&self) -> u64 {
        self.scale_ms
    }

    /// Why the kitchen cannot be chosen, if it cannot.
    #[must_use]
    pub fn unfit(&self, kitchen: KitchenNo) -> Option<Unfit> {
        unfit(&self.slots[kitchen.index()].facts)
    }

    /// The kitchen for an order by the policy in force.
    pub fn choose(&mut self, items: &[Item], zone: ZoneNo, random: &mut Random) -> Option<KitchenNo> {
        let number = match self.algorithm {
            Algorithm::WeightedScore => self.best(items, zone),
            Algorithm::RoundRobin => self.next_in_turn(),
            Algorithm::WeightedRoundRobin => self.next_by_weight(),
            Algorithm::LeastConnections => self.least_held(),
            Algorithm::PowerOfTwoChoices => self.better_of_two(random),
        }?;
        self.offset = number + 1;
        u32::try_from(number).ok().map(KitchenNo)
    }

    /// The same by the score, without these kitchens; for the few orders that were there already, so it looks at each.
    pub(crate) fn choose_other(&mut self, items: &[Item], zone: ZoneNo, avoid: &[KitchenNo]) -> Option<KitchenNo> {
        let number = self.best_by_scan(items, zone, |kitchen| !avoid.contains(&kitchen))?;
        self.offset = number + 1;
        u32::try_from(number).ok().map(KitchenNo)
    }

    /// Whether some other kitchen than these takes orders if it has room, or may in a moment: who is only suspected has
    /// perhaps not come back to a new leader yet.
    pub(crate) fn is_another(&self, avoid: &[KitchenNo]) -> bool {
        let takes = |slot: &Slot| matches!(slot.facts.unfit, None | Some(Unfit::Suspected));
        let other = |number: usize| !avoid.iter().any(|one| one.index() == number);
        self.slots.iter().enumerate().any(|(number, slot)| other(number) && takes(slot))
    }

    fn best(&self, items: &[Item], zone: ZoneNo) -> Option<usize> {
        match &self.index {
            Some(_) => self.best_by_index(items, zone),
            None => self.best_by_scan(items, zone, |_| true),
        }
    }

    /// The kitchen with the best score, by looking at each; O(kitchens).
    #[must_use]
    pub fn best_by_scan(&self, items: &[Item], zone: ZoneNo, allowed: impl Fn(KitchenNo) -> bool) -> Option<usize> {
        let mut best: Option<(Score, usize)> = None;
        for number in self.rotated() {
            let slot = &self.slots[number];
            if unfit(&slot.facts).is_some() || !allowed(KitchenNo(number as u32)) {
                continue;
            }
            let score = slot.own + self.rest(slot, items, zone);
            if best.is_none_or(|(top, _)| score > top) {
                best = Some((score, number));
            }
        }
        best.map(|(_, number)| number)
    }

    /// The same kitchen by the index; O(zones * sets of specialties + log kitchens).
    #[must_use]
    pub fn best_by_index(&self, items: &[Item], zone: ZoneNo) -> Option<usize> {
        let shares = self.shares();
        let distance = |to: ZoneNo| shares.distance * self.distance(zone, to);
        self.index.as_ref()?.best(self.offset, shares.specialty, items, distance)
    }

    /// Builds the index whatever the number of kitchens; for tests and benchmarks.
    pub fn force_index(&mut self) {
        self.index =
            Some(Index::build(self.slots.iter().map(|slot| (slot.facts.zone, &slot.facts.specialties, key(slot)))));
    }

    /// Where ties are broken next; for tests and benchmarks.
    pub fn set_offset(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// Builds the index once, at the next [`Self::configure`], and not for each kitchen that is added until then.
    pub fn defer_index(&mut self) {
        self.deferred = true;
    }

    fn rebuild_index(&mut self) {
        if self.deferred {
            self.index = None;
            return;
        }
        if self.slots.len() >= limits::INDEX_FROM {
            self.force_index();
        } else {
            self.index = None;
        }
    }

    /// The part of the score that depends on the order.
    fn rest(&self, slot: &Slot, items: &[Item], zone: ZoneNo) -> Score {
        let shares = self.shares();
        shares.specialty * slot.facts.specialties.term(items) + shares.distance * self.distance(zone, slot.facts.zone)
    }

    fn distance(&self, from: ZoneNo, to: ZoneNo) -> u64 {
        self.distances.get(usize::from(from.0) * self.zones + usize::from(to.0)).copied().unwrap_or(ONE)
    }

    fn shares(&self) -> Shares {
        self.shares.unwrap_or_else(|| Shares::from(protocol::api::Weights::default()))
    }

    fn slot(&self, facts: Facts) -> Slot {
        let shares = self.shares();
        let load = policy::load_term(facts.free, facts.capacity);
        let time = policy::time_term(facts.avg_ms, self.scale_ms);
        Slot { load, time, own: shares.load * load + shares.time * time, facts }
    }

    /// All numbers, from the rotating offset on and round again.
    fn rotated(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.slots.len();
        let from = if self.offset < count { self.offset } else { 0 };
        (from..count).chain(0..from)
    }
}

fn unfit(facts: &Facts) -> Option<Unfit> {
    facts.unfit.or(if facts.free == 0 { Some(Unfit::Full) } else { None })
}

fn places(facts: &Facts) -> u64 {
    if facts.unfit.is_none() { u64::from(facts.free) } else { 0 }
}

/// The slot's own score for the index, absent when it cannot be chosen.
fn key(slot: &Slot) -> Option<Score> {
    if unfit(&slot.facts).is_none() { Some(slot.own) } else { None }
}

#[cfg(test)]
mod tests;
