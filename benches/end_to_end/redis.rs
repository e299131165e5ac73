//! The comparison: a queue on Redis Streams with `appendfsync always`. An order is added durably, read by one of eight
//! workers through a consumer group, and acknowledged and deleted, durably again. No kitchen is chosen, nothing is leased.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::city::AGENTS;
use crate::http::{histogram, micros};
use crate::stats::Row;

struct Server {
    child: Child,
    dir: PathBuf,
    address: String,
}

impl Server {
    fn start() -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).ok()?;
        let dir = std::env::temp_dir().join(format!("chef-bench-redis-{}-{}", std::process::id(), free.port()));
        std::fs::create_dir_all(&dir).ok()?;
        let child = Command::new("redis-server")
            .args(["--port", &free.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--daemonize", "no", "--dir"])
            .arg(&dir)
            .stdout(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, dir, address: free.to_string() }),
            Err(_) => {
                println!("  skipped: no redis-server");
                None
            }
        }
    }

    fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A connection that counts whole replies.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    have: usize,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let began = Instant::now();
        let stream = loop {
            match TcpStream::connect(address).await {
                Ok(stream) => break stream,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "redis: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, buffer: vec![0; 256 * 1024], have: 0 }
    }

    /// Sends, and waits for this many replies; gives them back as they came.
    async fn ask(&mut self, request: &[u8], replies: usize) -> Vec<u8> {
        self.stream.write_all(request).await.expect("redis reads");
        loop {
            if let Some(end) = skip(&self.buffer[..self.have], replies) {
                let answer = self.buffer[..end].to_vec();
                self.buffer.copy_within(end..self.have, 0);
                self.have -= end;
                return answer;
            }
            if self.have == self.buffer.len() {
                self.buffer.resize(self.have * 2, 0);
            }
            let read = self.stream.read(&mut self.buffer[self.have..]).await.expect("redis answers");
            assert!(read > 0, "redis hung up");
            self.have += read;
        }
    }
}

/// The length of this many replies, if they are all there.
fn skip(bytes: &[u8], replies: usize) -> Option<usize> {
    let (mut at, mut left) = (0, replies);
    while left > 0 {
        let line = bytes[at..].windows(2).position(|pair| pair == b"\r\n")? + at;
        let number = || std::str::from_utf8(&bytes[at + 1..line]).ok()?.parse::<i64>().ok();
        let next = line + 2;
        left -= 1;
        at = match bytes[at] {
            b'$' => next + usize::try_from(number()?).map_or(0, |length| length + 2),
            b'*' => {
                left += usize::try_from(number()?).unwrap_or(0);
                next
            }
            b'-' => panic!("redis: {}", String::from_utf8_lossy(&bytes[at..line])),
            _ => next,
        };
        if at > bytes.len() {
            return None;
        }
    }
    Some(at)
}

/// The ids in a reply to XREADGROUP: bulk strings of the form `digits-digits`.
fn ids(reply: &[u8]) -> Vec<&[u8]> {
    let lines = reply.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_id = |line: &&[u8]| {
        line.contains(&b'-') && line.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') && line[0] != b'-'
    };
    lines.filter(|line| !line.is_empty()).filter(is_id).collect()
}

async fn worker(address: String, number: usize) {
    let mut connection = Connection::open(&address).await;
    let name = format!("w{number}");
    let read = command(&[
        b"XREADGROUP",
        b"GROUP",
        b"g",
        name.as_bytes(),
        b"COUNT",
        b"128",
        b"BLOCK",
        b"50",
        b"STREAMS",
        b"orders",
        b">",
    ]);
    loop {
        let reply = connection.ask(&read, 1).await;
        let ids = ids(&reply);
        if ids.is_empty() {
            continue;
        }
        let (mut ack, mut del): (Vec<&[u8]>, Vec<&[u8]>) = (vec![b"XACK", b"orders", b"g"], vec![b"XDEL", b"orders"]);
        ack.extend(&ids);
        del.extend(&ids);
        let both = [command(&ack), command(&del)].concat();
        connection.ask(&both, 2).await;
    }
}

async fn length(control: &mut Connection) -> i64 {
    let reply = control.ask(&command(&[b"XLEN", b"orders"]), 1).await;
    std::str::from_utf8(&reply[1..]).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

async fn load(
    address: &str,
    connections: usize,
    batch: usize,
    span: Duration,
    rate: Option<f64>,
) -> (u64, Duration, Histogram<u64>) {
    let payload = [b'o'; 256];
    let request = command(&[b"XADD", b"orders", b"*", b"o", &payload]).repeat(batch);
    let began = Instant::now();
    let gap = rate.map(|rate| Duration::from_secs_f64(batch as f64 * connections as f64 / rate));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let mut connection = Connection::open(address).await;
        let request = request.clone();
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut intended = began + gap.unwrap_or_default().mul_f64(number as f64 / connections as f64);
            loop {
                match gap {
                    Some(_) => tokio::time::sleep_until(intended.into()).await,
                    None => intended = Instant::now(),
                }
                if intended >= began + span {
                    return latency;
                }
                connection.ask(&request, batch).await;
                latency.saturating_record(micros(intended.elapsed()));
                intended += gap.unwrap_or_default();
            }
        });
    }
    let mut latency = histogram();
    while let Some(one) = tasks.join_next().await {
        latency.add(one.expect("no request failed")).expect("same bounds");
    }
    (latency.len() * batch as u64, began.elapsed(), latency)
}

/// The same measurement on Redis; nothing if it is not installed.
pub async fn run(span: Duration, connections: usize, batch: usize) -> Option<Row> {
    let server = Server::start()?;
    let mut control = Connection::open(&server.address).await;
    control.ask(&command(&[b"XGROUP", b"CREATE", b"orders", b"g", b"$", b"MKSTREAM"]), 1).await;
    let workers: Vec<_> = (0..AGENTS).map(|number| tokio::spawn(worker(server.address.clone(), number))).collect();
    load(&server.address, connections, batch, span / 5, None).await;
    let (orders, took, _) = load(&server.address, connections, batch, span, None).await;
    let began = Instant::now();
    while length(&mut control).await > 0 && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let rate = orders as f64 / (took + began.elapsed()).as_secs_f64();
    let (_, _, ack) = load(&server.address, connections, batch, span, Some(rate / 2.0)).await;
    workers.iter().for_each(|worker| worker.abort());
    let what = if batch == 1 { "single" } else { "batch of 100" };
    let row = Row { who: "redis always", what, connections, rate, cpu_ms_per_1000: None, ack, completion_p99_ms: None };
    println!("  {row}");
    server.stop();
    Some(row)
}
