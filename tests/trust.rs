//! Who is believed on a machine that others use too: not everybody who can reach the port, and nobody else reads the files.

mod running_city;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use running_city::{CHEF, RunningCity};
use rustix::process::Signal;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_death_or_a_standby_that_somebody_makes_up_is_not_believed() {
    let city = RunningCity::start("lies", &["--kitchens", "2", "--balancers", "2"]);
    for _ in 0..6 {
        city.place("pizza", None).await;
    }
    let kitchens: Value =
        serde_json::from_slice(&std::fs::read(city.dir.join("city.json")).expect("there")).expect("JSON");
    for kitchen in kitchens["kitchens"].as_array().expect("a list") {
        let (id, pid) = (kitchen["id"].as_str().expect("an id"), kitchen["pid"].as_u64().expect("a pid"));
        let (status, problem) =
            city.post(&format!("/kitchens/{id}/gone"), json!({"pid": pid}), None).await.expect("an answer");
        assert_eq!((status, problem["code"].as_str()), (403, Some("not_shared")), "{problem}");
    }
    let invented = json!({"id": "balancer_9", "role": "standby", "pid": 1, "url": "http://127.0.0.1:1", "position": 5});
    let (status, problem) = city.post("/standby", invented, None).await.expect("an answer");
    assert_eq!((status, problem["code"].as_str()), (403, Some("not_shared")), "{problem}");
    let status: Value = city.get("/status").await;
    let standbys = status["standbys"].as_array().expect("a list");
    assert_eq!(standbys.iter().map(|one| one["id"].as_str()).collect::<Vec<_>>(), [Some("balancer_2")], "{status}");
    assert_eq!(city.until_all_ended(6, LIMIT).await.dead_lettered, 0);
}

#[tokio::test]
async fn a_proven_lie_about_a_living_kitchen_is_not_believed_and_the_truth_is() {
    let city = RunningCity::start("proven", &["--kitchens", "1"]);
    let pid = city.pid("kitchen_1").expect("it runs");
    let secret = balancer::secret::read(&city.dir).expect("it was made");
    let path = "/api/v1/kitchens/kitchen_1/gone";
    let body = serde_json::to_vec(&json!({"pid": pid.as_raw_nonzero().get()})).expect("JSON");
    let sent = reqwest::Client::new()
        .post(format!("{}{path}", city.url))
        .header("content-type", "application/json")
        .header(protocol::shared::HEADER, secret.proof("POST", path, &body))
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(sent.status().as_u16(), 409, "its connection is open");
    // The supervisor sees the process end, and says so long before its lease is over.
    RunningCity::signal(pid, Signal::KILL);
    city.until("it is back", LIMIT, async |city| city.pid("kitchen_1").is_some_and(|new| new != pid)).await;
    let dir = city.stop();
    let dump =
        std::process::Command::new(CHEF).args(["dump", "--data-dir"]).arg(&dir).output().expect("chef dump runs");
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.lines().any(|line| line.contains("kitchen_lost") && line.contains("process_exited")), "{dump}");
    running_city::remove(&dir);
}

fn modes(dir: &Path, all: &mut Vec<(String, u32)>) {
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry")) {
        let found = entry.metadata().expect("there");
        all.push((entry.path().display().to_string(), found.permissions().mode() & 0o777));
        if found.is_dir() {
            modes(&entry.path(), all);
        }
    }
}

#[tokio::test]
async fn nobody_else_may_read_what_a_city_writes() {
    let city = RunningCity::start("modes", &["--kitchens", "1", "--rate", "5", "--speed", "20"]);
    city.until("the tables are there", LIMIT, async |city| city.dir.join("projection.db").exists()).await;
    let mut all = vec![(".".to_owned(), std::fs::metadata(&city.dir).expect("there").permissions().mode() & 0o777)];
    modes(&city.dir, &mut all);
    let open: Vec<_> = all.iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    assert!(all.len() > 8, "{all:?}");
}
