//! Moves of orders between kitchens: in flight, ended, and how many by pair in the last ten seconds.
//!
//! Owns the windows. A recovery is a move to look at, and is never counted as a migration.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use protocol::api::{HopKind, MigrationView, MoveResult};
use protocol::feed::FeedMove;
use protocol::{KitchenId, OrderId, WallTime};
use serde::{Deserialize, Serialize};

use crate::console::untrusted::Untrusted;

/// Seconds of the window.
pub const WINDOW: usize = 10;
/// The most ended moves kept.
const ENDED: usize = 200;
/// The most moves in flight kept.
const IN_FLIGHT: usize = 10_000;
/// A move whose end was never told is forgotten after this: a handover takes a second.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// One move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// When it began or ended.
    pub at: WallTime,
    /// The order.
    pub order: OrderId,
    /// The source's number.
    pub from: u32,
    /// The target's number.
    pub to: u32,
    /// How.
    pub kind: HopKind,
    /// Why.
    pub reason: Untrusted,
    /// How it ended.
    pub result: MoveResult,
    /// How long nobody had the order.
    pub pause_ms: Option<u64>,
}

/// Moves of one pair in the window.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Pair {
    migrated: [u32; WINDOW],
    recovered: [u32; WINDOW],
}

impl Pair {
    /// Migrations done.
    #[must_use]
    pub fn migrated(&self) -> u32 {
        self.migrated.iter().sum()
    }

    /// Orders recovered.
    #[must_use]
    pub fn recovered(&self) -> u32 {
        self.recovered.iter().sum()
    }

    /// Both.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.migrated() + self.recovered()
    }
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Moves {
    #[serde(with = "list")]
    in_flight: HashMap<OrderId, (Duration, Move)>,
    ended: VecDeque<Move>,
    #[serde(with = "list")]
    pairs: BTreeMap<(u32, u32), Pair>,
    /// Migrations done in the running second.
    pub second_migrated: u32,
    /// Orders recovered in the running second.
    pub second_recovered: u32,
}

impl Moves {
    /// Takes one from the feed.
    pub fn note(&mut self, from: &FeedMove, now: Duration) {
        let FeedMove { at, order, from, to, kind, ref reason, result, pause_ms } = *from;
        let moved = Move { at, order, from, to, kind, reason: Untrusted::new(reason), result, pause_ms };
        match result {
            MoveResult::InFlight => {
                if self.in_flight.len() < IN_FLIGHT {
                    self.in_flight.insert(order, (now, moved));
                }
                return;
            }
            MoveResult::Done if self.complete(&moved) => return,
            MoveResult::Done => self.count(&moved),
            MoveResult::Refused | MoveResult::TimedOut | MoveResult::LeaderLost | MoveResult::Skipped => {}
        }
        self.in_flight.remove(&order);
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(moved);
    }

    fn count(&mut self, moved: &Move) {
        let pair = self.pairs.entry((moved.from, moved.to)).or_default();
        match moved.kind {
            HopKind::Reassign | HopKind::Handover => {
                pair.migrated[WINDOW - 1] += 1;
                self.second_migrated += 1;
            }
            HopKind::Recover => {
                pair.recovered[WINDOW - 1] += 1;
                self.second_recovered += 1;
            }
            HopKind::Dispatch | HopKind::Retry | HopKind::Release => {}
        }
    }

    /// Takes the migrations of before this console looked, newest first; those it has seen end are not taken again. Says
    /// whether there were any.
    pub fn fill(&mut self, older: &[MigrationView], number: impl Fn(&KitchenId) -> Option<u32>) -> bool {
        let oldest = self.ended.front().map(|moved| moved.at);
        let mut taken = false;
        for view in older.iter().filter(|view| view.result != MoveResult::InFlight) {
            let (Some(order), Some(from), Some(to)) =
                (view.order, number(&view.from), view.to.as_ref().and_then(&number))
            else {
                continue;
            };
            let seen = self.ended.iter().any(|moved| moved.order == order && moved.at == view.at);
            if seen || oldest.is_some_and(|oldest| view.at > oldest) || self.ended.len() == ENDED {
                continue;
            }
            let MigrationView { at, kind, result, pause_ms, .. } = *view;
            let reason = Untrusted::new(&view.reason);
            self.ended.push_front(Move { at, order, from, to, kind, reason, result, pause_ms });
            taken = true;
        }
        taken
    }

    /// Orders that were seen here, the newest first.
    pub fn orders(&self) -> impl Iterator<Item = OrderId> {
        self.ended.iter().rev().map(|moved| moved.order).chain(self.in_flight.keys().copied())
    }

    /// The same move is told again with its pause: a handover's is known only when the target has begun.
    fn complete(&mut self, moved: &Move) -> bool {
        if moved.kind != HopKind::Handover || moved.pause_ms.is_none() {
            return false;
        }
        let known =
            self.ended.iter_mut().rev().take(ENDED).find(|known| {
                known.order == moved.order && known.kind == HopKind::Handover && known.pause_ms.is_none()
            });
        known.is_some_and(|known| {
            known.pause_ms = moved.pause_ms;
            true
        })
    }

    /// A second went by; says whether anything looks different.
    pub fn tick(&mut self, now: Duration) -> bool {
        let before = (self.pairs.len(), self.in_flight.len());
        (self.second_migrated, self.second_recovered) = (0, 0);
        for pair in self.pairs.values_mut() {
            pair.migrated.rotate_left(1);
            pair.recovered.rotate_left(1);
            (pair.migrated[WINDOW - 1], pair.recovered[WINDOW - 1]) = (0, 0);
        }
        self.pairs.retain(|_, pair| pair.total() > 0);
        self.in_flight.retain(|_, (since, _)| now.saturating_sub(*since) < FORGOTTEN);
        before.0 > 0 || before.1 != self.in_flight.len()
    }

    /// A new picture begins: what was in flight is told again, or is over. Numbers of kitchens may have changed.
    pub fn reset(&mut self) {
        self.in_flight.clear();
        self.ended.clear();
        self.pairs.clear();
    }

    /// Whether time alone changes the picture.
    #[must_use]
    pub fn moves(&self) -> bool {
        !self.pairs.is_empty() || !self.in_flight.is_empty()
    }

    /// Oldest first, with how long each has taken.
    #[must_use]
    pub fn in_flight(&self, now: Duration) -> Vec<(&Move, Duration)> {
        let mut all: Vec<_> =
            self.in_flight.values().map(|(since, moved)| (moved, now.saturating_sub(*since))).collect();
        all.sort_by_key(|(moved, _)| (moved.at, moved.order));
        all
    }

    /// How many are in flight.
    #[must_use]
    pub fn flying(&self) -> usize {
        self.in_flight.len()
    }

    /// Newest first.
    pub fn ended(&self) -> impl Iterator<Item = &Move> {
        self.ended.iter().rev()
    }

    /// All that are remembered, in no sequence.
    pub fn known(&self) -> impl Iterator<Item = &Move> {
        self.ended.iter().chain(self.in_flight.values().map(|(_, moved)| moved))
    }

    /// Kitchen pairs, the busiest first.
    #[must_use]
    pub fn pairs(&self) -> Vec<((u32, u32), Pair)> {
        let mut pairs: Vec<_> = self.pairs.iter().map(|(pair, counts)| (*pair, *counts)).collect();
        pairs.sort_by_key(|(pair, counts)| (std::cmp::Reverse(counts.total()), *pair));
        pairs
    }
}

/// Maps as lists of pairs, because a key of a JSON object is a string.
mod list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<'a, M, K, V, S>(map: &'a M, to: S) -> Result<S::Ok, S::Error>
    where
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
        S: Serializer,
    {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, M, K, V, D>(from: D) -> Result<M, D::Error>
    where
        M: FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}
