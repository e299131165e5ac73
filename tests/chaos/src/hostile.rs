//! Guests that mean no good, and guests that only come all at once: what a balancer has to live with beside its customers.
//!
//! ```text
//! NeverReads   asks for page after page of a thousand orders on one connection and reads nothing
//! HalfHeader   sends a header byte by byte and never ends it
//! SilentFeed   a console that joins the live feed and then reads nothing
//! Polite       reads a page of a thousand orders, once, as everybody else in its crowd
//! ```
//! Owns the connections; all are closed when a visit ends or is broken off. Never judges: what it does to customers and
//! to memory is seen elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::Result;
use crate::clock::Spread;

/// What the kernel keeps for a reader that does not read: as little as it allows, so that the sender feels it at once.
const RECEIVE_BUFFER: u32 = 4 * 1024;
/// Pages that are asked for on one connection: about a gigabyte, if somebody took it.
const PIPELINED: usize = 4_000;
/// A balancer that is stopped still takes connections; words are waited for so long.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Between two bytes of a header.
const DRIP: Duration = Duration::from_millis(500);

const PAGE: &str = "/api/v1/orders?limit=1000";

/// A kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guest {
    /// Asks and asks, and reads nothing.
    NeverReads,
    /// Never ends its header.
    HalfHeader,
    /// Joins the feed and reads nothing.
    SilentFeed,
    /// Reads what it asked for.
    Polite,
}

impl Guest {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NeverReads, Self::HalfHeader, Self::SilentFeed, Self::Polite];

    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NeverReads => "never reads",
            Self::HalfHeader => "half a header",
            Self::SilentFeed => "silent feed",
            Self::Polite => "page reader",
        }
    }
}

/// What became of the guests of one kind.
#[derive(Debug, Clone, Default)]
pub struct Visits {
    /// How many came.
    pub came: u64,
    /// Shown the door before they left, or never let in: how.
    pub sent_away: BTreeMap<String, u64>,
    /// Whole pages.
    pub pages: u64,
    /// How long those took, in milliseconds.
    pub took_ms: Vec<u64>,
}

impl Visits {
    /// Adds others.
    pub fn add(&mut self, others: Self) {
        self.came += others.came;
        for (how, count) in others.sent_away {
            *self.sent_away.entry(how).or_default() += count;
        }
        self.pages += others.pages;
        self.took_ms.extend(others.took_ms);
    }

    /// Adds one.
    fn one(&mut self, outcome: Outcome) {
        self.came += 1;
        match outcome {
            Outcome::Stayed => {}
            Outcome::SentAway(how) => *self.sent_away.entry(how).or_default() += 1,
            Outcome::Page(took) => {
                self.pages += 1;
                self.took_ms.push(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            }
        }
    }
}

impl std::fmt::Display for Visits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} came", self.came)?;
        self.sent_away.iter().try_for_each(|(how, count)| write!(f, ", {count} sent away ({how})"))?;
        if self.pages > 0 {
            write!(f, ", {} whole pages in ms: {}", self.pages, Spread::of(self.took_ms.clone()))?;
        }
        Ok(())
    }
}

enum Outcome {
    Stayed,
    SentAway(String),
    Page(Duration),
}

/// So many guests of a kind at once, each for so long.
pub async fn visit(guest: Guest, count: usize, to: SocketAddr, lasts: Duration) -> Visits {
    let (mut guests, mut visits) = (JoinSet::new(), Visits::default());
    for _ in 0..count {
        guests.spawn(async move {
            one(guest, to, lasts).await.unwrap_or_else(|error| Outcome::SentAway(error.to_string()))
        });
    }
    while let Some(outcome) = guests.join_next().await {
        visits.one(outcome.unwrap_or_else(|error| Outcome::SentAway(error.to_string())));
    }
    visits
}

async fn one(guest: Guest, to: SocketAddr, lasts: Duration) -> Result<Outcome> {
    let until = Instant::now() + lasts;
    match guest {
        Guest::NeverReads => {
            let pages = get(to, PAGE, "").repeat(PIPELINED);
            never_read(connect(to, RECEIVE_BUFFER).await?, &pages, until).await
        }
        Guest::SilentFeed => {
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            never_read(connect(to, RECEIVE_BUFFER).await?, &get(to, "/api/v1/feed", upgrade), until).await
        }
        Guest::HalfHeader => half_header(TcpStream::connect(to).await?, &get(to, PAGE, ""), until).await,
        Guest::Polite => read_page(TcpStream::connect(to).await?, to).await,
    }
}

fn get(to: SocketAddr, path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n{more}\r\n")
}

async fn connect(to: SocketAddr, receive_buffer: u32) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(receive_buffer)?;
    Ok(socket.connect(to).await?)
}

/// Writes all of it as far as it is taken, and stays. A connection that was reset is noticed by its error alone.
async fn never_read(mut stream: TcpStream, text: &str, until: Instant) -> Result<Outcome> {
    if let Ok(Err(error)) = timeout_at(until, stream.write_all(text.as_bytes())).await {
        return Ok(Outcome::SentAway(error.kind().to_string()));
    }
    while Instant::now() < until {
        if let Some(error) = stream.take_error()? {
            return Ok(Outcome::SentAway(error.kind().to_string()));
        }
        sleep(DRIP).await;
    }
    Ok(Outcome::Stayed)
}

async fn half_header(mut stream: TcpStream, header: &str, until: Instant) -> Result<Outcome> {
    // Without the empty line at its end, over and over.
    let bytes = header.trim_end().as_bytes().iter().chain(std::iter::repeat(&b'x'));
    for byte in bytes.take_while(|_| Instant::now() < until) {
        stream.write_all(&[*byte]).await?;
        // An answer or the end: either way there was enough of it.
        if timeout(DRIP, stream.read(&mut [0])).await.is_ok() {
            return Ok(Outcome::SentAway("header not ended".into()));
        }
    }
    Ok(Outcome::Stayed)
}

async fn read_page(mut stream: TcpStream, to: SocketAddr) -> Result<Outcome> {
    let (began, mut page) = (Instant::now(), Vec::new());
    stream.write_all(get(to, PAGE, "Connection: close\r\n").as_bytes()).await?;
    timeout(ANSWER_MAX, stream.read_to_end(&mut page)).await??;
    let status = String::from_utf8_lossy(page.get(9..12).unwrap_or(b"no answer")).into_owned();
    Ok(if status == "200" { Outcome::Page(began.elapsed()) } else { Outcome::SentAway(status) })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let to = listener.local_addr().expect("bound");
        (listener, to)
    }

    #[tokio::test]
    async fn guests_that_do_no_reading_stay_as_long_as_they_are_let() {
        let (listener, to) = listen().await;
        let keeping = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok(stream) = listener.accept().await {
                kept.push(stream);
            }
        });
        for guest in [Guest::NeverReads, Guest::HalfHeader, Guest::SilentFeed] {
            let visits = visit(guest, 2, to, SHORT).await;
            assert_eq!((visits.came, visits.sent_away.len()), (2, 0), "{}", guest.word());
        }
        keeping.abort();
    }

    #[tokio::test]
    async fn who_is_shown_the_door_is_counted() {
        let (listener, to) = listen().await;
        let refusing = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_zero_linger();
            }
        });
        for guest in Guest::ALL {
            assert_eq!(visit(guest, 1, to, SHORT).await.sent_away.len(), 1, "{}", guest.word());
        }
        refusing.abort();
    }

    #[tokio::test]
    async fn a_polite_guest_reads_its_page_to_the_end() {
        let (listener, to) = listen().await;
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a guest");
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[]").await;
        });
        let visits = visit(Guest::Polite, 1, to, SHORT).await;
        assert_eq!((visits.pages, visits.took_ms.len()), (1, 1));
        answering.await.expect("answered");
    }
}
