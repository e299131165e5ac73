//! Lanes of operators: rushes, drains, changes of policy, and orders that are called off.
//!
//! A wish that is refused while the city is disturbed is no fault; what was answered 2xx must be kept, and the checker
//! sees to that for orders called off.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::stage::{Lane, Stage};
use crate::client::{Order, Outcome, PATIENCE};
use crate::town::{DISHES, ZONES};

/// A drain is over by its default deadline, or is taken back.
const DRAIN_MAX: Duration = Duration::from_secs(40);
/// Between two looks at a drain.
const LOOK: Duration = Duration::from_millis(250);
/// How kitchens are chosen; the fixed ones of the contract.
const ALGORITHMS: [&str; 3] = ["weighted-score", "round-robin", "least-connections"];

/// Wishes by kind: granted and refused.
#[derive(Debug, Default)]
pub(super) struct Wishes(BTreeMap<&'static str, (u32, u32)>);

impl Wishes {
    fn count(&mut self, what: &'static str, granted: bool) {
        let (yes, no) = self.0.entry(what).or_default();
        *(if granted { yes } else { no }) += 1;
    }

    fn add(mut self, others: Self) -> Self {
        for (what, (yes, no)) in others.0 {
            let (own_yes, own_no) = self.0.entry(what).or_default();
            *own_yes += yes;
            *own_no += no;
        }
        self
    }
}

impl std::fmt::Display for Wishes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(what, (yes, no))| format!("{what} {yes}, refused {no}")).collect();
        f.write_str(&all.join("; "))
    }
}

/// All lanes until the time is over; afterwards no rush runs and every kitchen is open.
pub(super) async fn wish(stage: &Stage<'_>) -> Wishes {
    let (rushes, drains, policies, cancels) =
        tokio::join!(rushes(stage), drains(stage), policies(stage), cancels(stage));
    [drains, policies, cancels].into_iter().fold(rushes, Wishes::add)
}

async fn rushes(stage: &Stage<'_>) -> Wishes {
    let (mut random, mut wishes, client) = (stage.random(Lane::Rushes), Wishes::default(), &stage.world.client);
    while stage.pause(&mut random, 15_000, 40_000).await {
        let rush = json!({ "rate": random.u32(20..200), "for_s": random.u32(2..8) });
        wishes.count("rush", client.post("/rush", rush).await.is_ok());
        if random.bool() && stage.pause(&mut random, 500, 2_000).await {
            wishes.count("rush stopped", client.delete("/rush").await.is_ok());
        }
    }
    wishes
}

async fn drains(stage: &Stage<'_>) -> Wishes {
    let (mut random, mut wishes, client) = (stage.random(Lane::Drains), Wishes::default(), &stage.world.client);
    let kitchens = stage.world.kitchens();
    while stage.pause(&mut random, 8_000, 20_000).await {
        let path = format!("/kitchens/{}", kitchens[random.usize(..kitchens.len())]);
        wishes.count("drain", client.post(&format!("{path}/drain"), json!({})).await.is_ok());
        let emptied = async {
            while client.get(&path).await.map_or(true, |kitchen| kitchen["schedulable"] == "draining") {
                tokio::time::sleep(LOOK).await;
            }
        };
        wishes.count("drained", tokio::time::timeout(DRAIN_MAX, emptied).await.is_ok());
        // Whatever became of it: the kitchen is needed again.
        let deadline = tokio::time::Instant::now() + DRAIN_MAX;
        let mut opened = false;
        while !opened && tokio::time::Instant::now() < deadline {
            opened = client.post(&format!("{path}/uncordon"), json!({})).await.is_ok();
            if !opened {
                tokio::time::sleep(LOOK).await;
            }
        }
        wishes.count("uncordon", opened);
    }
    wishes
}

async fn policies(stage: &Stage<'_>) -> Wishes {
    let (mut random, mut wishes, client) = (stage.random(Lane::Policies), Wishes::default(), &stage.world.client);
    while stage.pause(&mut random, 10_000, 25_000).await {
        let mut weight = || f64::from(random.u32(1..10)) / 10.0;
        let weights = json!({ "load": weight(), "specialty": weight(), "time": weight(), "distance": weight() });
        let algorithm = ALGORITHMS[random.usize(..ALGORITHMS.len())];
        let policy = json!({ "algorithm": algorithm, "weights": weights, "handover": random.bool() });
        wishes.count("policy", client.put("/policy", policy).await.is_ok());
    }
    wishes
}

/// Orders that are called off at any time of their short lives.
async fn cancels(stage: &Stage<'_>) -> Wishes {
    let (mut random, mut wishes, client) = (stage.random(Lane::Cancels), Wishes::default(), &stage.world.client);
    for number in 0.. {
        if !stage.pause(&mut random, 100, 1_200).await {
            break;
        }
        let (dish, zone) = (DISHES[random.usize(..DISHES.len())], ZONES[random.usize(..ZONES.len())]);
        let order = Order::new(format!("cancel-{number}"), dish, zone);
        let Outcome::Placed { id } = client.place(&order, number, PATIENCE, stage.recorder).await else { continue };
        tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
        let status = client.cancel(&id, stage.recorder).await;
        wishes.count("cancel", status.is_some_and(|status| (200..300).contains(&status)));
    }
    wishes
}
