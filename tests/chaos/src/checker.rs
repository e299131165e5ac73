//! The judge: the record of what was promised against the dump of what is true.
//!
//! ```text
//! record ─▶ Promises ─┐
//! dump, row by row ───┴─▶ Checker ─▶ Verdict      chef's own /proof is only compared with, never believed
//! ```
//! - I1: every order answered 2xx has exactly one acceptance, and has ended.
//! - I2: one acceptance per key; the same key is the same order in every answer.
//! - I3: at most one completion, under the order's newest token, while it was held.
//! - I4: tokens only grow, each in its leader's epoch. I5: positions are gapless, epochs never fall.
//! - I6 as far as it can be seen: an acknowledged order stands at the position its answer named.
//! - I7: at the position of the proof, its counts are those of this fold; nothing is lost, nothing is twice.
//! - What operators wished: an order is cancelled if somebody said so, and stays so if that was answered 2xx; it is set
//!   aside after three attempts that failed or were lost (attempts.rs); a closed kitchen is leased nothing.
//!
//! Shares no fold and no type with the product. Reads each row once: a dump may be larger than memory.

mod attempts;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Result;
use crate::client::Proof;
use crate::dump::{Row, Token, order};
use crate::record::{self, Line};
use attempts::Attempts;

/// So many violations are told in full; the rest are counted.
const SHOWN: usize = 20;

/// What customers were told, by key.
#[derive(Debug, Default)]
pub struct Promises {
    told: BTreeMap<String, Told>,
    bodies: BTreeMap<String, String>,
    /// Orders that somebody called off, and whether that was answered 2xx.
    cancels: BTreeMap<u64, bool>,
    violations: Violations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    order: u64,
    position: u64,
}

impl Promises {
    /// Reads them from a record.
    ///
    /// # Errors
    /// It is no record.
    pub fn read(path: &Path) -> Result<Self> {
        let mut promises = Self::default();
        record::read(path, |line| promises.line(&line))?;
        Ok(promises)
    }

    /// Takes one line.
    pub fn line(&mut self, line: &Line) {
        match line {
            Line::Sent { key, body, .. } => {
                let first = self.bodies.entry(key.clone()).or_insert_with(|| body.clone());
                if first != body {
                    self.violations.add("record", || format!("{key} was sent with two bodies"));
                }
            }
            Line::Got { key, status: Some(200..=299), order, position, .. } => {
                let told = order.as_deref().and_then(order_of).zip(*position);
                match told {
                    Some((order, position)) => self.told(key, Told { order, position }),
                    None => self.violations.add("I1", || format!("{key}: a 2xx without an order or its position")),
                }
            }
            Line::Cancel { order, status, .. } => match order_of(order) {
                Some(order) => *self.cancels.entry(order).or_default() |= matches!(status, Some(200..=299)),
                None => self.violations.add("record", || format!("{order} was called off and is no order")),
            },
            Line::Got { .. } | Line::Ended { .. } | Line::Fault { .. } | Line::Healed { .. } => {}
        }
    }

    fn told(&mut self, key: &str, told: Told) {
        let first = *self.told.entry(key.to_owned()).or_insert(told);
        if first.order != told.order {
            self.violations.add("I2", || format!("{key} was answered with o{} and with o{}", first.order, told.order));
        } else if first.position != told.position {
            let (one, two) = (first.position, told.position);
            self.violations.add("I6", || format!("{key} was said to stand at {one} and at {two}"));
        }
    }

    /// Orders that were answered 2xx.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.told.len()
    }
}

fn order_of(text: &str) -> Option<u64> {
    order(text).ok()
}

/// What was found wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations {
    /// How many.
    pub count: u64,
    /// The first of them, with the invariant's name.
    pub first: Vec<String>,
}

impl Violations {
    /// One more.
    pub fn add(&mut self, invariant: &str, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(format!("{invariant}: {}", what()));
        }
    }
}

/// The numbers of the fold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the proof")]
pub struct Counts {
    pub accepted: u64,
    pub completed: u64,
    pub cancelled: u64,
    pub dead_lettered: u64,
    pub stale_refused: u64,
}

impl Counts {
    /// Accepted and not ended.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.accepted.saturating_sub(self.completed + self.cancelled + self.dead_lettered)
    }
}

/// The judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong.
    pub violations: Violations,
    /// At the end of the dump.
    pub counts: Counts,
    /// Orders answered 2xx.
    pub acknowledged: u64,
    /// Of those, not in the dump.
    pub lost: u64,
    /// Orders with more than one completion.
    pub twice: u64,
    /// Events.
    pub events: u64,
    /// The last epoch.
    pub epoch: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.count == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled,
    DeadLettered,
}

#[derive(Debug, Default)]
struct Story {
    position: u64,
    token: Option<Token>,
    held: bool,
    end: Option<End>,
    completions: u32,
    attempts: Attempts,
}

/// Folds a dump.
#[derive(Debug)]
pub struct Checker {
    promises: Promises,
    proof: Proof,
    orders: BTreeMap<u64, Story>,
    keys: BTreeMap<String, u64>,
    /// Kitchens that may be given nothing.
    closed: BTreeSet<String>,
    verdict: Verdict,
    position: Option<u64>,
    compared: bool,
    tokens: Option<Token>,
}

impl Checker {
    /// For these promises; `proof` was taken before the city was stopped.
    #[must_use]
    pub fn new(promises: Promises, proof: Proof) -> Self {
        let verdict = Verdict {
            violations: promises.violations.clone(),
            acknowledged: promises.told.len() as u64,
            ..Verdict::default()
        };
        Self {
            promises,
            proof,
            orders: BTreeMap::new(),
            keys: BTreeMap::new(),
            closed: BTreeSet::new(),
            verdict,
            position: None,
            compared: false,
            tokens: None,
        }
    }

    fn wrong(&mut self, invariant: &str, row: &Row, what: &str) {
        let subject = row.order.map_or_else(String::new, |order| format!("o{order} "));
        self.verdict.violations.add(invariant, || format!("position {}: {subject}{what}", row.position));
    }

    /// Takes the next row.
    pub fn row(&mut self, row: &Row) {
        self.verdict.events += 1;
        self.sequence(row);
        match row.event.as_str() {
            "accepted" => self.accepted(row),
            "leased" => self.leased(row),
            "started" | "stage_done" | "handed_over" => self.newest(row),
            "attempt_failed" | "lease_lost" => {
                self.newest(row);
                self.story(row, |story| story.held = false);
            }
            "drain_started" | "kitchen_scheduling" => self.scheduling(row),
            "completed" => self.completed(row),
            "cancelled" => self.ended(row, End::Cancelled),
            "dead_lettered" => self.ended(row, End::DeadLettered),
            "requeued" => self.requeued(row),
            "stale_refused" => self.stale_refused(row),
            _ => {}
        }
        if let Some(story) = row.order.and_then(|order| self.orders.get_mut(&order)) {
            story.attempts.row(row);
        }
        if row.position == self.proof.position {
            self.compare(row);
        }
    }

    fn sequence(&mut self, row: &Row) {
        let expected = self.position.map_or(1, |last| last + 1);
        if row.position != expected {
            self.wrong("I5", row, &format!("follows {}: there is a gap or a repetition", expected - 1));
        }
        self.position = Some(row.position);
        let begins = row.event == "epoch_started";
        if row.epoch < self.verdict.epoch {
            self.wrong("I5", row, &format!("epoch {} after {}", row.epoch, self.verdict.epoch));
        } else if begins == (row.epoch == self.verdict.epoch) {
            let how = if begins { "began a second time" } else { "has no beginning" };
            self.wrong("I5", row, &format!("epoch {} {how}", row.epoch));
        }
        self.verdict.epoch = self.verdict.epoch.max(row.epoch);
    }

    fn accepted(&mut self, row: &Row) {
        self.verdict.counts.accepted += 1;
        let Some(order) = row.order else { return self.wrong("I1", row, "an acceptance without an order") };
        let story = Story { position: row.position, ..Story::default() };
        if self.orders.insert(order, story).is_some() {
            self.wrong("I1", row, "was accepted twice");
        }
        if let Some(key) = &row.key {
            match self.keys.insert(key.clone(), order) {
                Some(other) => self.wrong("I2", row, &format!("was accepted under {key}, the key of o{other}")),
                None if !self.promises.bodies.contains_key(key) => {
                    self.wrong("I2", row, &format!("has the key {key}, which nobody sent"));
                }
                None => {}
            }
        } else if !row.rush {
            self.wrong("I2", row, "has no key, and no rush made it: nobody sent it");
        }
    }

    fn scheduling(&mut self, row: &Row) {
        let Some(kitchen) = row.kitchen.clone() else { return };
        match (row.event.as_str(), row.schedulable.as_deref()) {
            ("kitchen_scheduling", Some("open")) => _ = self.closed.remove(&kitchen),
            // Of a kitchen that said goodbye nothing is wanted until it is there again.
            ("kitchen_scheduling", Some("retired")) => {}
            _ => _ = self.closed.insert(kitchen),
        }
    }

    fn leased(&mut self, row: &Row) {
        let Some(token) = row.token else { return self.wrong("I4", row, "a lease without a token") };
        if self.tokens.is_some_and(|last| token <= last) {
            self.wrong("I4", row, &format!("token {token} is not above every earlier one"));
        }
        if token.epoch != row.epoch {
            self.wrong("I4", row, &format!("token {token} in epoch {}", row.epoch));
        }
        self.tokens = self.tokens.max(Some(token));
        let moved = matches!(row.kind.as_deref(), Some("reassign" | "handover"));
        let (held, ended) = self.order(row).map_or((false, false), |story| (story.held, story.end.is_some()));
        if held != moved {
            self.wrong(
                "I3",
                row,
                if held { "is leased while another kitchen holds it" } else { "is moved, but nobody holds it" },
            );
        }
        if ended {
            self.wrong("I3", row, "is leased after its end");
        }
        if let Some(kitchen) = row.kitchen.as_ref().filter(|kitchen| self.closed.contains(*kitchen)) {
            self.wrong("closed", row, &format!("is leased to {kitchen}, which is closed"));
        }
        self.story(row, |story| (story.token, story.held) = (Some(token), true));
    }

    /// The event must be under the order's newest token, and somebody must hold it.
    fn newest(&mut self, row: &Row) {
        let fits = self.order(row).is_some_and(|story| story.held && story.end.is_none() && story.token == row.token);
        if !fits {
            let token = row.token.map_or_else(|| "no token".into(), |token| format!("token {token}"));
            self.wrong("I3", row, &format!("{} under {token}, which is not its lease", row.event));
        }
    }

    fn completed(&mut self, row: &Row) {
        self.newest(row);
        self.story(row, |story| story.completions += 1);
        self.ended(row, End::Completed);
    }

    fn ended(&mut self, row: &Row, how: End) {
        match how {
            End::Completed => self.verdict.counts.completed += 1,
            End::Cancelled => self.verdict.counts.cancelled += 1,
            End::DeadLettered => {
                self.verdict.counts.dead_lettered += 1;
                if let Some(wrong) = self.order(row).and_then(|story| story.attempts.not_enough(row)) {
                    self.wrong("attempts", row, &wrong);
                }
            }
        }
        if self.order(row).is_some_and(|story| story.end.is_some()) {
            self.wrong("I1", row, "ends a second time");
        }
        self.story(row, |story| (story.end, story.held) = (Some(how), false));
    }

    fn requeued(&mut self, row: &Row) {
        if self.order(row).is_none_or(|story| story.end != Some(End::DeadLettered)) {
            self.wrong("I1", row, "is released, but was not in quarantine");
        }
        self.verdict.counts.dead_lettered = self.verdict.counts.dead_lettered.saturating_sub(1);
        self.story(row, |story| story.end = None);
    }

    fn stale_refused(&mut self, row: &Row) {
        self.verdict.counts.stale_refused += 1;
        if self.order(row).is_some_and(|story| story.held && story.token == row.token) {
            self.wrong("I3", row, "the result of the current lease was refused as stale");
        }
    }

    fn order(&self, row: &Row) -> Option<&Story> {
        self.orders.get(&row.order?)
    }

    fn story(&mut self, row: &Row, change: impl FnOnce(&mut Story)) {
        match row.order.and_then(|order| self.orders.get_mut(&order)) {
            Some(story) => change(story),
            None => self.wrong("I1", row, &format!("{} of an order that was never accepted", row.event)),
        }
    }

    fn compare(&mut self, row: &Row) {
        self.compared = true;
        let (own, proof) = (self.verdict.counts, self.proof);
        let pairs = [
            ("accepted", own.accepted, proof.accepted),
            ("open", own.open(), proof.open),
            ("completed", own.completed, proof.completed),
            ("cancelled", own.cancelled, proof.cancelled),
            ("dead-lettered", own.dead_lettered, proof.dead_lettered),
            ("stale refused", own.stale_refused, proof.stale_refused),
        ];
        for (name, own, said) in pairs {
            if own != said {
                self.wrong("I7", row, &format!("the proof says {said} {name}, the ledger {own}"));
            }
        }
    }

    /// Ends the fold.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        let mut wrong = std::mem::take(&mut self.verdict.violations);
        for (key, told) in &self.promises.told {
            let story = self.orders.get(&told.order);
            let at = story.map(|story| story.position);
            if self.keys.get(key) != Some(&told.order) {
                self.verdict.lost += 1;
                wrong.add("I1", || format!("{key}: o{} was acknowledged and is not in the ledger", told.order));
            } else if at != Some(told.position) {
                wrong.add("I6", || format!("{key}: said to stand at {}, stands at {at:?}", told.position));
            }
        }
        for (order, story) in &self.orders {
            if story.end.is_none() {
                wrong.add("I1", || format!("o{order} has not ended"));
            }
            let asked = self.promises.cancels.get(order);
            if story.end == Some(End::Cancelled) && asked.is_none() {
                wrong.add("cancel", || format!("o{order} is cancelled, and nobody called it off"));
            }
            if asked == Some(&true) && story.end.is_some_and(|end| end != End::Cancelled) {
                wrong.add("cancel", || format!("o{order} was said to be cancelled, and is {:?}", story.end));
            }
            if story.completions > 1 {
                self.verdict.twice += 1;
                wrong.add("I3", || format!("o{order} was completed {} times", story.completions));
            }
        }
        if !self.compared {
            wrong.add("I7", || format!("the ledger has no position {}, which the proof names", self.proof.position));
        }
        if (self.proof.lost, self.proof.twice) != (0, 0) {
            wrong.add("I7", || format!("the proof says {} lost, {} twice", self.proof.lost, self.proof.twice));
        }
        Verdict { violations: wrong, ..self.verdict }
    }
}
