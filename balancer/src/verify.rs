//! Walks a whole ledger and judges it from its events alone: chain, gaps, epochs, and what the promise says of orders.
//!
//! Shares no fold with the core on purpose: a core that applies wrongly would otherwise agree with itself.

use std::collections::BTreeMap;
use std::path::Path;

use balancer_core::event::Cause;
use balancer_core::{Event, KitchenNo};
use protocol::{Epoch, FencingToken, OrderId, Position};

use crate::ledger::{self, ReadError};
use crate::recovery;

/// What a sound ledger holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Group commits.
    pub rows: u64,
    /// Events.
    pub events: u64,
    /// The last position.
    pub position: Position,
    /// The last reign.
    pub epoch: Epoch,
    /// Orders acknowledged.
    pub accepted: u64,
    /// Ended by cooking.
    pub completed: u64,
    /// Ended by cancelling.
    pub cancelled: u64,
    /// Set aside.
    pub dead_lettered: u64,
    /// Not ended.
    pub open: u64,
    /// Late results refused.
    pub stale_refused: u64,
    /// The chain's last value, to compare with a copy elsewhere.
    pub chain: String,
}

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Unsound {
    /// Unreadable, or damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Whole, but an event cannot be.
    #[error("position {position}: {why}")]
    Event {
        /// Where.
        position: Position,
        /// What.
        why: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Cancelled,
    DeadLettered,
}

#[derive(Debug, Default)]
struct Story {
    token: Option<FencingToken>,
    holder: Option<KitchenNo>,
    end: Option<End>,
    /// How many orders had ended when it ended.
    ended_no: u64,
}

#[derive(Debug, Default)]
struct Judge {
    orders: BTreeMap<OrderId, Story>,
    keys: BTreeMap<Box<str>, OrderId>,
    epoch: Epoch,
    last_order: u64,
    last_token: FencingToken,
    stale_refused: u64,
    ends: u64,
}

/// Walks the ledger in this directory.
///
/// # Errors
/// Names the first bad position and what is wrong there.
pub fn run(dir: &Path) -> Result<Report, Unsound> {
    let mut judge = Judge::default();
    let mut wrong: Option<(Position, String)> = None;
    let verified = ledger::verify(dir, |row| {
        if wrong.is_some() {
            return;
        }
        let judged = recovery::decode(row).map_err(|why| (row.first, why)).and_then(|events| {
            let positions = (row.first.0..).map(Position);
            events.into_iter().zip(positions).try_for_each(|(recorded, position)| {
                judge.event(row.epoch, recorded.event).map_err(|why| (position, why))
            })
        });
        wrong = judged.err();
    })?;
    if let Some((position, why)) = wrong {
        return Err(Unsound::Event { position, why });
    }
    let ended = |how: End| judge.orders.values().filter(|story| story.end == Some(how)).count() as u64;
    Ok(Report {
        rows: verified.rows,
        events: verified.events,
        position: verified.last,
        epoch: verified.epoch,
        accepted: judge.orders.len() as u64,
        completed: ended(End::Completed),
        cancelled: ended(End::Cancelled),
        dead_lettered: ended(End::DeadLettered),
        open: judge.orders.values().filter(|story| story.end.is_none()).count() as u64,
        stale_refused: judge.stale_refused,
        chain: verified.chain.to_string(),
    })
}

impl Judge {
    fn event(&mut self, row: Epoch, event: Event) -> Result<(), String> {
        match event {
            Event::EpochStarted { epoch } => {
                ensure(epoch > self.epoch && epoch == row, || format!("epoch {epoch} begins after {}", self.epoch))?;
                self.epoch = epoch;
            }
            Event::Accepted(accepted) => self.accepted(accepted.order, accepted.key)?,
            Event::Leased { order, token, kitchen, cause } => {
                ensure(token > self.last_token, || format!("{order}: token {token} after {}", self.last_token))?;
                ensure(token.epoch == self.epoch, || format!("{order}: token {token} in epoch {}", self.epoch))?;
                self.last_token = token;
                let story = self.open(order)?;
                let free = match cause {
                    Cause::Reassign { from, .. } | Cause::Handover { from, .. } => story.holder == Some(from),
                    Cause::Dispatch | Cause::Recover { .. } | Cause::Retry | Cause::Release => story.holder.is_none(),
                };
                ensure(free, || format!("{order}: leased by {token} while another kitchen holds it"))?;
                (story.token, story.holder) = (Some(token), Some(kitchen));
            }
            Event::Started { order, token, .. } | Event::StageDone { order, token, .. } => {
                self.holder(order, token).map(|_| ())?
            }
            Event::AttemptFailed { order, token, .. } | Event::LeaseLost { order, token, .. } => {
                self.holder(order, token)?.holder = None;
            }
            Event::Completed { order, token, .. } => {
                self.holder(order, token)?;
                self.ended(order, End::Completed)?;
            }
            Event::Cancelled { order, .. } => self.ended(order, End::Cancelled)?,
            Event::DeadLettered { order, .. } => self.ended(order, End::DeadLettered)?,
            Event::StaleRefused { order, token, .. } => {
                self.stale_refused += 1;
                let current = self
                    .orders
                    .get(&order)
                    .is_some_and(|story| story.holder.is_some() && story.end.is_none() && story.token == Some(token));
                ensure(!current, || format!("{order}: the result of the current token {token} was refused"))?;
            }
            Event::Requeued { order, .. } => self.requeued(order)?,
            Event::HandedOver { order, token, .. } => self.holder(order, token).map(|_| ())?,
            Event::CityChanged { .. }
            | Event::PolicySet { .. }
            | Event::DrainStarted { .. }
            | Event::MoveOrdered { .. }
            | Event::PolicyChanged { .. }
            | Event::KitchenRegistered(_)
            | Event::KitchenLost { .. }
            | Event::KitchenReturned { .. }
            | Event::KitchenScheduling { .. }
            | Event::MoveFailed { .. }
            | Event::RushStarted { .. }
            | Event::RushEnded { .. }
            | Event::Drained { .. } => {}
        }
        ensure(row == self.epoch, || format!("a row of epoch {row} after epoch {} began", self.epoch))
    }

    fn requeued(&mut self, order: OrderId) -> Result<(), String> {
        let story = self.orders.get_mut(&order).ok_or_else(|| format!("{order} was never accepted"))?;
        ensure(story.end == Some(End::DeadLettered), || format!("{order} is released but was not in quarantine"))?;
        (story.end, story.holder) = (None, None);
        Ok(())
    }

    fn accepted(&mut self, order: OrderId, key: Option<Box<str>>) -> Result<(), String> {
        ensure(order.0 == self.last_order + 1, || format!("{order} was accepted after o{}", self.last_order))?;
        self.last_order = order.0;
        self.orders.insert(order, Story::default());
        // A key may come again once its order is so old that the balancer has forgotten it.
        let kept = balancer_core::limits::CLOSED_KEPT as u64;
        let ends = self.ends;
        if let Some(other) = key.and_then(|key| self.keys.insert(key, order)) {
            let forgotten =
                self.orders.get(&other).is_some_and(|story| story.end.is_some() && ends - story.ended_no >= kept);
            ensure(forgotten, || format!("{order} was accepted under the key of {other}"))?;
        }
        Ok(())
    }

    fn ended(&mut self, order: OrderId, how: End) -> Result<(), String> {
        self.ends += 1;
        let ends = self.ends;
        let story = self.open(order)?;
        (story.end, story.ended_no) = (Some(how), ends);
        Ok(())
    }

    fn open(&mut self, order: OrderId) -> Result<&mut Story, String> {
        let story = self.orders.get_mut(&order).ok_or_else(|| format!("{order} was never accepted"))?;
        match story.end {
            None => Ok(story),
            Some(end) => Err(format!("{order} has ended already: {end:?}")),
        }
    }

    fn holder(&mut self, order: OrderId, token: FencingToken) -> Result<&mut Story, String> {
        let story = self.open(order)?;
        if story.holder.is_some() && story.token == Some(token) {
            Ok(story)
        } else {
            Err(format!("{order}: token {token} is not the newest lease"))
        }
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

#[cfg(test)]
mod tests {
    use balancer_core::event::{Accepted, LossCause, MoveReason};
    use protocol::Priority;
    use protocol::city::ZoneNo;

    use super::*;

    fn token(counter: u64) -> FencingToken {
        FencingToken { epoch: Epoch(1), counter }
    }

    fn accepted(order: u64, key: Option<&str>) -> Event {
        Event::Accepted(Box::new(Accepted {
            order: OrderId(order),
            items: Vec::new(),
            zone: ZoneNo(0),
            customer: None,
            priority: Priority::Normal,
            key: key.map(Into::into),
            stages: 1,
            rush: false,
        }))
    }

    fn leased(order: u64, kitchen: u32, counter: u64, cause: Cause) -> Event {
        Event::Leased { order: OrderId(order), kitchen: KitchenNo(kitchen), token: token(counter), cause }
    }

    fn judge(events: Vec<Event>) -> Result<(), String> {
        let mut judge = Judge::default();
        let begin = Event::EpochStarted { epoch: Epoch(1) };
        std::iter::once(begin).chain(events).try_for_each(|event| judge.event(Epoch(1), event))
    }

    #[test]
    fn two_kitchens_at_once_are_unsound_unless_the_first_gave_it_back() {
        let twice = vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), leased(1, 1, 2, Cause::Retry)];
        assert!(judge(twice).expect_err("two holders").contains("while another kitchen holds it"));
        let moved = Cause::Reassign { from: KitchenNo(0), reason: MoveReason::Overload, pause_ms: 1 };
        assert_eq!(judge(vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), leased(1, 1, 2, moved)]), Ok(()));
        let lost = Event::LeaseLost { order: OrderId(1), token: token(1), cause: LossCause::LeaseExpired };
        let again = leased(1, 1, 2, Cause::Recover { from: KitchenNo(0), cause: LossCause::LeaseExpired });
        assert_eq!(judge(vec![accepted(1, None), leased(1, 0, 1, Cause::Dispatch), lost, again]), Ok(()));
    }

    #[test]
    fn a_completion_under_an_old_token_a_second_one_and_a_reused_key_are_unsound() {
        let done = |counter| Event::Completed { order: OrderId(1), token: token(counter), cooked_ms: 1 };
        let start = || vec![accepted(1, Some("k")), leased(1, 0, 1, Cause::Dispatch)];
        let with = |more: Vec<Event>| judge(start().into_iter().chain(more).collect());
        assert_eq!(with(vec![done(1)]), Ok(()));
        assert!(with(vec![done(1), done(1)]).expect_err("twice").contains("has ended already"));
        assert!(with(vec![done(7)]).expect_err("another token").contains("not the newest lease"));
        assert!(with(vec![accepted(2, Some("k"))]).expect_err("the same key").contains("under the key of o1"));
    }
}
