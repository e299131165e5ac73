//! Clients that do not read, do not ask, or do not finish asking: each costs little, and not for long.

mod raw_http;
mod running_city;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use raw_http::connect;
use running_city::RunningCity;
use serde_json::json;

/// A page of 1,000 orders, asked for without waiting for the answer to the one before.
const PAGES: usize = 40;
/// Clients that read nothing.
const CLIENTS: usize = 80;
/// What so many of them may cost, in bytes: the answers have 64 MiB, and what they are made from some more.
const COST_MAX: u64 = 160 * 1024 * 1024;
/// A peer that takes no byte for 10 s is given up; the machine may be busy.
const CUT_OFF_MAX: Duration = Duration::from_secs(25);

/// Memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1_024
}

async fn with_a_thousand_orders(name: &str, args: &[&str]) -> RunningCity {
    let city = RunningCity::start(name, args);
    city.take_everything().await;
    let order = json!({"items": [{"dish": "pizza", "quantity": 1}], "zone": "Downtown", "customer": "c".repeat(60)});
    let (status, _) = city.post("/orders/batch", json!({"orders": vec![order; 1_000]}), None).await.expect("an answer");
    assert_eq!((status, city.proof().await.accepted), (200, 1_000));
    city
}

/// Asks for many pages and reads none of them; this end's kernel takes little for it.
async fn ask_and_never_read(url: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(32 * 1024).expect("a socket option");
    let stream = socket.connect(raw_http::address(url).parse().expect("an address")).await.expect("it listens");
    let mut stream = stream.into_std().expect("a socket");
    stream.set_nonblocking(false).expect("a socket option");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket option");
    let ask = "GET /api/v1/orders?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(PAGES);
    stream.write_all(ask.as_bytes()).expect("it takes the questions");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_cost_little_and_are_given_up() {
    let city = with_a_thousand_orders("never-read", &["--kitchens", "1", "--balancers", "2"]).await;
    let (leader, pid, epoch) = city.leader().expect("somebody leads");
    let pid = u32::try_from(pid).expect("a pid");
    let url = city.url_of(&leader);
    let before = resident(pid);
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(ask_and_never_read(&url).await);
    }
    let mut most = before;
    while began.elapsed() < Duration::from_secs(6) {
        most = most.max(resident(pid));
        assert_eq!(city.text("/readyz").await.expect("an answer").0, 200);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("{CLIENTS} clients that never read: {before} bytes before, {most} at most");
    assert!(most - before < COST_MAX, "{before} bytes before, {most} with them");
    tokio::time::sleep(CUT_OFF_MAX.saturating_sub(began.elapsed())).await;
    // They are given up: after what the kernel still holds for them the connection ends.
    for (number, mut client) in clients.into_iter().enumerate() {
        let mut read = 0;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(taken @ 1..) = client.read(&mut buffer) {
            read += taken;
        }
        assert!(read < PAGES * 100_000, "client {number} was still served: {read} bytes");
    }
    let after = resident(pid);
    eprintln!("after they were given up: {after} bytes");
    assert!(after < before + COST_MAX / 2, "{before} bytes before, {after} after");
    assert_eq!(city.leader().map(|(id, _, epoch)| (id, epoch)), Some((leader, epoch)), "nobody was replaced");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_not_while_a_head_is_half_sent() {
    let city = RunningCity::start("kept", &["--kitchens", "1"]);
    let mut kept = connect(&city.url);
    let mut half = connect(&city.url);
    let mut silent = connect(&city.url);
    let began = Instant::now();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is open");
        let mut buffer = [0; 4_096];
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(buffer[..read].ends_with(b"ok\n"), "{}", String::from_utf8_lossy(&buffer[..read]));
    };
    ask(&mut kept);
    ask(&mut half);
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost:").expect("it is open");
    for (what, stream) in [("half a head", &mut half), ("nothing", &mut silent)] {
        let read = stream.read(&mut [0; 16]);
        assert!(matches!(read, Ok(0) | Err(_)), "{what}: {read:?}");
        let took = began.elapsed();
        assert!((Duration::from_secs(4)..Duration::from_secs(15)).contains(&took), "{what}: {took:?}");
    }
    tokio::time::sleep(Duration::from_secs(8).saturating_sub(began.elapsed())).await;
    ask(&mut kept);
}
