//! Orders a second through the whole program: placed over HTTP, durable, scored, leased, carried over the WebSocket,
//! completed by agents that cook in no time, and the completion durable again. Beside it, in the same run, a queue on
//! Redis with `appendfsync always` does the part of that work which it can: accept durably, hand out, acknowledge.
//!
//! ```text
//! cargo bench --bench end_to_end                 all of it, about a minute
//! cargo bench --bench end_to_end -- --seconds 10 --skip-redis
//! ```
//!
//! Every party is a process of its own on loopback: `chef balancer`, one process with eight agents, this load generator,
//! and `redis-server` if it is installed. Latencies are taken at half of the rate just found, from the *intended* send
//! time (open model). Absolute numbers drift with the machine; the ratio to Redis in the same run does not.

#[path = "end_to_end/city.rs"]
mod city;
#[path = "end_to_end/http.rs"]
mod http;
#[path = "end_to_end/redis.rs"]
mod redis;
#[path = "end_to_end/stats.rs"]
mod stats;

use std::time::Duration;

use stats::Row;

struct Options {
    seconds: u64,
    rounds: usize,
    redis: bool,
}

fn options() -> Options {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)?.parse().ok());
    Options {
        seconds: after("--seconds").unwrap_or(5),
        rounds: after("--rounds").unwrap_or(2) as usize,
        redis: !args.iter().any(|arg| arg == "--skip-redis"),
    }
}

fn main() {
    if let Some(url) = city::agents_wanted() {
        return city::run_agents(&url);
    }
    // `cargo test --benches` asks only whether it starts.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let options = options();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(&options));
}

async fn run(options: &Options) {
    let span = Duration::from_secs(options.seconds);
    let mut rows: Vec<Row> = Vec::new();
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        rows.push(ours(span, 64, 1).await);
        if options.redis {
            rows.extend(redis::run(span, 64, 1).await);
        }
        rows.push(ours(span, 8, 100).await);
        if options.redis {
            rows.extend(redis::run(span, 8, 100).await);
        }
    }
    stats::print(&rows);
}

/// One measurement of this program on a fresh ledger: the highest rate, then latency at half of it.
async fn ours(span: Duration, connections: usize, batch: usize) -> Row {
    let city = city::City::start().await;
    let warm = http::closed(&city.address, connections, batch, span / 5).await;
    city.wait_until_done().await;
    let before = city.cpu();
    let full = http::closed(&city.address, connections, batch, span).await;
    let done = city.wait_until_done().await;
    let cpu_ms = (city.cpu() - before).as_secs_f64() * 1e6 / full.orders as f64;
    let rate = full.orders as f64 / (full.took + done).as_secs_f64();
    let half = http::open(&city.address, connections, batch, rate / 2.0, span).await;
    city.wait_until_done().await;
    let proof = city.proof().await;
    assert_eq!((proof.lost, proof.twice, proof.open), (0, 0, 0), "the promise");
    assert_eq!(proof.accepted, warm.orders + full.orders + half.orders);
    let completion = city.completion_ms().await;
    let row = Row {
        who: "chef",
        what: if batch == 1 { "single" } else { "batch of 100" },
        connections,
        rate,
        cpu_ms_per_1000: Some(cpu_ms),
        ack: half.latency,
        completion_p99_ms: completion,
    };
    println!("  {row}");
    city.stop();
    row
}
