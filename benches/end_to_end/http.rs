//! The load generator: plain HTTP/1.1 over kept connections, prepared requests, answers read only as far as needed, so
//! that it costs as little as possible of the two cores it shares with what it measures.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one load has done.
pub struct Load {
    /// Acknowledged orders.
    pub orders: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Request (open model: its intended time) to answer, in microseconds.
    pub latency: Histogram<u64>,
}

/// 256 bytes of order, as the other queues were measured with.
fn order() -> String {
    let customer = "c".repeat(64);
    format!(
        r#"{{"items":[{{"dish":"pizza","quantity":2}}],"zone":"Downtown","priority":"normal","customer":"{customer}"}}"#
    )
}

fn request(batch: usize) -> Vec<u8> {
    let (path, body) = match batch {
        1 => ("/api/v1/orders", order()),
        many => ("/api/v1/orders/batch", format!(r#"{{"orders":[{}]}}"#, vec![order(); many].join(","))),
    };
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    request: Vec<u8>,
}

impl Connection {
    async fn open(address: &str, batch: usize) -> Self {
        let stream = TcpStream::connect(address).await.expect("the balancer listens");
        stream.set_nodelay(true).expect("a TCP option");
        Self { stream, buffer: vec![0; 64 * 1024], request: request(batch) }
    }

    /// One request, one answer; panics on anything but success, because then the figure would lie.
    async fn place(&mut self) {
        self.stream.write_all(&self.request).await.expect("the balancer reads");
        let (mut have, mut want) = (0, usize::MAX);
        while have < want {
            let read = self.stream.read(&mut self.buffer[have..]).await.expect("the balancer answers");
            assert!(read > 0, "the balancer hung up");
            have += read;
            if want == usize::MAX
                && let Some(end) = find(&self.buffer[..have], b"\r\n\r\n")
            {
                assert!(self.buffer.starts_with(b"HTTP/1.1 20"), "{}", String::from_utf8_lossy(&self.buffer[..have]));
                want = end + 4 + length(&self.buffer[..end]);
                if want > self.buffer.len() {
                    self.buffer.resize(want, 0);
                }
            }
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn length(head: &[u8]) -> usize {
    let at = find(head, b"content-length: ").expect("a length") + 16;
    head[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}

/// As fast as it goes: each connection sends when its last answer has come.
pub async fn closed(address: &str, connections: usize, batch: usize, span: Duration) -> Load {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(address, batch).await;
        tasks.spawn(async move {
            let mut latency = histogram();
            while began.elapsed() < span {
                let sent = Instant::now();
                connection.place().await;
                latency.saturating_record(micros(sent.elapsed()));
            }
            latency
        });
    }
    gather(tasks, began, batch).await
}

/// At a given rate, however long answers take: a late request is late since its intended time.
pub async fn open(address: &str, connections: usize, batch: usize, rate: f64, span: Duration) -> Load {
    let began = Instant::now();
    let gap = Duration::from_secs_f64(batch as f64 * connections as f64 / rate);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let mut connection = Connection::open(address, batch).await;
        let first = began + gap.mul_f64(number as f64 / connections as f64);
        tasks.spawn(async move {
            let mut latency = histogram();
            let mut intended = first;
            while intended < began + span {
                tokio::time::sleep_until(intended.into()).await;
                connection.place().await;
                latency.saturating_record(micros(intended.elapsed()));
                intended += gap;
            }
            latency
        });
    }
    gather(tasks, began, batch).await
}

async fn gather(mut tasks: tokio::task::JoinSet<Histogram<u64>>, began: Instant, batch: usize) -> Load {
    let mut latency = histogram();
    while let Some(one) = tasks.join_next().await {
        latency.add(one.expect("no request failed")).expect("same bounds");
    }
    Load { orders: latency.len() * batch as u64, took: began.elapsed(), latency }
}

/// Microseconds up to a minute, two digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 2).expect("constant bounds")
}

/// A duration as the histogram wants it.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}
