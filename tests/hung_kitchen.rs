//! A cooking command that never ends, end to end: the orders go elsewhere, the command dies with all that it started, and
//! somebody is told.

mod running_city;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use running_city::{CHEF, RunningCity, fresh_dir};
use serde_json::{Value, json};

/// Processes that wrote their number into the file and still run.
fn alive(numbers: &Path) -> Vec<String> {
    let numbers = std::fs::read_to_string(numbers).unwrap_or_default();
    let runs = |pid: &&str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie is dead; whoever should reap it is not our concern.
        !stat.is_empty() && !stat.contains(") Z ")
    };
    numbers.lines().filter(runs).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_command_that_never_ends_keeps_no_order_and_leaves_no_process() {
    let dir = fresh_dir("hung");
    let numbers = dir.join("numbers");
    let city = RunningCity::start_in(dir, &["--kitchens", "1"]);
    let id = "hangs";
    let cook = format!("cat >/dev/null; sleep 1000 & echo $! >> {}; wait", numbers.display());
    let args = ["kitchen", "--kitchen-id", id, "--load-balancer-url", &city.url, "--capacity", "10", "--stations", "4"];
    let mut kitchen = Command::new(CHEF)
        .args(args)
        .args(["--cook", &cook, "--stage-timeout", "2s", "--die-with-parent"])
        .spawn()
        .expect("a kitchen");
    let (status, _) = city.post("/kitchens/kitchen_1/cordon", json!({}), None).await.expect("an answer");
    assert_eq!(status, 200);
    city.until("the kitchen is here", Duration::from_secs(10), async |city| {
        city.get::<Value>(&format!("/kitchens/{id}")).await["health"] == "alive"
    })
    .await;
    for _ in 0..8 {
        city.place("salad", None).await;
    }
    city.until("it has begun", Duration::from_secs(10), async |_| !alive(&numbers).is_empty()).await;
    let (status, _) = city.post("/kitchens/kitchen_1/uncordon", json!({}), None).await.expect("an answer");
    assert_eq!(status, 200);
    city.until("somebody is told", Duration::from_secs(20), async |city| {
        let status = city.get::<Value>("/status").await;
        let alerts = status["alerts"].as_array().cloned().unwrap_or_default();
        alerts.iter().any(|alert| alert["name"] == "kitchen_stuck")
    })
    .await;
    let note = city.get::<Value>(&format!("/kitchens/{id}")).await["note"].clone();
    assert!(note.as_str().is_some_and(|note| note.starts_with("stuck:")), "{note}");
    let proof = city.until_all_ended(8, Duration::from_secs(60)).await;
    assert_eq!((proof.completed, proof.dead_lettered, proof.lost, proof.twice), (8, 0, 0, 0));
    city.until("no process is left", Duration::from_secs(20), async |_| alive(&numbers).is_empty()).await;
    let _ = kitchen.kill();
    let _ = kitchen.wait();
}
