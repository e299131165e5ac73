//! Figures: the proof, the pipeline, alarms, balancers, and the seconds they are counted in.
//!
//! Owns what a second was. Never computes a rate: the feed carries it.

use std::time::Duration;

use protocol::api::{Alert, BalancerView, Kpi, Proof, RushView};
use protocol::feed::{Flow, Frame};
use protocol::{Epoch, Position, WallTime};
use serde::{Deserialize, Serialize};

use super::{Change, City};
use crate::console::app::remarks::{Alarm, Balancer};
use crate::console::app::series::{Moved, STEP_S, Second};
use crate::console::untrusted::Untrusted;

/// The balancer's rates are of so many milliseconds.
const WINDOW_MS: u64 = 10_000;

/// The pipeline, made harmless.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pipeline {
    /// The figures; its texts are emptied.
    pub raw: Flow,
    /// Stages and how many orders are in each.
    pub stages: Vec<(Untrusted, u64)>,
    /// How a kitchen is chosen.
    pub algorithm: Untrusted,
    /// Where the rush is.
    pub rush_zone: Option<Untrusted>,
}

impl City {
    pub(super) fn figures(&mut self, frame: &Frame, change: &mut Change) {
        if let Some(proof) = frame.proof {
            let figures = |proof: &Proof| Proof { position: Position(0), epoch: Epoch(0), ..*proof };
            change.visible |= self.proof.is_none_or(|before| figures(&before) != figures(&proof));
            if let Some(before) = self.accepted_before {
                let more = u32::try_from(proof.accepted.saturating_sub(before)).unwrap_or(u32::MAX);
                self.second.accepted = Some(self.second.accepted.unwrap_or(0).saturating_add(more));
            }
            self.accepted_before = Some(proof.accepted);
            self.proof = Some(proof);
        }
        if let Some(alerts) = &frame.alerts {
            let alarm = |alert: &Alert| Alarm {
                name: Untrusted::new(&alert.name),
                text: Untrusted::new(&alert.text),
                since: alert.since,
            };
            let alerts = alerts.iter().map(alarm).collect();
            change.urgent |= self.alerts != alerts;
            self.alerts = alerts;
        }
        if let Some(balancers) = &frame.balancers {
            let followers = balancers.iter().filter(|balancer| balancer.role == "standby");
            let standby = |balancer: &BalancerView| Balancer {
                id: Untrusted::new(&balancer.id),
                url: Untrusted::new(balancer.url.as_deref().unwrap_or_default()),
                position: balancer.position,
            };
            let standbys = followers.map(standby).collect();
            let leader = balancers.iter().find(|balancer| balancer.role == "leader").and_then(|one| one.url.as_deref());
            self.leader_url = Untrusted::new(leader.unwrap_or_default());
            change.visible |= self.standbys != standbys;
            self.standbys = standbys;
        }
        if let Some(flow) = &frame.flow {
            // The balancer counts under its own reign, so the first figure of a reign is no difference.
            if let Some(before) = self.refused_before.replace(flow.shed) {
                let more = u32::try_from(flow.shed.saturating_sub(before)).unwrap_or(u32::MAX);
                self.second.refused = self.second.refused.saturating_add(more);
            }
            let flow = pipeline(flow);
            change.visible |= self.flow.as_ref() != Some(&flow);
            self.flow = Some(flow);
        }
    }

    /// Lets time pass up to `now`; says which charts moved.
    pub fn advance(&mut self, now: Duration, linked: bool) -> Moved {
        let mut moved = Moved::default();
        let behind = now.as_secs().saturating_sub(self.second_no);
        // After a stop (ctrl-z) more than the charts hold has gone by.
        for _ in 0..behind.min(crate::console::app::series::SECONDS as u64) {
            moved.rows |= self.catch_up_by(Duration::from_secs(self.second_no + 1));
            moved |= self.close_second(now, linked);
        }
        self.second_no = self.second_no.max(now.as_secs());
        moved.rows |= self.catch_up_by(now);
        moved
    }

    fn close_second(&mut self, now: Duration, linked: bool) -> Moved {
        self.second_no += 1;
        let known = linked && self.known;
        let counted = self.second.accepted.or(self.accepted_before.map(|_| 0));
        let second = Second {
            known,
            accepted: counted.filter(|_| known),
            moves: self.moves.second_migrated,
            recovered: self.moves.second_recovered,
            lost: self.second.lost,
            hot: if known { self.hot } else { 0 },
            p99_ms: self.flow.as_ref().and_then(|flow| flow.raw.kpi.p99_ms).filter(|_| known),
            rush: known && self.rush().is_some(),
            refused: self.second.refused,
            new_leader: self.second.new_leader,
        };
        self.second = Second::default();
        let mut moved = self.series.push(second);
        moved.pairs = self.moves.tick(now);
        if self.second_no.is_multiple_of(STEP_S) {
            for kitchen in &mut self.kitchens {
                moved.sparks |= kitchen.spark.step(if known { kitchen.load() } else { 0.0 });
            }
        }
        moved
    }

    /// Which charts time alone changes.
    #[must_use]
    pub fn ages(&self) -> Moved {
        let mut moves = self.series.moves();
        moves.pairs = self.moves.moves();
        moves.rate |= self.second.is_busy();
        moves.timeline |= !self.second.is_blank();
        moves
    }

    /// Whether a rate is one: a new leader has counted nothing until its window is filled, and says 0 until then.
    #[must_use]
    pub fn counts_yet(&self, per_second: f64) -> bool {
        per_second > 0.0 || self.reign_since.is_none_or(|since| self.at.ms_since(since) >= WINDOW_MS)
    }

    /// When this console began to see, by the balancer's clock; absent where the charts go back further.
    #[must_use]
    pub fn seen_since(&self, seconds: usize) -> Option<WallTime> {
        let known_for = self.series.known_for();
        (self.known && known_for < seconds).then(|| WallTime(self.at.0.saturating_sub(known_for as u64 * 1_000)))
    }

    /// The key figures.
    #[must_use]
    pub fn kpi(&self) -> Option<&Kpi> {
        self.flow.as_ref().map(|flow| &flow.raw.kpi)
    }

    /// The rush that runs.
    #[must_use]
    pub fn rush(&self) -> Option<&RushView> {
        self.flow.as_ref().and_then(|flow| flow.raw.rush.as_ref())
    }

    /// Where the rush is, as the balancer names it.
    #[must_use]
    pub fn rush_zone(&self) -> Option<String> {
        let zone = self.flow.as_ref().and_then(|flow| flow.rush_zone.as_ref())?;
        self.zones.iter().find(|known| known.name == *zone).map(|known| known.raw.clone())
    }
}

/// Takes the texts out of a flow.
fn pipeline(flow: &Flow) -> Pipeline {
    let mut raw = flow.clone();
    let stages = raw.stages.drain(..).map(|(name, count)| (Untrusted::new(&name), count)).collect();
    let algorithm = Untrusted::new(&std::mem::take(&mut raw.algorithm));
    let rush_zone = raw.rush.as_mut().and_then(|rush| rush.zone.take()).map(|zone| Untrusted::new(&zone));
    if let Some(rush) = &mut raw.rush {
        rush.left_ms = rush.left_ms.div_ceil(1_000) * 1_000; // shown in seconds
    }
    Pipeline { raw, stages, algorithm, rush_zone }
}
