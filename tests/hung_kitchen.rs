//! A cooking command that never ends, end to end: the orders go elsewhere, the command dies with all that it started, and
//! somebody is told.

mod running_city;

use std::path::Path;
use std::time::Duration;

use running_city::{RunningCity, fresh_dir};
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
    let args = ["--capacity", "10", "--stations", "4", "--stage-timeout", "2s"];
    let _kitchen = city.only_kitchen(id, &cook, &args).await;
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
}
