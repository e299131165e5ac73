//! Cheap requests by the hundred: probes are answered meanwhile, orders are taken, and nobody takes a busy leader for a hung
//! one.

mod raw_http;
mod running_city;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use raw_http::connect;
use running_city::RunningCity;
use serde_json::json;

/// A standby takes a second of silence for a hang.
const PROBE_MAX: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(8);
const PAGE: &str = "GET /api/v1/orders?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n";

async fn with_orders(name: &str) -> RunningCity {
    let city = RunningCity::start(name, &["--kitchens", "2", "--balancers", "2"]);
    city.take_everything().await;
    let order = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown", "customer": "c".repeat(60)});
    for _ in 0..2 {
        let batch = json!({"orders": vec![order.clone(); 1_000]});
        assert_eq!(city.post("/orders/batch", batch, None).await.expect("an answer").0, 200);
    }
    assert_eq!(city.proof().await.accepted, 2_000);
    city
}

/// Looks at the leader through its own door while `crowd` is there; the longest look, and the longest order.
async fn while_it_is_busy(
    city: &RunningCity,
    crowd: impl FnOnce(&str, Arc<AtomicBool>) -> Vec<std::thread::JoinHandle<u64>>,
) {
    let before = city.leader().expect("somebody leads");
    let over = Arc::new(AtomicBool::new(false));
    let threads = crowd(&city.url_of(&before.0), Arc::clone(&over));
    let began = Instant::now();
    let (mut probes, mut orders) = (Vec::new(), Vec::new());
    while began.elapsed() < SPAN {
        for path in ["/healthz", "/readyz"] {
            let asked = Instant::now();
            assert_eq!(city.text(path).await.expect("an answer").0, 200);
            probes.push(asked.elapsed());
        }
        let asked = Instant::now();
        // The line is full after a while: then it is told so, and that is an answer too.
        let order = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown"});
        let (status, answer) = city.post("/orders", order, None).await.expect("an answer");
        assert!(status == 201 || answer["code"] == "line_too_long", "{status} {answer}");
        orders.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    over.store(true, Relaxed);
    let answers: u64 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    let longest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    eprintln!(
        "{answers} answers; {} probes, the longest {:?}; {} orders, the longest {:?}",
        probes.len(),
        longest(&probes),
        orders.len(),
        longest(&orders)
    );
    assert_eq!(city.leader(), Some(before), "nobody was replaced");
    assert!(longest(&probes) < PROBE_MAX, "a probe took {:?}", longest(&probes));
    assert!(answers > 0, "somebody was served");
}

/// Reads one answer; its status.
fn read_answer(stream: &mut impl Read) -> Option<u16> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_lowercase();
    let length = head.split_once("content-length: ")?.1.split_once("\r\n")?.0.parse().ok()?;
    std::io::copy(&mut stream.take(length), &mut std::io::sink()).ok()?;
    head.get(9..12)?.parse().ok()
}

/// Threads that ask with `request` and read, `ahead` questions at a time, until it is over.
fn ask_on(
    url: &str,
    over: &Arc<AtomicBool>,
    clients: usize,
    ahead: usize,
    request: &str,
) -> Vec<std::thread::JoinHandle<u64>> {
    let refused = Arc::new(AtomicU64::new(0));
    let client = |_| {
        let (over, refused, url, request) =
            (Arc::clone(over), Arc::clone(&refused), url.to_owned(), request.repeat(ahead));
        std::thread::spawn(move || {
            let mut served = 0;
            let mut stream = std::io::BufReader::with_capacity(1 << 16, connect(&url));
            while !over.load(Relaxed) && stream.get_mut().write_all(request.as_bytes()).is_ok() {
                for _ in 0..ahead {
                    match read_answer(&mut stream) {
                        Some(200) => served += 1,
                        Some(503) => {
                            refused.fetch_add(1, Relaxed);
                            std::thread::sleep(Duration::from_millis(100));
                        }
                        other => return if other.is_none() { served } else { panic!("{other:?}") },
                    }
                    if over.load(Relaxed) {
                        return served;
                    }
                }
            }
            served
        })
    };
    (0..clients).map(client).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_clients_that_ask_for_forty_pages_each_in_one_breath_starve_nobody() {
    let city = with_orders("pipelined").await;
    while_it_is_busy(&city, |url, over| ask_on(url, &over, 10, 40, PAGE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_readers_of_a_page_starve_nobody() {
    let city = with_orders("readers").await;
    while_it_is_busy(&city, |url, over| ask_on(url, &over, 300, 1, PAGE)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_with_large_batches_starve_nobody() {
    let city = with_orders("batches").await;
    // Orders that are refused one by one cost as much to look at, and fill no line.
    let order = r#"{"items":[{"dish":"pizza"}],"zone":"Nowhere"}"#;
    let body = format!(r#"{{"orders":[{}]}}"#, vec![order; 1_000].join(","));
    let head = "POST /api/v1/orders/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    while_it_is_busy(&city, |url, over| ask_on(url, &over, 100, 1, &request)).await;
}
