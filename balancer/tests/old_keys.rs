//! A real balancer whose memory has forgotten orders: their keys are the same orders all the same, for as long as keys are
//! remembered, after a kill -9, an orderly end, and for whoever takes over.

#![allow(missing_docs, reason = "the names say it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use balancer::ledger::{Journal, Row};
use balancer_core::event::Accepted;
use balancer_core::input::Operator;
use balancer_core::{Event, Recorded, limits};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, Item, OrderId, Position, Priority, WallTime};
use reqwest::header::HeaderMap;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const BALANCER: &str = env!("CARGO_BIN_EXE_balancer");
/// Any answer comes within this time, also beside other tests.
const SOON: Duration = Duration::from_secs(20);

/// A ledger in which `mine` is o1, and so many orders have ended since that memory knows nothing of it.
fn ledger(dir: &Path) {
    let city = City::built_in();
    let dish = city.menu.dishes.iter().position(|dish| dish.name == "pizza").expect("pizza");
    let zone = city.zones.iter().position(|zone| zone.name == "Downtown").expect("Downtown");
    let order = |number: u64| {
        let accepted = Accepted {
            order: OrderId(number),
            items: vec![Item { dish: DishNo(dish as u16), quantity: 1 }],
            zone: ZoneNo(zone as u16),
            customer: None,
            priority: Priority::Normal,
            key: Some(if number == 1 { "mine".into() } else { format!("other-{number}").into() }),
            stages: 3,
            rush: false,
        };
        let cancelled = Event::Cancelled { order: OrderId(number), by: Operator::default() };
        [Event::Accepted(Box::new(accepted)), cancelled]
    };
    let begin = [Event::EpochStarted { epoch: Epoch(1) }, Event::CityChanged { city: Box::new(city) }];
    let events: Vec<Event> = begin.into_iter().chain((1..=limits::CLOSED_KEPT as u64 + 10).flat_map(order)).collect();
    let mut journal = Journal::open(dir).expect("opened");
    let at = WallTime::now();
    for events in events.chunks(8_000) {
        let recorded = events.iter().map(|event| Recorded { at, event: event.clone() });
        let body = recorded.fold(Vec::new(), |body, event| postcard::to_extend(&event, body).expect("plain data"));
        let (first, count) = (Position(journal.last().0 + 1), u32::try_from(events.len()).expect("few"));
        journal.append(&Row { first, epoch: Epoch(1), count, body }).expect("appended");
    }
    journal.close().expect("closed");
}

struct Balancer {
    child: Child,
    url: String,
}

impl Balancer {
    fn start(dir: &Path, id: &str, more: &[&str]) -> Self {
        let mut command = Command::new(BALANCER);
        command.args(["--listen", "127.0.0.1:0", "--log-level", "warn", "--id", id, "--data-dir"]).arg(dir).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
        let url = line.trim().strip_prefix("ready ").expect("it is ready").to_owned();
        Self { child, url }
    }

    fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it runs");
        let began = Instant::now();
        while self.child.try_wait().expect("a child").is_none() {
            assert!(began.elapsed() < SOON, "it ends when it is told to");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Places an order; asks again while it is told to come back.
    async fn order(&self, key: &str, dish: &str) -> (u16, HeaderMap, Value) {
        let (http, began) = (reqwest::Client::new(), Instant::now());
        loop {
            let body = json!({"items": [{"dish": dish, "quantity": 1}], "zone": "Downtown"});
            let request = http.post(format!("{}/api/v1/orders", self.url)).header("idempotency-key", key).json(&body);
            let answer = request.timeout(SOON).send().await.expect("an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body: Value = answer.json().await.expect("JSON");
            if status != 503 {
                return (status, headers, body);
            }
            assert!(headers.contains_key("retry-after") && began.elapsed() < SOON, "{body}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn knows(&self, key: &str, id: &str, what: &str) {
        let (status, headers, order) = self.order(key, "pizza").await;
        assert_eq!((status, order["id"].as_str()), (200, Some(id)), "{what}: {order}");
        assert_eq!(headers.get("idempotent-replayed").and_then(|value| value.to_str().ok()), Some("true"), "{what}");
        assert_eq!(order["state"], "cancelled", "{what}");
        let (status, _, problem) = self.order(key, "salad").await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_conflict")), "{what}: {problem}");
    }

    async fn get(&self, path: &str) -> Value {
        let answer = reqwest::get(format!("{}/api/v1/{path}", self.url)).await.expect("an answer");
        answer.json().await.expect("JSON")
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_key_is_the_same_order_although_memory_has_forgotten_it() {
    let dir = tempfile::tempdir().expect("dir");
    ledger(dir.path());
    let accepted = limits::CLOSED_KEPT as u64 + 10;

    let mut first = Balancer::start(dir.path(), "b1", &[]);
    first.knows("mine", "o1", "after a start without a snapshot").await;
    let batch = json!({"orders": [
        {"items": [{"dish": "pizza"}], "zone": "Downtown", "key": "mine"},
        {"items": [{"dish": "pizza"}], "zone": "Downtown", "key": "new"},
        {"items": [{"dish": "salad"}], "zone": "Downtown", "key": "mine"},
        {"items": [{"dish": "pizza"}], "zone": "Downtown", "key": "new"},
    ]});
    let answer = reqwest::Client::new().post(format!("{}/api/v1/orders/batch", first.url)).json(&batch);
    let answer: Value = answer.send().await.expect("an answer").json().await.expect("JSON");
    let results = answer["results"].as_array().expect("results");
    let new = format!("o{}", accepted + 1);
    assert_eq!((&results[0]["id"], &results[1]["id"], &results[3]["id"]), (&json!("o1"), &json!(new), &json!(new)));
    assert_eq!(results[2]["code"], "idempotency_conflict");
    assert_eq!(first.get("status").await["key_window_ms"], 3_600_000);

    let standby = Balancer::start(dir.path(), "b2", &[]);
    first.signal(Signal::KILL);
    standby.knows("mine", "o1", "after a takeover").await;
    let mut standby = standby;
    standby.signal(Signal::TERM);
    assert!(
        std::fs::read_dir(dir.path())
            .expect("there")
            .flatten()
            .any(|file| { file.file_name().to_string_lossy().starts_with("keys-") }),
        "an orderly end leaves keys beside the snapshot"
    );

    let mut third = Balancer::start(dir.path(), "b3", &[]);
    third.knows("mine", "o1", "after a start from a snapshot").await;
    let proof = third.get("proof").await;
    assert_eq!(proof["accepted"], accepted + 1, "no second order was made: {proof}");
    third.signal(Signal::KILL);

    // A shorter time from now on: what has ended and is older is let go, in memory and on the disk. It runs from the
    // beginning of the reign, so the key is known at first.
    let short = Balancer::start(dir.path(), "b4", &["--key-window", "2s"]);
    short.knows("mine", "o1", "as long as the time lasts").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (status, _, order) = short.order("mine", "pizza").await;
    assert_eq!((status, order["id"].as_str()), (201, Some(format!("o{}", accepted + 2).as_str())), "{order}");
    drop(short);
    balancer::verify::run(dir.path()).expect("and the ledger is sound");
}
