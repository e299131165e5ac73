//! Leader and standby as real processes: kill -9, SIGSTOP, SIGTERM, and requests at the balancer that does not lead.
//!
//! Judged from outside: by what clients were answered, by the file LEADER, and by a walk over the ledger. One city at a
//! time, because the times are measured.

mod running_city;

use std::time::{Duration, Instant};

use chef::client::feed::Feed;
use protocol::api::Proof;
use running_city::{RunningCity, remove, runs, verify};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

/// Below what four kitchens at that speed can cook, so that nothing is shed, for ten seconds.
const LOAD: [&str; 7] = ["load", "--orders", "3000", "--rate", "300", "--output", "json"];
const SPEED: [&str; 2] = ["--speed", "100"];
/// The promise for a leader that is stopped; one that was killed is replaced much sooner.
const REPLACED_WITHIN: Duration = Duration::from_millis(2_500);
const SOON: Duration = Duration::from_secs(20);

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().await
}

/// The leader's id and process, and the other balancer's id.
fn pair(city: &RunningCity) -> (String, Pid, String) {
    let (leader, pid, _) = city.leader().expect("somebody leads");
    let standby = if leader == "balancer_1" { "balancer_2" } else { "balancer_1" };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    (leader, pid, standby.to_owned())
}

/// How long it takes until another process leads.
async fn until_replaced(city: &RunningCity, old: Pid) -> Duration {
    let began = Instant::now();
    while city.leader().is_none_or(|(_, pid, _)| pid == u64::from(old.as_raw_nonzero().get().unsigned_abs())) {
        assert!(began.elapsed() < SOON, "nobody took over");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    began.elapsed()
}

fn report(output: &std::process::Output) -> Value {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said:?}");
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn is_sound(dir: &std::path::Path) {
    let verified = verify(dir);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

async fn until_flowing(city: &RunningCity, accepted: u64) {
    city.until("orders flow", SOON, async |city| {
        city.try_get::<Proof>("/proof").await.is_ok_and(|proof| proof.accepted > accepted)
    })
    .await;
}

async fn until_both(city: &RunningCity) {
    city.until("a leader and a standby", SOON, async |city| {
        city.try_get::<Value>("/status")
            .await
            .is_ok_and(|status| status["standbys"].as_array().map(Vec::len) == Some(1))
    })
    .await;
}

#[tokio::test]
async fn a_killed_leader_under_load_is_replaced_and_no_client_sees_an_error() {
    let _alone = alone().await;
    let mut city = RunningCity::start("leader-kill", &SPEED);
    let (_, pid, standby) = pair(&city);
    let load = city.chef(&LOAD);
    city.url = city.url_of(&standby);
    until_flowing(&city, 500).await;
    let before = city.proof().await;
    RunningCity::signal(pid, Signal::KILL);
    let replaced = until_replaced(&city, pid).await;
    let began = Instant::now();
    city.place("pizza", None).await;
    println!("kill -9: replaced after {replaced:?}, an order after that took {:?}", began.elapsed());
    let report = report(&load.wait_with_output().expect("load ends"));
    let proof = city.until_all_ended(3_001, Duration::from_secs(60)).await;
    println!("load: {report}; {proof:?}");
    assert_eq!((report["failed"].as_u64(), report["accepted"].as_u64()), (Some(0), Some(3_000)));
    assert_eq!((proof.accepted, proof.completed, proof.lost, proof.twice), (3_001, 3_001, 0, 0));
    assert_eq!(proof.epoch.0, before.epoch.0 + 1);
    assert!(replaced < REPLACED_WITHIN, "{replaced:?}");
    until_both(&city).await;
    let dir = city.stop();
    is_sound(&dir);
    remove(&dir);
}

#[tokio::test]
async fn a_stopped_leader_is_killed_and_replaced_and_can_never_go_on() {
    let _alone = alone().await;
    let mut city = RunningCity::start("leader-stop", &SPEED);
    let (_, pid, standby) = pair(&city);
    let load = city.chef(&LOAD);
    city.url = city.url_of(&standby);
    until_flowing(&city, 500).await;
    let before = city.proof().await;
    RunningCity::signal(pid, Signal::STOP);
    let began = Instant::now();
    city.place("pizza", None).await;
    let order = began.elapsed();
    let replaced = until_replaced(&city, pid).await.max(order);
    println!("SIGSTOP: an order that came then was answered after {order:?}");
    let raw = pid.as_raw_nonzero().get().unsigned_abs();
    assert!(!runs(raw), "the old process is gone before the new one leads");
    assert!(kill_process(pid, Signal::CONT).is_err(), "there is nothing left to continue");
    let report = report(&load.wait_with_output().expect("load ends"));
    let proof = city.until_all_ended(3_001, Duration::from_secs(60)).await;
    println!("load: {report}; {proof:?}");
    assert_eq!(report["failed"].as_u64(), Some(0));
    assert_eq!((proof.accepted, proof.completed, proof.lost, proof.twice), (3_001, 3_001, 0, 0));
    assert_eq!(proof.epoch.0, before.epoch.0 + 1);
    assert!(replaced < REPLACED_WITHIN, "{replaced:?}");
    let dir = city.stop();
    is_sound(&dir);
    remove(&dir);
}

#[tokio::test]
async fn a_leader_that_is_killed_again_and_again_is_replaced_each_time() {
    let _alone = alone().await;
    let mut city = RunningCity::start("leader-rounds", &["--speed", "20", "--balancers", "3"]);
    let mut times = Vec::new();
    for round in 0..6 {
        let (leader, pid, _) = pair(&city);
        let alive = ["balancer_1", "balancer_2", "balancer_3"].into_iter().find(|id| *id != leader).expect("three");
        city.url = city.url_of(alive);
        let key = format!("round-{round}");
        let first = city.place("salad", Some(&key)).await;
        RunningCity::signal(pid, if round % 2 == 0 { Signal::KILL } else { Signal::STOP });
        let began = Instant::now();
        let second = city.place("salad", Some(&key)).await;
        times.push(began.elapsed());
        assert_eq!(first["id"], second["id"], "the same key is the same order");
        city.until("all three are there", SOON, async |city| {
            city.try_get::<Value>("/status")
                .await
                .is_ok_and(|status| status["standbys"].as_array().map(Vec::len) == Some(2))
        })
        .await;
    }
    println!("six leaders, killed and stopped in turn: answered after {times:?}");
    let proof = city.until_all_ended(6, SOON).await;
    assert_eq!((proof.accepted, proof.completed, proof.epoch.0), (6, 6, 7), "no round had two takeovers");
    assert!(times.iter().all(|time| *time < REPLACED_WITHIN), "{times:?}");
    let dir = city.stop();
    is_sound(&dir);
    remove(&dir);
}

#[tokio::test]
async fn the_death_of_the_standby_changes_nothing_and_it_comes_back() {
    let _alone = alone().await;
    let city = RunningCity::start("standby-kill", &SPEED);
    let (leader, _, standby) = pair(&city);
    let load = city.chef(&LOAD);
    until_flowing(&city, 500).await;
    let before = city.proof().await;
    let pid = city.pid(&standby).expect("it runs");
    RunningCity::signal(pid, Signal::KILL);
    city.until("the standby is back", SOON, async |city| city.pid(&standby).is_some_and(|now| now != pid)).await;
    until_both(&city).await;
    let report = report(&load.wait_with_output().expect("load ends"));
    let proof = city.until_all_ended(3_000, Duration::from_secs(60)).await;
    assert_eq!((report["failed"].as_u64(), proof.completed, proof.epoch), (Some(0), 3_000, before.epoch));
    assert_eq!(city.leader().map(|(id, ..)| id), Some(leader));
}

#[tokio::test]
async fn after_the_death_of_both_everything_goes_on() {
    let _alone = alone().await;
    let city = RunningCity::start("both-kill", &SPEED);
    let (_, pid, standby) = pair(&city);
    let load = city.chef(&LOAD);
    until_flowing(&city, 500).await;
    let other = city.pid(&standby).expect("it runs");
    RunningCity::signal(other, Signal::KILL);
    RunningCity::signal(pid, Signal::KILL);
    println!("both killed: somebody leads again after {:?}", until_replaced(&city, pid).await);
    let report = report(&load.wait_with_output().expect("load ends"));
    let proof = city.until_all_ended(3_000, Duration::from_secs(60)).await;
    assert_eq!((report["failed"].as_u64(), proof.completed, proof.lost, proof.twice), (Some(0), 3_000, 0, 0));
    until_both(&city).await;
    let dir = city.stop();
    is_sound(&dir);
    remove(&dir);
}

#[tokio::test]
async fn a_standby_takes_every_request() {
    let _alone = alone().await;
    let mut city = RunningCity::start("by-standby", &[]);
    let (leader, _, standby) = pair(&city);
    city.url = city.url_of(&standby);
    assert_eq!(city.text("/readyz").await.expect("an answer"), (200, "following\n".to_owned()));
    let metrics = city.text("/metrics").await.expect("an answer").1;
    assert!(metrics.lines().any(|line| line == "chef_leader 0"), "{metrics}");
    let status: Value = city.get("/status").await;
    assert_eq!((&status["leader"]["id"], &status["standbys"][0]["id"]), (&Value::from(leader), &Value::from(standby)));
    let mut feed = Feed::connect(&city.url).await.expect("a feed");
    let first = feed.next().await.expect("a frame");
    assert!(first.snapshot.is_some() && first.balancers.as_ref().map(Vec::len) == Some(2), "{:?}", first.balancers);
    let placed = city.place("pizza", None).await;
    let id = placed["id"].as_str().expect("an id").to_owned();
    let shown: Value = city.get(&format!("/orders/{id}?")).await;
    assert_eq!(shown["id"], placed["id"]);
    let seen = async { while feed.next().await.expect("a frame").proof.is_none_or(|proof| proof.accepted == 0) {} };
    tokio::time::timeout(Duration::from_secs(5), seen).await.expect("the feed shows it");
    assert_eq!(city.delete(&format!("/orders/{id}")).await.expect("an answer").0, 200);
    assert_eq!(city.get::<Value>(&format!("/orders/{id}")).await["state"], "cancelled");
    let (status, problem) = city.delete("/orders/o99").await.expect("an answer");
    assert_eq!((status, problem["code"].as_str()), (404, Some("no_such_order")), "refusals come through as they are");
}

#[tokio::test]
async fn a_leader_that_is_asked_to_end_hands_over_at_once() {
    let _alone = alone().await;
    let mut city = RunningCity::start("leader-term", &["--speed", "20"]);
    let (_, pid, standby) = pair(&city);
    city.url = city.url_of(&standby);
    city.place("pizza", None).await;
    RunningCity::signal(pid, Signal::TERM);
    let replaced = until_replaced(&city, pid).await;
    println!("SIGTERM: replaced after {replaced:?}");
    assert!(replaced < REPLACED_WITHIN, "{replaced:?}");
    let proof = city.until_all_ended(1, SOON).await;
    assert_eq!((proof.completed, proof.lost), (1, 0));
}

#[tokio::test]
async fn a_stranger_on_the_same_directory_never_leads_beside_the_leader() {
    let _alone = alone().await;
    let city = RunningCity::start("stranger", &["--kitchens", "1", "--balancers", "1"]);
    let before = city.proof().await;
    let mut stranger = std::process::Command::new(running_city::CHEF)
        .args(["balancer", "--id", "stranger", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&city.dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    until_both(&city).await;
    assert_eq!(city.proof().await.epoch, before.epoch, "it stands by");
    let supervised = city.chef_now(&["status", "--output", "json"]);
    assert!(supervised.status.success());
    stranger.kill().expect("ours");
    stranger.wait().expect("reaped");
}
