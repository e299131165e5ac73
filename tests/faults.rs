//! Real processes, real signals: kill -9 of agents and of the balancer under load, a stopped agent, a changed byte.
//!
//! Judged from outside: by what clients were answered, by the pages of the API, and by a walk over the ledger.

mod running_city;

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use protocol::WallTime;
use protocol::api::{HopKind, OrderView};
use running_city::{RunningCity, remove, runs, spread, verify};
use rustix::process::Signal;
use serde_json::Value;

const LOAD: [&str; 7] = ["load", "--orders", "5000", "--users", "50", "--output", "json"];

/// How long after its kitchen's death each order that was lost there was leased again, in milliseconds.
fn recovery_times(orders: &[OrderView], kills: &BTreeMap<String, Vec<WallTime>>) -> Vec<u64> {
    let mut times = Vec::new();
    for order in orders {
        for pair in order.hops.windows(2) {
            let [before, after] = pair else { continue };
            let killed = kills.get(before.kitchen.as_str()).into_iter().flatten();
            let last = killed.filter(|kill| **kill <= after.at && **kill >= before.at).max();
            if let (HopKind::Recover, Some(kill)) = (after.kind, last) {
                times.push(after.at.ms_since(*kill));
            }
        }
    }
    times
}

/// The load of these tests is more than the city cooks, so that kitchens are full when they die: nothing is shed for it.
fn let_orders_wait(city: &RunningCity) {
    assert!(city.chef_now(&["policy", "--max-wait", "0s"]).status.success());
}

#[tokio::test]
async fn ten_agents_killed_under_load_lose_and_repeat_nothing() {
    let city = RunningCity::start("kills", &["--speed", "20"]);
    let_orders_wait(&city);
    let load = city.chef(&LOAD);
    let mut kills: BTreeMap<String, Vec<WallTime>> = BTreeMap::new();
    for round in 0..10 {
        let id = format!("kitchen_{}", round % 4 + 1);
        city.until(&format!("{id} holds orders"), Duration::from_secs(20), async |city| {
            let kitchen: Value = city.get(&format!("/kitchens/{id}")).await;
            kitchen["health"] == "alive" && kitchen["cooking"].as_u64() > Some(0)
        })
        .await;
        let pid = city.pid(&id).expect("in city.json");
        kills.entry(id.clone()).or_default().push(WallTime::now());
        RunningCity::signal(pid, Signal::KILL);
        city.until(&format!("{id} is back"), Duration::from_secs(20), async |city| {
            city.pid(&id).is_some_and(|now| now != pid)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let output = load.wait_with_output().expect("load ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let proof = city.until_all_ended(5_000, Duration::from_secs(60)).await;
    let times = recovery_times(&city.all_orders().await, &kills);
    let (median, largest) = spread(times.clone());
    println!("10 kills: {} orders leased elsewhere, median {median} ms, largest {largest} ms; {proof:?}", times.len());
    assert_eq!((proof.completed, proof.lost, proof.twice), (5_000, 0, 0));
    assert!(!times.is_empty() && largest <= 3_000, "median {median} ms, largest {largest} ms");
    let dir = city.stop();
    assert!(verify(&dir).status.success());
    remove(&dir);
}

#[tokio::test]
async fn the_balancer_killed_in_mid_load_keeps_every_acknowledged_order() {
    let city = RunningCity::start("balancer-kill", &["--speed", "20"]);
    let_orders_wait(&city);
    let first = city.place("pizza", Some("before")).await;
    let load = city.chef(&LOAD);
    city.until("orders flow", Duration::from_secs(20), async |city| city.proof().await.accepted > 500).await;
    let (before, pid) = (city.proof().await, city.pid("balancer_1").expect("in city.json"));
    RunningCity::signal(pid, Signal::KILL);
    city.until("another balancer leads", Duration::from_secs(20), async |city| {
        city.pid("balancer_1").is_some_and(|now| now != pid) && city.try_get::<Value>("/proof").await.is_ok()
    })
    .await;
    let after = city.proof().await;
    assert!(after.accepted >= before.accepted && after.epoch > before.epoch, "{before:?} {after:?}");
    assert_eq!(city.place("pizza", Some("before")).await["id"], first["id"], "the same key is the same order");
    let output = load.wait_with_output().expect("load ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let proof = city.until_all_ended(5_001, Duration::from_secs(60)).await;
    assert_eq!(
        (proof.accepted, proof.completed, proof.lost, proof.twice),
        (5_001, 5_001, 0, 0),
        "retries made no second order"
    );
    let dir = city.stop();
    assert!(verify(&dir).status.success());
    remove(&dir);
}

#[tokio::test]
async fn a_stopped_agents_late_results_are_refused_and_counted() {
    let city = RunningCity::start("stop", &["--speed", "4"]);
    for _ in 0..30 {
        city.place("pizza", None).await;
    }
    let cooking = async |city: &RunningCity| {
        let kitchen: Value = city.get("/kitchens/kitchen_1").await;
        kitchen["cooking"].as_u64() >= Some(5)
    };
    city.until("kitchen_1 cooks", Duration::from_secs(10), cooking).await;
    let pid = city.pid("kitchen_1").expect("in city.json");
    RunningCity::signal(pid, Signal::STOP);
    tokio::time::sleep(Duration::from_secs(5)).await;
    RunningCity::signal(pid, Signal::CONT);
    let proof = city.until_all_ended(30, Duration::from_secs(30)).await;
    city.until("late results were refused", Duration::from_secs(5), async |city| city.proof().await.stale_refused > 0)
        .await;
    println!("stopped for 5 s: {:?}", city.proof().await);
    assert_eq!((proof.completed, proof.lost, proof.twice), (30, 0, 0));
}

#[tokio::test]
async fn nothing_is_left_behind_even_when_chef_up_itself_is_killed() {
    let city = RunningCity::start("orphans", &[]);
    let pids = city.pids();
    assert_eq!(pids.len(), 6, "two balancers and four kitchens");
    let up = i32::try_from(city.up_pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    RunningCity::signal(up, Signal::KILL);
    let began = Instant::now();
    while pids.iter().any(|pid| runs(*pid)) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "still there: {:?}",
            pids.iter().filter(|pid| runs(**pid)).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn verify_passes_on_a_sound_ledger_and_names_the_position_of_a_changed_byte() {
    let city = RunningCity::start("verify", &["--speed", "50"]);
    for _ in 0..50 {
        city.place("salad", None).await;
    }
    city.until_all_ended(50, Duration::from_secs(30)).await;
    let dir = city.stop();
    let sound = verify(&dir);
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    flip_a_journal_byte(&dir.join("ledger.db"));
    let damaged = verify(&dir);
    let said = String::from_utf8_lossy(&damaged.stderr).into_owned() + &String::from_utf8_lossy(&damaged.stdout);
    println!("{said}");
    assert_eq!(damaged.status.code(), Some(1), "{said}");
    assert!(said.contains("position"), "{said}");
    remove(&dir);
}

/// Changes one byte in the middle of the rows' bodies: in the last third of the file, where it is not zero.
fn flip_a_journal_byte(path: &std::path::Path) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("the database");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("readable");
    let middle = bytes.len() * 2 / 3;
    let at = (middle..bytes.len()).find(|at| bytes[*at..].iter().take(64).all(|byte| *byte != 0)).unwrap_or(middle);
    file.seek(SeekFrom::Start(at as u64)).expect("seekable");
    file.write_all(&[bytes[at] ^ 1]).expect("writable");
}
