//! A ledger whose directory is taken away under leader and standby: nobody founds another in its place, nothing is
//! acknowledged that cannot be found, and all goes on when it is back.

mod running_city;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use running_city::{CHEF, RunningCity, fresh_dir, remove, runs, verify};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

fn away(dir: &Path) -> PathBuf {
    dir.with_extension("away")
}

/// What each of these balancers answers to an order.
async fn answers(urls: &[String], http: &reqwest::Client) -> Vec<(u16, String)> {
    let order = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown"});
    let mut all = Vec::new();
    for url in urls {
        let sent = http.post(format!("{url}/api/v1/orders")).json(&order).timeout(Duration::from_secs(10)).send().await;
        let answer = match sent {
            Ok(response) => {
                let status = response.status().as_u16();
                let body: Value = response.json().await.unwrap_or_default();
                (status, body["code"].as_str().unwrap_or_default().to_owned())
            }
            Err(error) => (0, error.to_string()),
        };
        all.push(answer);
    }
    all
}

fn acknowledged(answers: &[(u16, String)]) -> u64 {
    answers.iter().filter(|(status, _)| *status == 201).count() as u64
}

fn urls(city: &RunningCity) -> Vec<String> {
    ["balancer_1", "balancer_2"].map(|id| city.url_of(id)).to_vec()
}

#[tokio::test]
async fn a_directory_that_is_moved_away_stops_acknowledgements_and_nothing_else_and_its_return_ends_that() {
    let city = RunningCity::start("moved", &["--kitchens", "2", "--speed", "20"]);
    let (urls, http, aside) = (urls(&city), reqwest::Client::new(), away(&city.dir));
    let (_, leader, epoch) = city.leader().expect("somebody leads");
    let mut placed = acknowledged(&answers(&urls, &http).await);
    assert_eq!(placed, 2);

    std::fs::rename(&city.dir, &aside).expect("moved");
    city.until("nothing is acknowledged", LIMIT, async |_| {
        let all = answers(&urls, &http).await;
        assert_eq!(acknowledged(&all), 0, "acknowledged although it cannot be found: {all:?}");
        all.iter().all(|(status, code)| (*status, code.as_str()) == (503, "ledger_moved"))
    })
    .await;
    let mut status = Value::Null;
    city.until("there is an alert", LIMIT, async |city| {
        status = city.get("/status").await;
        status["alerts"][0]["name"] == "ledger_moved"
    })
    .await;
    assert_eq!(status["epoch"].as_u64(), Some(epoch), "the same reign");
    let (ready, said) = city.text("/readyz").await.expect("an answer");
    assert_eq!(ready, 503, "{said}");
    // Far longer than a standby needs to take over.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!city.dir.exists(), "nobody made anything in its place");
    assert!(runs(u32::try_from(leader).expect("a pid")), "the leader stays");

    std::fs::rename(&aside, &city.dir).expect("moved back");
    city.until("orders are taken again", LIMIT, async |_| {
        let all = answers(&urls, &http).await;
        placed += acknowledged(&all);
        acknowledged(&all) == 2
    })
    .await;
    let proof = city.until_all_ended(placed, LIMIT).await;
    assert_eq!((proof.lost, proof.twice, u64::from(proof.epoch.0)), (0, 0, epoch), "{proof:?}");
    let dir = city.stop();
    let verified = verify(&dir);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    remove(&dir);
}

#[tokio::test]
async fn a_directory_that_is_removed_is_not_replaced_by_an_empty_ledger() {
    let city = RunningCity::start("removed", &["--kitchens", "1"]);
    let (urls, http) = (urls(&city), reqwest::Client::new());
    assert_eq!(acknowledged(&answers(&urls, &http).await), 2);
    let (_, leader, _) = city.leader().expect("somebody leads");
    std::fs::remove_dir_all(&city.dir).expect("removed");
    let pid = i32::try_from(leader).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::KILL).expect("it runs");
    // Longer than a takeover, and than the first restarts.
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let all = answers(&urls[1..], &http).await;
        assert_eq!(acknowledged(&all), 0, "acknowledged by a ledger of its own: {all:?}");
        assert!(!city.dir.join("ledger.db").exists(), "nobody founds a ledger");
    }
}

fn up(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(CHEF);
    command.args(["up", "--port", "0", "--kitchens", "1", "--data-dir"]).arg(dir).args(args);
    command.output().expect("chef up ends by itself, as it cannot start")
}

#[tokio::test]
async fn nobody_leads_an_empty_ledger_beside_traces_of_an_older_unless_told() {
    let city = RunningCity::start_in(fresh_dir("traces"), &["--kitchens", "1", "--balancers", "1", "--speed", "50"]);
    city.place("pizza", None).await;
    city.until_all_ended(1, LIMIT).await;
    let dir = city.stop();
    let aside = away(&dir);
    let _ = std::fs::remove_dir_all(&aside);
    std::fs::create_dir(&aside).expect("made");
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        if dir.join(name).exists() {
            std::fs::rename(dir.join(name), aside.join(name)).expect("moved");
        }
    }
    let refused = up(&dir, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--new-ledger") && said.contains("HEAD"), "{said}");
    assert!(!dir.join("ledger.db").exists(), "nothing was made");
    let city = RunningCity::start_in(dir, &["--kitchens", "1", "--balancers", "1", "--new-ledger"]);
    assert_eq!(city.proof().await.accepted, 0);
    assert!(city.dir.join("older-1").join("HEAD").exists(), "set aside, not deleted");
    let dir = city.stop();
    remove(&aside);
    remove(&dir);
}

/// A balancer of its own, ended with the test.
struct Balancer {
    child: std::process::Child,
    url: String,
}

impl Balancer {
    fn start(dir: &Path, id: &str) -> Self {
        let mut child = Command::new(CHEF)
            .args(["balancer", "--listen", "127.0.0.1:0", "--id", id, "--data-dir"])
            .arg(dir)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("a balancer starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
        let url = line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("not ready: {line}")).to_owned();
        Self { child, url }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("a type").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

#[tokio::test]
async fn an_older_copy_of_the_whole_directory_is_found_out_by_a_standby_that_followed_more() {
    let (dir, http) = (fresh_dir("older"), reqwest::Client::new());
    let (older, newer) = (dir.with_extension("older"), dir.with_extension("newer"));
    [&older, &newer].into_iter().for_each(|dir| remove(dir));
    let mut leader = Balancer::start(&dir, "b1");
    assert_eq!(acknowledged(&answers(std::slice::from_ref(&leader.url), &http).await), 1);
    leader.signal(Signal::TERM);
    leader.child.wait().expect("it ends");
    copy(&dir, &older);
    let leader = Balancer::start(&dir, "b1");
    assert_eq!(acknowledged(&answers(&vec![leader.url.clone(); 5], &http).await), 5);
    let standby = Balancer::start(&dir, "b2");
    assert_eq!(acknowledged(&answers(std::slice::from_ref(&standby.url), &http).await), 1, "it follows and forwards");

    standby.signal(Signal::STOP);
    drop(leader);
    std::fs::rename(&dir, &newer).expect("moved");
    std::fs::rename(&older, &dir).expect("the copy in its place");
    let leader = Balancer::start(&dir, "b1");
    standby.signal(Signal::CONT);
    let began = std::time::Instant::now();
    loop {
        let all = answers(std::slice::from_ref(&leader.url), &http).await;
        if all[0] == (503, "ledger_older".to_owned()) {
            break;
        }
        assert!(began.elapsed() < LIMIT, "not found out: {all:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop((leader, standby));
    [&dir, &newer].into_iter().for_each(|dir| remove(dir));
}
