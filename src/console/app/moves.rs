//! Moves of orders between kitchens: in flight, ended, and how many by pair in the last ten seconds.
//!
//! Owns the windows. A recovery is a move to look at, and is never counted as a migration.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use protocol::api::{HopKind, MoveResult};
use protocol::feed::FeedMove;
use protocol::{OrderId, WallTime};

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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, Default)]
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
#[derive(Debug, Clone, Default)]
pub struct Moves {
    in_flight: HashMap<OrderId, (Duration, Move)>,
    ended: VecDeque<Move>,
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
            MoveResult::Done => self.count(&moved),
            MoveResult::Refused | MoveResult::TimedOut | MoveResult::Skipped => {}
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

    /// Kitchen pairs, the busiest first.
    #[must_use]
    pub fn pairs(&self) -> Vec<((u32, u32), Pair)> {
        let mut pairs: Vec<_> = self.pairs.iter().map(|(pair, counts)| (*pair, *counts)).collect();
        pairs.sort_by_key(|(pair, counts)| (std::cmp::Reverse(counts.total()), *pair));
        pairs
    }
}
