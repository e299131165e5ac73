//! Finished orders whose end is not durable at the balancer yet.
//!
//! Owns what is repeated and until when: a report is kept from the end of cooking to its `Settled`, through any number
//! of lost connections, because the work is done and only the news is missing. Never asks for the lease: whether the
//! result still counts is the balancer's to say.

use std::time::Duration;

use protocol::FencingToken;
use protocol::link::{AgentMessage, LeaseName, OUTPUT_MAX};

use super::{Agent, OrderId};

/// With so many unsettled reports no further order is taken, so at most this many and one capacity more are ever kept:
/// a tenth of a second of the fastest kitchen, and 1 MB. Declining loses nothing, dropping a report would lose work.
pub const UNSETTLED_MAX: usize = 10_000;

/// How an order ended here.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) token: FencingToken,
    outcome: Outcome,
    told: Duration,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Completed { cooked_ms: u32 },
    Failed { stage: u8, output: String },
}

impl Outcome {
    pub(super) fn failed(stage: u8, output: String) -> Self {
        Self::Failed { stage, output: tail(output) }
    }
}

impl Report {
    pub(super) fn new(token: FencingToken, outcome: Outcome) -> Self {
        Self { token, outcome, told: Duration::ZERO }
    }

    fn message(&self, order: OrderId) -> AgentMessage {
        let lease = LeaseName { order, token: self.token };
        match &self.outcome {
            Outcome::Completed { cooked_ms } => AgentMessage::Completed { lease, cooked_ms: *cooked_ms },
            Outcome::Failed { stage, output } => AgentMessage::Failed { lease, stage: *stage, output: output.clone() },
        }
    }
}

impl Agent {
    /// Keeps the report, and tells it if somebody listens.
    pub(super) fn report(&mut self, now: Duration, order: OrderId, mut report: Report) {
        if self.connected() {
            report.told = now;
            self.send(report.message(order));
        }
        self.reports.insert(order, report);
    }

    /// Tells again what was last told `patience` ago or longer.
    pub(super) fn repeat_reports(&mut self, now: Duration, patience: Duration) {
        for (&order, report) in &mut self.reports {
            if report.told + patience <= now {
                report.told = now;
                self.outbox.push(super::Effect::Send(report.message(order)));
            }
        }
    }

    pub(super) fn settled(&mut self, lease: LeaseName, stale: bool) {
        if self.has_report(lease) {
            self.reports.remove(&lease.order);
            self.counters.stale += u64::from(stale);
        }
    }

    pub(super) fn has_report(&self, lease: LeaseName) -> bool {
        self.reports.get(&lease.order).is_some_and(|report| report.token == lease.token)
    }
}

/// The end of the text, at most [`OUTPUT_MAX`] bytes: that is where a command says why it failed.
fn tail(output: String) -> String {
    match output.len().checked_sub(OUTPUT_MAX) {
        None | Some(0) => output,
        Some(excess) => output[output.ceil_char_boundary(excess)..].to_owned(),
    }
}
