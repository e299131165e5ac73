//! How long a restart takes with a million open orders: from the start of the process to "ready", without a snapshot and
//! with one.
//!
//! `cargo build --release -p balancer && cargo run --release -p balancer --example restart [ORDERS]`
//!
//! Writes the ledger itself, then starts the `balancer` that was built beside it, twice: the first start replays the
//! journal, and its orderly end writes a snapshot for the second.

#![allow(missing_docs, reason = "the names say it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use balancer::ledger::{Journal, Row};
use balancer_core::event::Accepted;
use balancer_core::{Event, Recorded};
use protocol::city::{City, DishNo, ZoneNo};
use protocol::{Epoch, Item, OrderId, Position, Priority, WallTime};
use rustix::process::{Pid, Signal, kill_process};

/// Events of a row: a group commit under load.
const ROW: usize = 4_000;

fn main() {
    let orders = std::env::args().nth(1).and_then(|orders| orders.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a directory");
    let began = Instant::now();
    write(dir.path(), orders);
    let bytes = std::fs::metadata(dir.path().join("ledger.db")).map_or(0, |file| file.len());
    println!("{orders} open orders: ledger of {} MB written in {:.1} s", bytes >> 20, began.elapsed().as_secs_f64());
    let without = start_and_stop(dir.path(), Duration::from_secs(60));
    println!("ready without a snapshot: {:.2} s", without.as_secs_f64());
    let snapshot = snapshot(dir.path());
    println!("snapshot: {}", snapshot.map_or_else(|| "none was written".into(), |mb| format!("{mb} MB")));
    for _ in 0..3 {
        let with = start_and_stop(dir.path(), Duration::from_secs(60));
        println!("ready with a snapshot:    {:.2} s", with.as_secs_f64());
    }
}

fn write(dir: &Path, orders: u64) {
    let mut journal = Journal::open(dir).expect("opened");
    let now = WallTime::now();
    let begin = [Event::EpochStarted { epoch: Epoch(1) }, Event::CityChanged { city: Box::new(City::built_in()) }];
    let events = begin.into_iter().chain((1..=orders).map(accepted));
    let mut events = events.map(|event| Recorded { at: now, event }).peekable();
    while events.peek().is_some() {
        let row: Vec<Recorded> = events.by_ref().take(ROW).collect();
        let body = row.iter().fold(Vec::new(), |body, event| postcard::to_extend(event, body).expect("plain data"));
        let (first, count) = (Position(journal.last().0 + 1), u32::try_from(row.len()).expect("few"));
        journal.append(&Row { first, epoch: Epoch(1), count, body }).expect("appended");
    }
    journal.close().expect("closed");
}

fn accepted(order: u64) -> Event {
    Event::Accepted(Box::new(Accepted {
        order: OrderId(order),
        items: vec![Item { dish: DishNo((order % 3) as u16), quantity: 1 }],
        zone: ZoneNo((order % 4) as u16),
        customer: Some(format!("customer-{}", order % 5_000).into()),
        priority: Priority::Normal,
        key: Some(format!("order-key-{order:08}").into()),
        stages: 3,
        rush: false,
    }))
}

/// The time until it says that it is ready; then it is ended in good order.
fn start_and_stop(dir: &Path, limit: Duration) -> Duration {
    let began = Instant::now();
    let mut child = start(dir);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    let took = began.elapsed();
    assert!(line.starts_with("ready "), "it did not start: run the balancer by hand to see why");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, Signal::TERM).expect("it runs");
    let ending = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if ending.elapsed() > limit {
            child.kill().expect("it runs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    took
}

fn start(dir: &Path) -> Child {
    let program: PathBuf = std::env::current_exe().expect("a path").with_file_name("../balancer");
    let mut command = Command::new(&program);
    command.args(["--listen", "127.0.0.1:0", "--log-level", "info", "--data-dir"]).arg(dir).stdout(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}; build it first", program.display()))
}

/// Megabytes of the snapshot.
fn snapshot(dir: &Path) -> Option<u64> {
    let files = std::fs::read_dir(dir).ok()?.flatten();
    let mut snapshots = files.filter(|file| file.file_name().to_string_lossy().starts_with("snapshot-"));
    snapshots.find_map(|file| file.metadata().ok()).map(|file| file.len() >> 20)
}
