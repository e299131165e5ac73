//! Walks a whole ledger and judges it from its events alone: chain, gaps, epochs, and what the promise says of orders.
//!
//! Shares no fold with the core on purpose: a core that applies wrongly would otherwise agree with itself.

use std::collections::BTreeMap;
use std::path::Path;

use balancer_core::event::{Accepted, Cause};
use balancer_core::{Event, KitchenNo};
use protocol::{Epoch, FencingToken, OrderId, Position, WallTime};

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
    /// Leased again after their kitchen was lost.
    pub recovered: u64,
    /// Moved before they were begun.
    pub reassigned: u64,
    /// Moved in mid-cooking.
    pub handovers: u64,
    /// Taken out of quarantine.
    pub requeued: u64,
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

/// One order as an outsider follows it.
#[derive(Debug)]
struct Story {
    token: Option<FencingToken>,
    holder: Option<KitchenNo>,
    /// How the newest lease came about.
    cause: Option<Cause>,
    /// How the next one must, if it comes from the queue.
    next: Cause,
    /// Cooking began under the newest token.
    started: bool,
    /// The end of the pause was told under the newest token.
    handed_over: bool,
    stages: u8,
    stages_done: u8,
    accepted_at: WallTime,
    /// Attempts that failed or were lost since it was accepted or released.
    ended_attempts: u64,
    end: Option<End>,
    /// How many orders had ended when it ended.
    ended_no: u64,
}

#[derive(Debug, Default)]
struct Tally {
    stale_refused: u64,
    recovered: u64,
    reassigned: u64,
    handovers: u64,
    requeued: u64,
}

#[derive(Debug, Default)]
struct Judge {
    orders: BTreeMap<OrderId, Story>,
    keys: BTreeMap<Box<str>, OrderId>,
    kitchens: u32,
    epoch: Epoch,
    last_order: u64,
    last_token: FencingToken,
    tally: Tally,
    ends: u64,
    key_window_ms: Option<u64>,
    reign_at: WallTime,
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
                judge.event(row.epoch, recorded.at, recorded.event).map_err(|why| (position, why))
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
        stale_refused: judge.tally.stale_refused,
        recovered: judge.tally.recovered,
        reassigned: judge.tally.reassigned,
        handovers: judge.tally.handovers,
        requeued: judge.tally.requeued,
        chain: verified.chain.to_string(),
    })
}

impl Story {
    fn accepted(stages: u8, accepted_at: WallTime) -> Self {
        Self {
            token: None,
            holder: None,
            cause: None,
            next: Cause::Dispatch,
            started: false,
            handed_over: false,
            stages,
            stages_done: 0,
            accepted_at,
            ended_attempts: 0,
            end: None,
            ended_no: 0,
        }
    }
}

impl Judge {
    fn event(&mut self, row: Epoch, at: WallTime, event: Event) -> Result<(), String> {
        match event {
            Event::EpochStarted { epoch } => {
                self.reign_at = at;
                ensure(epoch > self.epoch && epoch == row, || format!("epoch {epoch} begins after {}", self.epoch))?;
                self.epoch = epoch;
            }
            Event::Accepted(accepted) => self.accepted(*accepted, at)?,
            Event::Leased { order, token, kitchen, cause } => self.leased(order, token, kitchen, cause)?,
            Event::Started { order, token, stage } => self.started(order, token, stage)?,
            Event::StageDone { order, token, stage } => {
                let story = self.holder(order, token)?;
                ensure(stage >= story.stages_done && stage < story.stages, || {
                    format!("{order}: stage {stage} ends after {} of {}", story.stages_done, story.stages)
                })?;
                story.stages_done = stage + 1;
            }
            Event::AttemptFailed { order, token, .. } => self.attempt_ended(order, token, |_| Cause::Retry)?,
            Event::LeaseLost { order, token, cause } => {
                self.attempt_ended(order, token, |from| Cause::Recover { from, cause })?;
            }
            Event::Completed { order, token, .. } => {
                self.holder(order, token)?;
                self.ended(order, End::Completed)?;
            }
            Event::Cancelled { order, .. } => self.ended(order, End::Cancelled)?,
            Event::DeadLettered { order, strikes } => self.set_aside(order, strikes)?,
            Event::StaleRefused { order, token, .. } => {
                self.tally.stale_refused += 1;
                let story = self.orders.get(&order).ok_or_else(|| format!("{order} was never accepted"))?;
                let current = story.holder.is_some() && story.end.is_none() && story.token == Some(token);
                ensure(!current, || format!("{order}: the result of the current token {token} was refused"))?;
            }
            Event::Requeued { order, .. } => self.requeued(order)?,
            Event::HandedOver { order, token, .. } => self.handed_over(order, token)?,
            Event::MoveOrdered { order, to, .. } => {
                self.open(order)?;
                self.known(to)?;
            }
            Event::KitchenRegistered(registered) => {
                ensure(registered.kitchen.0 <= self.kitchens, || {
                    format!("{} is kitchen {} of {}", registered.id, registered.kitchen.0, self.kitchens)
                })?;
                self.kitchens = self.kitchens.max(registered.kitchen.0.saturating_add(1));
            }
            Event::KitchenLost { kitchen, .. }
            | Event::KitchenReturned { kitchen }
            | Event::KitchenScheduling { kitchen, .. }
            | Event::DrainStarted { kitchen, .. }
            | Event::Drained { kitchen } => self.known(kitchen)?,
            Event::MoveFailed { order, from, to, .. } => {
                ensure(self.orders.contains_key(&order), || format!("{order} was never accepted"))?;
                self.known(from)?;
                self.known(to)?;
            }
            Event::CityChanged { .. }
            | Event::PolicySet { .. }
            | Event::PolicyChanged { .. }
            | Event::RushStarted { .. }
            | Event::RushEnded { .. } => {}
            Event::KeyWindowSet { window_ms } => self.key_window_ms = Some(window_ms),
        }
        ensure(row == self.epoch, || format!("a row of epoch {row} after epoch {} began", self.epoch))
    }

    fn leased(&mut self, order: OrderId, token: FencingToken, kitchen: KitchenNo, cause: Cause) -> Result<(), String> {
        ensure(token > self.last_token, || format!("{order}: token {token} after {}", self.last_token))?;
        ensure(token.epoch == self.epoch, || format!("{order}: token {token} in epoch {}", self.epoch))?;
        self.known(kitchen)?;
        self.last_token = token;
        let story = self.open(order)?;
        match cause {
            Cause::Reassign { from, .. } | Cause::Handover { from, .. } => {
                ensure(story.holder == Some(from), || {
                    format!("{order}: moved by {token} from a kitchen that has it not")
                })?;
                ensure(from != kitchen, || format!("{order}: moved by {token} to the kitchen that has it"))?;
                let begun = matches!(cause, Cause::Handover { .. });
                ensure(story.started == begun, || format!("{order}: {token} moves as if it were begun: {begun}"))?;
            }
            Cause::Dispatch | Cause::Recover { .. } | Cause::Retry | Cause::Release => {
                ensure(story.holder.is_none(), || {
                    format!("{order}: leased by {token} while another kitchen holds it")
                })?;
                ensure(story.next == cause, || format!("{order}: {token} by {cause:?}, but {:?} was due", story.next))?;
            }
        }
        (story.token, story.holder, story.cause) = (Some(token), Some(kitchen), Some(cause));
        (story.started, story.handed_over) = (false, false);
        match cause {
            Cause::Recover { .. } => self.tally.recovered += 1,
            Cause::Reassign { .. } => self.tally.reassigned += 1,
            Cause::Handover { .. } => self.tally.handovers += 1,
            Cause::Dispatch | Cause::Retry | Cause::Release => {}
        }
        Ok(())
    }

    fn started(&mut self, order: OrderId, token: FencingToken, stage: u8) -> Result<(), String> {
        let story = self.holder(order, token)?;
        ensure(!story.started, || format!("{order}: begun twice under {token}"))?;
        ensure(stage <= story.stages, || format!("{order}: begun at stage {stage} of {}", story.stages))?;
        story.started = true;
        Ok(())
    }

    /// The pause ends once, and only where one began.
    fn handed_over(&mut self, order: OrderId, token: FencingToken) -> Result<(), String> {
        let story = self.holder(order, token)?;
        ensure(matches!(story.cause, Some(Cause::Handover { .. })), || {
            format!("{order}: handed over under {token}, which came by {:?}", story.cause)
        })?;
        ensure(!story.handed_over, || format!("{order}: handed over twice under {token}"))?;
        story.handed_over = true;
        Ok(())
    }

    fn attempt_ended(
        &mut self,
        order: OrderId,
        token: FencingToken,
        next: impl FnOnce(KitchenNo) -> Cause,
    ) -> Result<(), String> {
        let story = self.holder(order, token)?;
        if let Some(from) = story.holder.take() {
            story.next = next(from);
        }
        story.ended_attempts += 1;
        Ok(())
    }

    /// An order is set aside for what happened to it: not by more than that, and not while a kitchen has it.
    fn set_aside(&mut self, order: OrderId, strikes: u8) -> Result<(), String> {
        let story = self.open(order)?;
        ensure(story.holder.is_none(), || format!("{order}: set aside while a kitchen holds it"))?;
        ensure(strikes > 0 && u64::from(strikes) <= story.ended_attempts, || {
            format!("{order}: set aside for {strikes} attempts, but {} ended", story.ended_attempts)
        })?;
        self.ended(order, End::DeadLettered)
    }

    fn known(&self, kitchen: KitchenNo) -> Result<(), String> {
        ensure(kitchen.0 < self.kitchens, || format!("kitchen {} was never registered", kitchen.0))
    }

    fn requeued(&mut self, order: OrderId) -> Result<(), String> {
        let story = self.orders.get_mut(&order).ok_or_else(|| format!("{order} was never accepted"))?;
        ensure(story.end == Some(End::DeadLettered), || format!("{order} is released but was not in quarantine"))?;
        (story.end, story.holder, story.next, story.ended_attempts) = (None, None, Cause::Release, 0);
        self.tally.requeued += 1;
        Ok(())
    }

    fn accepted(&mut self, accepted: Accepted, at: WallTime) -> Result<(), String> {
        let Accepted { order, key, stages, .. } = accepted;
        ensure(order.0 == self.last_order + 1, || format!("{order} was accepted after o{}", self.last_order))?;
        self.last_order = order.0;
        self.orders.insert(order, Story::accepted(stages, at));
        let Some(other) = key.and_then(|key| self.keys.insert(key, order)) else { return Ok(()) };
        let forgotten = self.orders.get(&other).is_some_and(|story| self.may_forget(story, at));
        ensure(forgotten, || format!("{order} was accepted under the key of {other}"))
    }

    /// A key may come again once its order has ended and its time is over, which runs from the acceptance or from when the
    /// leader began; before there were key windows, once so many
    /// others had ended.
    fn may_forget(&self, story: &Story, at: WallTime) -> bool {
        match self.key_window_ms {
            Some(window_ms) => {
                let waits = matches!(story.end, None | Some(End::DeadLettered));
                !waits && at.ms_since(story.accepted_at.max(self.reign_at)) >= window_ms
            }
            None => story.end.is_some() && self.ends - story.ended_no >= balancer_core::limits::CLOSED_KEPT as u64,
        }
    }

    fn ended(&mut self, order: OrderId, how: End) -> Result<(), String> {
        self.ends += 1;
        let ends = self.ends;
        let story = self.open(order)?;
        (story.end, story.ended_no, story.holder) = (Some(how), ends, None);
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
mod tests;
