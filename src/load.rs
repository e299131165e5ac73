//! `chef load`: a load test as a client sees it.
//!
//! ```text
//! closed model (default)    each of --users places an order, waits for its answer, places the next
//! open model (--rate R)     orders leave at even distances, whoever answers
//! load/demand.rs  which orders      load/sender.rs  one request and its answers
//! load/tally.rs   what was measured load/settle.rs  how the orders ended
//! ```
//! Owns the pace and the verdict. Each order has an idempotency key, so a restart of the balancer in mid-run is latency
//! and not an error, and no order is placed twice.

pub mod demand;
mod sender;
mod settle;
mod tally;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use protocol::OrderId;
use protocol::api::PlaceOrder;
use protocol::bounds;
use protocol::order::BATCH_MAX;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::cli::{ABORTED, FAILED, Failure, Print, Reach, Stop, duration, within};
use crate::client::{Client, feed, fresh_key};
use crate::output;
use demand::Demand;
use sender::Sender;
pub use settle::{Outcome, settle};
use tally::Tally;
pub use tally::{Percentiles, Report};

/// The largest `--batch`.
const BATCH: i64 = BATCH_MAX as i64;
/// How long an order is tried: longer than any restart.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests under way at once in the open model; beyond it orders leave late, and their latency says so.
const AT_ONCE: usize = 4_096;

/// `chef load`.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// How many orders
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub orders: u32,
    /// How many customers at once (closed model)
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub users: u32,
    /// Orders a request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=BATCH))]
    pub batch: u32,
    /// Orders a second, whoever answers (open model); --users has no meaning then
    #[arg(long, value_name = "R", value_parser = within(bounds::LOAD_RATE))]
    pub rate: Option<f64>,
    /// The same seed asks for the same dishes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Wait until all orders have ended (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Only place them
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for the ends
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(flatten)]
    pub(crate) print: Print,
}

/// How much, and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Orders altogether.
    pub orders: u32,
    /// Customers at once, in the closed model.
    pub users: u32,
    /// Orders a request.
    pub batch: u32,
    /// Orders a second, in the open model.
    pub rate: Option<f64>,
    /// For the demand.
    pub seed: u64,
}

impl LoadArgs {
    /// Runs the test and prints its report.
    ///
    /// # Errors
    /// An order failed, no balancer was reachable, or it was broken off.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = self.reach.client()?;
        let plan = Plan { orders: self.orders, users: self.users, batch: self.batch, rate: self.rate, seed: self.seed };
        let mut load = Load::new(client, plan).await?;
        let mut stop = Stop::new()?;
        let mut aborted = tokio::select! {
            () = load.place() => false,
            () = stop.wait() => true,
        };
        let mut report = load.report();
        if !aborted && !self.no_wait {
            // Broken off while it waits, it still says what was measured until then.
            tokio::select! {
                outcome = load.settle(self.timeout) => report.ended = Some(outcome?),
                () = stop.wait() => aborted = true,
            }
        }
        if report.ended.is_some() {
            report.proof_holds = Some(load.client.proof().await?.holds());
        }
        load.bar.finish_and_clear();
        output::show(self.print.format, &report, Report::table)?;
        match (aborted, report.is_clean()) {
            (true, _) => Err(broken_off()),
            (false, false) => Err(Failure::silent(FAILED)),
            (false, true) => Ok(()),
        }
    }
}

fn broken_off() -> Failure {
    Failure { code: ABORTED, ..Failure::failed("broken off") }
}

/// A load that runs.
pub struct Load {
    plan: Plan,
    client: Client,
    source: Arc<Mutex<Source>>,
    tally: Arc<Mutex<Tally>>,
    started: Instant,
    took: Option<Duration>,
    bar: ProgressBar,
}

struct Source {
    demand: Demand,
    run: String,
    next: u32,
    total: u32,
}

impl Source {
    /// Up to `count` further orders, each with its key; empty at the end.
    fn take(&mut self, count: u32) -> Vec<PlaceOrder> {
        let until = self.total.min(self.next.saturating_add(count));
        let orders = (self.next..until).map(|number| {
            let key = format!("{}-{number}", self.run);
            PlaceOrder { key: Some(key), ..self.demand.order() }
        });
        let orders = orders.collect();
        self.next = until;
        orders
    }
}

impl Load {
    /// Learns the city's zones and dishes from the feed.
    ///
    /// # Errors
    /// Nobody answers, or the city offers nothing.
    pub async fn new(client: Client, plan: Plan) -> Result<Self, Failure> {
        let snapshot = feed::snapshot(&client).await?;
        let demand = Demand::of_snapshot(snapshot, plan.seed);
        let demand = demand.ok_or_else(|| Failure::failed("the city has no zone or no dish to order"))?;
        let at_risk = if plan.rate.is_some() { AT_ONCE as u32 } else { plan.users };
        let source = Source { demand, run: fresh_key(), next: 0, total: plan.orders };
        Ok(Self {
            plan,
            client: client.with_patience(PATIENCE, at_risk),
            source: Arc::new(Mutex::new(source)),
            tally: Arc::new(Mutex::new(Tally::new())),
            started: Instant::now(),
            took: None,
            bar: bar(plan.orders.into()),
        })
    }

    /// Places all orders.
    pub async fn place(&mut self) {
        self.bar.set_message("placed");
        self.started = Instant::now();
        match self.plan.rate {
            None => self.closed().await,
            Some(rate) => self.open(rate).await,
        }
        self.took = Some(self.started.elapsed());
    }

    /// Waits until the accepted orders have ended.
    ///
    /// # Errors
    /// Nobody answered any more.
    pub async fn settle(&self, at_most: Duration) -> Result<Outcome, Failure> {
        let orders = self.accepted();
        self.bar.reset();
        self.bar.set_length(orders.len() as u64);
        self.bar.set_message("ended");
        let outcome = settle(&self.client, orders, at_most, |ended| self.bar.set_position(ended)).await?;
        Ok(Outcome { seconds: self.started.elapsed().as_secs_f64(), ..outcome })
    }

    /// The orders that were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> Vec<OrderId> {
        lock(&self.tally).accepted.clone()
    }

    /// What was measured so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let took = self.took.unwrap_or_else(|| self.started.elapsed());
        lock(&self.tally).report(self.plan.orders, took, &self.client)
    }

    async fn closed(&self) {
        let mut users = JoinSet::new();
        for _ in 0..self.plan.users.min(self.plan.orders) {
            let (source, sender, batch) = (self.source.clone(), self.sender(), self.plan.batch);
            users.spawn(async move {
                loop {
                    let orders = lock(&source).take(batch);
                    if orders.is_empty() {
                        return;
                    }
                    sender.send(orders, Instant::now()).await;
                }
            });
        }
        while users.join_next().await.is_some() {}
    }

    async fn open(&self, rate: f64) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut requests = JoinSet::new();
        for number in 0.. {
            let orders = lock(&self.source).take(self.plan.batch);
            if orders.is_empty() {
                break;
            }
            let due = f64::from(number) * f64::from(self.plan.batch) / rate;
            let due = self.started + Duration::from_secs_f64(due);
            sleep_until(due).await;
            let Ok(place) = places.clone().acquire_owned().await else { break };
            let sender = self.sender();
            requests.spawn(async move {
                sender.send(orders, due).await;
                drop(place);
            });
            while requests.try_join_next().is_some() {}
        }
        while requests.join_next().await.is_some() {}
    }

    fn sender(&self) -> Sender {
        Sender { client: self.client.clone(), tally: self.tally.clone(), bar: self.bar.clone() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On standard error, and only if that is a terminal.
fn bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}  {per_sec}  {elapsed}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::city::City;

    #[test]
    fn every_order_has_its_own_key_and_there_are_exactly_as_many_as_asked_for() {
        let demand = Demand::of_city(&City::built_in(), 1).expect("it has zones and dishes");
        let mut source = Source { demand, run: "r".into(), next: 0, total: 7 };
        let sizes: Vec<usize> = (0..4).map(|_| source.take(3).len()).collect();
        assert_eq!(sizes, [3, 3, 1, 0]);
        source.next = 0;
        let keys: std::collections::BTreeSet<_> = source.take(7).into_iter().map(|order| order.key).collect();
        assert_eq!(keys.len(), 7);
    }
}
