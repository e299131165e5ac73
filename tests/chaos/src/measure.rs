//! Times, measured from outside: faults and answers from the record, leases and reigns from the dump.
//!
//! ```text
//! recovery   fault on a kitchen ─────────▶ the last of the orders it held is leased again
//! takeover   fault on the leader ──▶ `epoch_started` ──▶ the first 2xx of the new reign
//! latency    an order was due ──▶ its last answer, by what was going on when it was due
//! ```
//! Owns the arithmetic only; both files are on one clock. Never judges: that is the checker.

mod moves;
mod sojourn;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Result;
use crate::clock::{Ms, Spread};
use crate::dump::Row;
use crate::nemesis::Kind;
use crate::record::{self, Line};
pub use moves::Moves;
pub use sojourn::{Sojourn, Sojourns};

/// Orders may wait for a place so long after the city is whole, and still count for the fault.
const LATE: Ms = 10_000;

/// A hundred orders a second have a p99 that is their slowest; this is what one hiccup of a shared machine costs, in
/// microseconds.
const NOISE_US: u64 = 50_000;

/// A fault as the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When it began.
    pub at: Ms,
    /// Its kind's word.
    pub kind: String,
    /// Whom.
    pub target: String,
    /// When the city was whole again.
    pub calm: Option<Ms>,
}

/// What the record alone tells.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// By time.
    pub faults: Vec<Fault>,
    /// Every order that was tried to its end.
    pub orders: Vec<Tried>,
    /// Answers 2xx: when, and at which position.
    placed: Vec<(u64, Ms)>,
    /// Requests beyond the first of an order.
    pub retries: u64,
    /// Refusals by code, and what brought no answer.
    pub refusals: BTreeMap<String, u64>,
}

/// An order as its customer saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// When it should have been sent.
    pub due: Ms,
    /// From then to its last answer.
    pub took_us: u64,
    /// It is in.
    pub placed: bool,
}

impl Told {
    /// Reads a record.
    ///
    /// # Errors
    /// It is none.
    pub fn read(path: &Path) -> Result<Self> {
        let (mut told, mut numbers) = (Self::default(), BTreeMap::new());
        record::read(path, |line| told.line(line, &mut numbers))?;
        told.placed.sort_unstable();
        Ok(told)
    }

    fn line(&mut self, line: Line, numbers: &mut BTreeMap<u32, usize>) {
        match line {
            Line::Sent { attempt, .. } => self.retries += u64::from(attempt > 1),
            Line::Got { at, status: Some(200..=299), position: Some(position), .. } => self.placed.push((position, at)),
            Line::Got { why, .. } => *self.refusals.entry(why.unwrap_or_default()).or_default() += 1,
            Line::Ended { due, took_us, placed, .. } => self.orders.push(Tried { due, took_us, placed }),
            Line::Fault { at, number, kind, target } => {
                numbers.insert(number, self.faults.len());
                self.faults.push(Fault { at, kind, target, calm: None });
            }
            Line::Cancel { .. } => {}
            Line::Healed { number, calm, .. } => {
                if let Some(fault) = numbers.get(&number).and_then(|index| self.faults.get_mut(*index)) {
                    fault.calm = calm;
                }
            }
        }
    }

    /// Latencies in microseconds and orders that failed: in ordinary times, while a kitchen or a link was disturbed,
    /// and while the leader was.
    #[must_use]
    pub fn latencies(&self) -> [(&'static str, Spread, u64); 3] {
        let classes = ["ordinary", "kitchen or link disturbed", "leader disturbed"];
        let (leader, others): (Vec<&Fault>, Vec<&Fault>) =
            self.faults.iter().partition(|fault| Kind::concerns_leader(&fault.kind));
        let (leader, others) = (spans(&leader), spans(&others));
        let class_of = |due: Ms| match (inside(&leader, due), inside(&others, due)) {
            (true, _) => classes[2],
            (false, true) => classes[1],
            (false, false) => classes[0],
        };
        classes.map(|class| {
            let of_class = self.orders.iter().filter(|order| class_of(order.due) == class);
            let (placed, failed): (Vec<&Tried>, Vec<&Tried>) = of_class.partition(|order| order.placed);
            (class, Spread::of(placed.iter().map(|order| order.took_us).collect()), failed.len() as u64)
        })
    }

    /// Milliseconds from `from` to the first second from which on every second's p99 of the placed orders' latencies is
    /// at most that of the calm span, give or take some noise.
    #[must_use]
    pub fn answers_normal_from(&self, from: Ms, to: Ms, calm_from: Ms, calm_to: Ms) -> Option<Ms> {
        let due = |from: Ms, to: Ms| {
            let inside = self.orders.iter().filter(move |order| order.placed && (from..to).contains(&order.due));
            Spread::of(inside.map(|order| order.took_us).collect())
        };
        let limit = due(calm_from, calm_to).p99 + NOISE_US;
        sojourn::normal_from(from, to, |second| due(second, second + 1_000).p99 > limit)
    }

    /// The first answer 2xx about an acceptance after this position.
    fn first_placed_after(&self, position: u64) -> Option<Ms> {
        let from = self.placed.partition_point(|(placed, _)| *placed <= position);
        self.placed[from..].iter().take(1_000).map(|(_, at)| *at).min()
    }
}

/// The times in which some of these faults lasted, one after the other.
fn spans(faults: &[&Fault]) -> Vec<(Ms, Ms)> {
    let mut spans: Vec<(Ms, Ms)> = Vec::new();
    for fault in faults {
        let calm = fault.calm.unwrap_or(Ms::MAX);
        match spans.last_mut() {
            Some((_, end)) if fault.at <= *end => *end = calm.max(*end),
            _ => spans.push((fault.at, calm)),
        }
    }
    spans
}

fn inside(spans: &[(Ms, Ms)], at: Ms) -> bool {
    let index = spans.partition_point(|(begin, _)| *begin <= at);
    index.checked_sub(1).is_some_and(|index| at <= spans[index].1)
}

/// When the ledger had come to each position at the latest, by the answers alone.
#[derive(Debug)]
struct Heard(Vec<(u64, Ms)>);

impl Heard {
    fn of(told: &Told) -> Self {
        let mut heard = told.placed.clone();
        let mut earliest = Ms::MAX;
        for (_, at) in heard.iter_mut().rev() {
            earliest = earliest.min(*at);
            *at = earliest;
        }
        Self(heard)
    }

    /// None for what stands behind the last answer.
    fn at(&self, position: u64) -> Option<Ms> {
        self.0.get(self.0.partition_point(|(placed, _)| *placed < position)).map(|(_, at)| *at)
    }
}

/// Orders of one kitchen that wait for their next lease since a fault.
#[derive(Debug)]
struct Waiting {
    fault: usize,
    orders: BTreeSet<u64>,
    /// Until the balancer knows of the fault, leases to the victim are its orders too.
    unnoticed: bool,
}

/// Folds a dump next to the faults of its record.
#[derive(Debug)]
pub struct Measure {
    told: Told,
    /// When the ledger came to a position, if its own times are not to be trusted.
    heard: Option<Heard>,
    now: Ms,
    next: usize,
    holders: BTreeMap<u64, String>,
    waiting: Vec<Waiting>,
    /// Of each fault: milliseconds to the last lease elsewhere.
    recovered: BTreeMap<usize, u64>,
    /// Faults on the leader, with the reign that followed: when, and at which position.
    reigns: Vec<(usize, Ms, u64)>,
    leaderless: Option<usize>,
}

impl Measure {
    /// For this record.
    #[must_use]
    pub fn new(told: Told) -> Self {
        Self {
            told,
            heard: None,
            now: 0,
            next: 0,
            holders: BTreeMap::new(),
            waiting: Vec::new(),
            recovered: BTreeMap::new(),
            reigns: Vec::new(),
            leaderless: None,
        }
    }

    /// With the times of answers instead of the ledger's own: for a run that steps the balancers' clocks.
    #[must_use]
    pub fn by_answers(told: Told) -> Self {
        let heard = Some(Heard::of(&told));
        Self { heard, ..Self::new(told) }
    }

    /// Takes the next row.
    pub fn row(&mut self, row: &Row) {
        self.now = match &self.heard {
            Some(heard) => heard.at(row.position).unwrap_or(self.now),
            None => row.at,
        };
        let now = self.now;
        while self.told.faults.get(self.next).is_some_and(|fault| fault.at < now) {
            self.begin(self.next);
            self.next += 1;
        }
        self.forget(now);
        match (row.event.as_str(), row.order) {
            ("leased", Some(order)) => self.leased(order, row),
            ("completed" | "cancelled" | "dead_lettered", Some(order)) => {
                self.holders.remove(&order);
                self.waiting.iter_mut().for_each(|waiting| _ = waiting.orders.remove(&order));
            }
            ("lease_lost" | "attempt_failed", Some(order)) => _ = self.holders.remove(&order),
            ("kitchen_lost" | "kitchen_registered", _) => self.noticed(row.kitchen.as_deref()),
            ("epoch_started", _) => {
                if let Some(fault) = self.leaderless.take() {
                    self.reigns.push((fault, now, row.position));
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, index: usize) {
        let fault = &self.told.faults[index];
        if Kind::concerns_leader(&fault.kind) {
            self.leaderless = Some(index);
            return;
        }
        let held = self.holders.iter().filter(|(_, kitchen)| **kitchen == fault.target);
        let orders = held.map(|(order, _)| *order).collect();
        self.waiting.push(Waiting { fault: index, orders, unnoticed: true });
    }

    fn leased(&mut self, order: u64, row: &Row) {
        let Some(kitchen) = row.kitchen.clone() else { return };
        for waiting in &mut self.waiting {
            let fault = &self.told.faults[waiting.fault];
            // An agent that declines a late order or gives it back has not been lost, unless this is how it says that it
            // hears nothing.
            let given_back = matches!(row.cause.as_deref(), Some("declined" | "returned"));
            let alive = given_back && fault.kind != Kind::CutIn.word();
            let recovered =
                row.kind.as_deref() == Some("recover") && row.from.as_ref() == Some(&fault.target) && !alive;
            if waiting.orders.remove(&order) && recovered {
                self.recovered.insert(waiting.fault, self.now.saturating_sub(fault.at));
            }
            if waiting.unnoticed && fault.target == kitchen {
                waiting.orders.insert(order);
            }
        }
        self.holders.insert(order, kitchen);
    }

    /// A fault that nobody noticed by the time the city is whole cost nothing; what still waits long after it, waits
    /// for something else.
    fn forget(&mut self, now: Ms) {
        let faults = &self.told.faults;
        let calm = |waiting: &Waiting| faults[waiting.fault].calm.unwrap_or(Ms::MAX);
        self.waiting.iter_mut().for_each(|waiting| waiting.unnoticed &= now <= calm(waiting));
        self.waiting.retain(|waiting| now <= calm(waiting).saturating_add(LATE));
        self.waiting.retain(|waiting| waiting.unnoticed || !waiting.orders.is_empty());
    }

    fn noticed(&mut self, kitchen: Option<&str>) {
        let (faults, waiting) = (&self.told.faults, &mut self.waiting);
        for waiting in waiting.iter_mut().filter(|waiting| Some(faults[waiting.fault].target.as_str()) == kitchen) {
            waiting.unnoticed = false;
        }
    }

    /// Recovery by kind of fault, in milliseconds: from the fault to the last of the kitchen's orders leased again.
    #[must_use]
    pub fn recoveries(&self) -> BTreeMap<String, Spread> {
        let mut by_kind: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (fault, ms) in &self.recovered {
            by_kind.entry(self.told.faults[*fault].kind.clone()).or_default().push(*ms);
        }
        by_kind.into_iter().map(|(kind, times)| (kind, Spread::of(times))).collect()
    }

    /// Takeovers by kind of fault, in milliseconds: to the beginning of the new reign, and to its first 2xx.
    #[must_use]
    pub fn takeovers(&self) -> BTreeMap<String, (Spread, Spread)> {
        let mut by_kind: BTreeMap<String, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
        for (fault, at, position) in &self.reigns {
            let fault = &self.told.faults[*fault];
            let (reigns, answers) = by_kind.entry(fault.kind.clone()).or_default();
            reigns.push(at.saturating_sub(fault.at));
            answers.extend(self.told.first_placed_after(*position).map(|at| at.saturating_sub(fault.at)));
        }
        by_kind.into_iter().map(|(kind, (one, two))| (kind, (Spread::of(one), Spread::of(two)))).collect()
    }

    /// What the record alone tells.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(position: u64, at: Ms, event: &str, order: Option<u64>, kitchen: Option<&str>) -> Row {
        Row { position, at, event: event.into(), order, kitchen: kitchen.map(Into::into), ..Row::default() }
    }

    fn fault(at: Ms, kind: &str, target: &str) -> Fault {
        Fault { at, kind: kind.into(), target: target.into(), calm: Some(at + 5_000) }
    }

    fn recovered(position: u64, at: Ms, order: u64) -> Row {
        let (kind, from) = (Some("recover".to_owned()), Some("k1".to_owned()));
        Row { kind, from, ..row(position, at, "leased", Some(order), Some("k2")) }
    }

    #[test]
    fn recovery_ends_with_the_last_order_that_the_dead_kitchen_held_or_was_given_unnoticed() {
        let told = Told { faults: vec![fault(1_000, "kill-kitchen", "k1")], ..Told::default() };
        let mut measure = Measure::new(told);
        for row in [
            row(1, 900, "leased", Some(1), Some("k1")),
            row(2, 910, "leased", Some(2), Some("k1")),
            row(3, 920, "leased", Some(3), Some("k2")),
            row(4, 1_050, "leased", Some(4), Some("k1")),
            row(5, 1_100, "completed", Some(2), None),
            row(6, 2_500, "kitchen_lost", None, Some("k1")),
            row(7, 2_500, "lease_lost", Some(1), None),
            recovered(8, 2_510, 1),
            recovered(9, 2_600, 4),
            row(10, 4_000, "leased", Some(5), Some("k1")),
            recovered(11, 4_900, 5),
        ] {
            measure.row(&row);
        }
        assert_eq!(measure.recoveries()["kill-kitchen"], Spread::of(vec![1_600]));
    }

    #[test]
    fn a_fault_that_cost_no_lease_has_no_recovery() {
        let told = Told { faults: vec![fault(1_000, "delay", "k1")], ..Told::default() };
        let mut measure = Measure::new(told);
        measure.row(&row(1, 900, "leased", Some(1), Some("k1")));
        measure.row(&row(2, 1_050, "leased", Some(2), Some("k1")));
        measure.row(&row(3, 1_100, "leased", Some(2), Some("k2")));
        measure.row(&recovered(4, 17_000, 1));
        assert!(measure.recoveries().is_empty(), "{:?}", measure.recoveries());
    }

    #[test]
    fn a_takeover_is_measured_to_its_reign_and_to_its_first_answer() {
        let told = Told {
            faults: vec![fault(1_000, "kill-leader", "b1")],
            placed: vec![(1, 950), (5, 2_400), (6, 2_390)],
            ..Told::default()
        };
        let mut measure = Measure::new(told);
        measure.row(&row(1, 940, "accepted", Some(1), None));
        measure.row(&row(4, 2_100, "epoch_started", None, None));
        measure.row(&row(9, 7_100, "epoch_started", None, None));
        let (reign, answer) = measure.takeovers()["kill-leader"];
        assert_eq!((reign.max, answer.max, reign.count), (1_100, 1_390, 1));
    }

    #[test]
    fn faults_that_overlap_are_one_span_and_the_leaders_count_first() {
        let order = |due| Tried { due, took_us: due, placed: true };
        let long = Fault { calm: Some(20_000), ..fault(1_000, "cut", "k1") };
        let told = Told {
            faults: vec![long, fault(2_000, "kill-leader", "b1"), fault(3_000, "delay", "k2")],
            orders: vec![order(900), order(2_500), order(9_000), order(21_000)],
            ..Told::default()
        };
        let [ordinary, kitchen, leader] = told.latencies();
        assert_eq!((ordinary.1.count, kitchen.1.max, leader.1.max), (2, 9_000, 2_500));
    }

    #[test]
    fn a_position_was_come_to_when_the_first_answer_behind_it_was_here() {
        let told = Told { placed: vec![(2, 100), (5, 400), (7, 300)], ..Told::default() };
        let heard = Heard::of(&told);
        assert_eq!(
            [1, 2, 3, 5, 7, 8].map(|position| heard.at(position)),
            [Some(100), Some(100), Some(300), Some(300), Some(300), None]
        );
    }

    #[test]
    fn an_order_belongs_to_what_was_going_on_when_it_was_due() {
        let order = |due| Tried { due, took_us: due, placed: due != 7_000 };
        let told = Told {
            faults: vec![fault(1_000, "cut", "k1"), fault(9_000, "stop-leader", "b1")],
            orders: vec![order(500), order(1_500), order(6_500), order(7_000), order(9_001)],
            ..Told::default()
        };
        let [ordinary, kitchen, leader] = told.latencies();
        assert_eq!((ordinary.1.count, ordinary.2), (2, 1));
        assert_eq!((kitchen.1.max, leader.1.max), (1_500, 9_001));
    }
}
