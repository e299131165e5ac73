//! What the city says of itself, looked at each second: its alerts; and at the end, whether status and proof agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::stage::Stage;
use crate::load::Load;
use crate::usage::Watch;
use crate::world::World;

const LOOK: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Status and proof are asked for one after the other; a ledger that rests has them at one position.
const LOOKS_MAX: u32 = 50;

/// Alerts by name: how often each began, and how many looks saw it.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    by_name: BTreeMap<String, (u32, u32)>,
    now: BTreeSet<String>,
    unanswered: u32,
}

impl Alerts {
    fn look(&mut self, status: &Value) {
        let alerts = status["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let name = |alert: &Value| alert["name"].as_str().or(alert["code"].as_str()).map(str::to_owned);
        let seen: BTreeSet<String> = alerts.iter().filter_map(name).collect();
        for name in &seen {
            let (began, looks) = self.by_name.entry(name.clone()).or_default();
            *began += u32::from(!self.now.contains(name));
            *looks += 1;
        }
        self.now = seen;
    }
}

impl std::fmt::Display for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.by_name.iter().map(|(name, (began, looks))| format!("{name} {began} times, seen {looks} s"));
        let all: Vec<String> = all.collect();
        f.write_str(if all.is_empty() { "none" } else { "" })?;
        write!(f, "{}; {} looks without an answer", all.join(", "), self.unanswered)
    }
}

/// Looks each second at the status and each minute at the usage, until the time is over.
pub(super) async fn watch(stage: &Stage<'_>, usage: &mut Watch, load: &Load) -> Alerts {
    let (mut alerts, mut minutes) = (Alerts::default(), 0);
    while stage.wait(LOOK).await {
        match stage.world.client.get("/status").await {
            Ok(status) => alerts.look(&status),
            Err(_) => alerts.unanswered += 1,
        }
        if stage.began.elapsed() >= MINUTE * (minutes + 1) {
            minutes += 1;
            usage.look(stage.world, &minutes.to_string());
            eprintln!("minute {minutes}, {} orders placed", load.placed());
        } else {
            usage.glance(stage.world);
        }
    }
    alerts
}

/// What status and proof of a city at rest do not agree about.
pub(super) async fn disagreement(world: &World) -> Option<String> {
    let began = Instant::now();
    let mut last = "nobody answers".to_owned();
    for _ in 0..LOOKS_MAX {
        let (proof, status) = (world.client.get("/proof").await, world.client.get("/status").await);
        if let (Ok(proof), Ok(status)) = (&proof, &status) {
            if proof["position"] == status["position"] {
                let agree = status["proof"].as_object().is_none_or(|of_status| Some(of_status) == proof.as_object());
                return (!agree).then(|| format!("the status says {}, the proof {proof}", status["proof"]));
            }
            last = format!("the status is at position {}, the proof at {}", status["position"], proof["position"]);
        }
        sleep(LOOK / 10).await;
    }
    Some(format!("{} s after every order's end: {last}", began.elapsed().as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_goes_and_comes_again_began_twice() {
        let mut alerts = Alerts::default();
        let slow = serde_json::json!({"alerts": [{"name": "disk_slow"}, {"code": "quarantine"}]});
        for status in [&slow, &slow, &Value::Null, &slow] {
            alerts.look(status);
        }
        let said = alerts.to_string();
        assert!(said.starts_with("disk_slow 2 times, seen 3 s, quarantine 2 times, seen 3 s;"), "{said}");
    }
}
