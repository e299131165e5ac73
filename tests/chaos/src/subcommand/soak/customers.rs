//! Lanes of customers who ask again: long after their order, or twice at the same moment. The same key is the same order.
//!
//! What two answers said is compared by the checker, from the record; here is only seen that there was an answer.

use super::stage::{Lane, Stage};
use crate::client::{Order, Outcome, PATIENCE};
use crate::load::Plan;

/// How often, and what must not be.
#[derive(Debug, Default)]
pub(super) struct Retries {
    late: u32,
    twins: u32,
    /// Given up after all tries: the city was not there, or full.
    unanswered: u32,
    /// The age of the oldest order that was asked for again, in seconds.
    oldest_s: u64,
    /// A key that was refused for good.
    pub(super) wrong: Vec<String>,
}

impl Retries {
    fn outcome(&mut self, order: &Order, outcome: &Outcome) {
        match outcome {
            Outcome::Placed { .. } => {}
            Outcome::Failed { why, .. } if is_final(why) => self.wrong.push(format!("{} again: {why}", order.key)),
            Outcome::Failed { .. } => self.unanswered += 1,
        }
    }
}

/// Whether this is an answer about the key or the order, not about the city.
fn is_final(why: &str) -> bool {
    why.starts_with("idempotency") || why.starts_with("unknown") || why.starts_with("not a receipt")
}

impl std::fmt::Display for Retries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { late, twins, unanswered, oldest_s, .. } = self;
        write!(f, "{late} late, up to {oldest_s} s; {twins} at the same moment; {unanswered} without an answer")
    }
}

/// Both lanes until the time is over.
pub(super) async fn repeat(stage: &Stage<'_>, plan: &Plan) -> Retries {
    let (mut late, twins) = tokio::join!(late(stage, plan), twins(stage));
    late.twins = twins.twins;
    late.unanswered += twins.unanswered;
    late.wrong.extend(twins.wrong);
    late
}

/// An order of any time since the beginning, once more.
async fn late(stage: &Stage<'_>, plan: &Plan) -> Retries {
    let (mut random, mut retries) = (stage.random(Lane::Late), Retries::default());
    while stage.pause(&mut random, 200, 800).await {
        // The time since is drawn, so that half of all are older than half of the run.
        let elapsed = stage.began.elapsed().as_secs_f64();
        let age = elapsed * random.f64();
        let order = plan.order(((elapsed - age) * plan.rate) as u32);
        let outcome = stage.world.client.place(&order, random.usize(..8), PATIENCE, stage.recorder).await;
        retries.outcome(&order, &outcome);
        retries.late += 1;
        retries.oldest_s = retries.oldest_s.max(age as u64);
    }
    retries
}

/// A new order, sent to two balancers at once under the same key.
async fn twins(stage: &Stage<'_>) -> Retries {
    let (mut random, mut retries) = (stage.random(Lane::Twins), Retries::default());
    for number in 0.. {
        if !stage.pause(&mut random, 300, 1_500).await {
            break;
        }
        let order = Order::new(format!("twins-{number}"), "pasta", crate::town::ZONES[0]);
        let place = |first| stage.world.client.place(&order, first, PATIENCE, stage.recorder);
        let (one, two) = tokio::join!(place(0), place(1));
        [one, two].iter().for_each(|outcome| retries.outcome(&order, outcome));
        retries.twins += 1;
    }
    retries
}
