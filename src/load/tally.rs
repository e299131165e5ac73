//! What a load test measured.
//!
//! Owns the histogram, the counts and how they are reported. Latencies run from the moment an order was *meant* to be
//! sent to its acknowledgement, retries and waiting included: a stalled balancer cannot hide its own stall.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use protocol::OrderId;
use serde::Serialize;

use super::settle::Outcome;
use crate::client::Client;
use crate::output::{self, pairs};

/// Counts while the load runs.
#[derive(Debug)]
pub(super) struct Tally {
    ack: Histogram<u64>,
    pub(super) accepted: Vec<OrderId>,
    errors: BTreeMap<String, u64>,
    /// Orders inside an accepted batch that were asked to come again later.
    pub(super) shed: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { ack: histogram(), accepted: Vec::new(), errors: BTreeMap::new(), shed: 0 }
    }

    pub(super) fn accepted(&mut self, id: OrderId, latency: Duration) {
        record(&mut self.ack, latency);
        self.accepted.push(id);
    }

    pub(super) fn failed(&mut self, code: &str) {
        *self.errors.entry(protocol::text::clean(code, 60)).or_default() += 1;
    }

    /// The report, before it is known how the orders ended.
    pub(super) fn report(&self, asked: u32, took: Duration, client: &Client) -> Report {
        let accepted = self.accepted.len() as u64;
        Report {
            orders: asked.into(),
            accepted,
            failed: self.errors.values().sum(),
            errors: self.errors.clone(),
            shed: client.shed() + self.shed,
            retries: client.retries(),
            reconnects: client.reconnects(),
            seconds: took.as_secs_f64(),
            throughput_per_s: accepted as f64 / took.as_secs_f64().max(1e-9),
            ack: Percentiles::of(&self.ack),
            ended: None,
            proof_holds: None,
        }
    }
}

/// A histogram of microseconds: 1 us to 1 h, three significant digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("constant bounds that the crate documents as valid")
}

pub(super) fn record(histogram: &mut Histogram<u64>, value: Duration) {
    histogram.saturating_record(u64::try_from(value.as_micros()).unwrap_or(u64::MAX).max(1));
}

/// Of a distribution, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is the percentile of its name")]
pub struct Percentiles {
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Percentiles {
    pub(super) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: histogram.max() as f64 / 1e3,
        })
    }

    fn words(self) -> String {
        let one = |ms: f64| output::duration(Duration::from_secs_f64(ms / 1e3));
        let Self { p50_ms, p90_ms, p99_ms, max_ms } = self;
        format!("p50 {}  p90 {}  p99 {}  max {}", one(p50_ms), one(p90_ms), one(p99_ms), one(max_ms))
    }
}

/// What a load test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Asked for.
    pub orders: u64,
    /// Acknowledged.
    pub accepted: u64,
    /// Neither acknowledged nor retried any further.
    pub failed: u64,
    /// The same, by code.
    pub errors: BTreeMap<String, u64>,
    /// Answers, for a request or for an order of a batch, that asked to come again later.
    pub shed: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Connections tried again.
    pub reconnects: u64,
    /// From the first request to the last acknowledgement.
    pub seconds: f64,
    /// Acknowledged a second.
    pub throughput_per_s: f64,
    /// From the intended sending to the acknowledgement.
    #[serde(rename = "ack_latency")]
    pub ack: Option<Percentiles>,
    /// How the orders ended; absent if that was not waited for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Outcome>,
    /// Whether the system's proof held afterwards; absent if the ends were not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_holds: Option<bool>,
}

impl Report {
    /// Whether every order was accepted and, if it was waited for, ended well with the promise kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let ended_well = self.ended.as_ref().is_none_or(Outcome::is_clean);
        self.failed == 0 && self.accepted == self.orders && ended_well && self.proof_holds != Some(false)
    }

    pub(super) fn table(&self) -> String {
        let words = |percentiles: Option<Percentiles>| percentiles.map_or_else(|| "-".into(), Percentiles::words);
        let codes: Vec<String> = self.errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let errors = if codes.is_empty() { "none".into() } else { codes.join(", ") };
        let mut text = pairs(&[
            ("orders", format!("{} accepted of {} in {:.2} s", self.accepted, self.orders, self.seconds)),
            ("throughput", format!("{:.1} orders/s", self.throughput_per_s)),
            ("ack latency", words(self.ack)),
            ("errors", errors),
            ("retries", format!("{} ({} shed, {} reconnects)", self.retries, self.shed, self.reconnects)),
        ]);
        if let Some(ended) = &self.ended {
            text.push_str(&pairs(&[
                ("ended      ", ended.words()),
                ("order time ", words(ended.time)),
                ("proof      ", if self.proof_holds == Some(false) { "BROKEN".into() } else { "holds".into() }),
                ("all ended  ", format!("{:.2} s after the first request", ended.seconds)),
            ]));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_the_recorded_latencies() {
        let mut tally = Tally::new();
        for ms in 1..=100 {
            tally.accepted(OrderId(ms), Duration::from_millis(ms));
        }
        let client = Client::new(vec!["http://a".into()], None).expect("a URL");
        let report = tally.report(100, Duration::from_secs(2), &client);
        let ack = report.ack.expect("100 of them");
        assert!((ack.p50_ms - 50.0).abs() < 0.1 && (ack.p99_ms - 99.0).abs() < 0.1, "{ack:?}");
        assert!((report.throughput_per_s - 50.0).abs() < 1e-9);
        assert!(report.is_clean());
        tally.failed("overloaded");
        assert!(!tally.report(101, Duration::from_secs(2), &client).is_clean());
    }
}
