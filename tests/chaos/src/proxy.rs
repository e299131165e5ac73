//! A TCP proxy between one agent and its balancers that can cut, hold, delay and reorder what passes.
//!
//! ```text
//! agent ──▶ [listener per balancer] ── reader ─▶ queue ─▶ writer ──▶ balancer      each direction its own pair
//! ```
//! TCP promises each connection an unbroken sequence, so bytes are never dropped or swapped inside one. What a network
//! can still do to it is done: late (hold, then deliver), never (hold, then reset), and *reordered across connections*:
//! the old connection's bytes arrive after those of the one that replaced it. Nothing is ever duplicated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::Result;

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks that wait in one direction; beyond it the sender's own writes wait, as with a full network.
const QUEUE: usize = 256;

/// What the link does to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// Passes everything at once.
    #[default]
    Clear,
    /// Passes everything, so much later, give or take; never out of sequence.
    Delay {
        /// Milliseconds.
        ms: u64,
        /// At most so many more.
        jitter_ms: u64,
    },
    /// Passes nothing in the named directions until it clears.
    Hold {
        /// From the agent.
        out: bool,
        /// To the agent.
        inward: bool,
    },
    /// Holds what comes from the agent on connections that exist now; newer ones pass.
    HoldOld {
        /// The first connection that passes.
        before: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sky {
    weather: Weather,
    /// Connections with a lower number are reset.
    reset_before: u64,
}

/// The link of one agent to all balancers.
#[derive(Debug)]
pub struct Link {
    /// Where the agent connects to instead, in the sequence of the balancers.
    pub urls: Vec<String>,
    sky: watch::Sender<Sky>,
    connections: Arc<AtomicU64>,
    listeners: Vec<JoinHandle<()>>,
}

impl Link {
    /// Opens a port of 127.0.0.1 for each balancer.
    ///
    /// # Errors
    /// No port is free.
    pub async fn open(balancers: &[SocketAddr], seed: u64) -> Result<Self> {
        let (sky, _) = watch::channel(Sky::default());
        let connections = Arc::new(AtomicU64::new(0));
        let (mut urls, mut listeners) = (Vec::new(), Vec::new());
        for (index, balancer) in balancers.iter().enumerate() {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            urls.push(format!("http://{}", listener.local_addr()?));
            let random = fastrand::Rng::with_seed(seed ^ index as u64);
            let port = Port { balancer: *balancer, sky: sky.clone(), connections: connections.clone(), random };
            listeners.push(tokio::spawn(port.accept(listener)));
        }
        Ok(Self { urls, sky, connections, listeners })
    }

    /// Changes the weather from now on.
    pub fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.weather = weather);
    }

    /// [`Weather::HoldOld`] for the connections of this moment.
    pub fn hold_old(&self) {
        self.set(Weather::HoldOld { before: self.connections.load(Ordering::SeqCst) });
    }

    /// Clears up, and resets every connection: what was held is lost.
    pub fn reset(&self) {
        let reset_before = self.connections.load(Ordering::SeqCst);
        self.sky.send_replace(Sky { weather: Weather::Clear, reset_before });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reset();
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

struct Port {
    balancer: SocketAddr,
    sky: watch::Sender<Sky>,
    connections: Arc<AtomicU64>,
    random: fastrand::Rng,
}

impl Port {
    async fn accept(mut self, listener: TcpListener) {
        while let Ok((agent, _)) = listener.accept().await {
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            let random = self.random.fork();
            tokio::spawn(join(agent, self.balancer, number, self.sky.subscribe(), random));
        }
    }
}

async fn join(agent: TcpStream, to: SocketAddr, number: u64, sky: watch::Receiver<Sky>, mut random: fastrand::Rng) {
    // A balancer that is down looks as it would without the proxy: the connection ends at once.
    let Ok(balancer) = TcpStream::connect(to).await else { return };
    let _ = agent.set_nodelay(true).and_then(|()| balancer.set_nodelay(true));
    let ((agent_in, agent_out), (balancer_in, balancer_out)) = (agent.into_split(), balancer.into_split());
    let direction = |out| Direction { out, number, sky: sky.clone() };
    let (forth, back) = (direction(true), direction(false));
    let mut watching = sky.clone();
    tokio::select! {
        _ = async {
            tokio::join!(
                forth.pump(agent_in, balancer_out, random.fork()),
                back.pump(balancer_in, agent_out, random.fork()),
            )
        } => {}
        _ = watching.wait_for(|sky| number < sky.reset_before) => {}
    }
}

/// One direction of one connection.
struct Direction {
    out: bool,
    number: u64,
    sky: watch::Receiver<Sky>,
}

impl Direction {
    async fn pump(self, mut from: OwnedReadHalf, to: OwnedWriteHalf, mut random: fastrand::Rng) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let sky = self.sky.clone();
        let reading = async move {
            let mut due = Instant::now();
            loop {
                let mut chunk = vec![0; CHUNK];
                let Ok(length @ 1..) = from.read(&mut chunk).await else { return };
                chunk.truncate(length);
                due = due.max(Instant::now() + delay(sky.borrow().weather, &mut random));
                if sender.send((due, chunk)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(reading, self.write(receiver, to));
    }

    /// Writes what is due and allowed; then closes this direction, as the other side had.
    async fn write(mut self, mut queue: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
        while let Some((due, chunk)) = queue.recv().await {
            sleep_until(due).await;
            self.until_passing().await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        self.until_passing().await;
        let _ = to.shutdown().await;
    }

    async fn until_passing(&mut self) {
        let (out, number) = (self.out, self.number);
        // Of a connection that is reset nothing more passes, although the weather is clear from then on.
        let passing = |sky: &Sky| number >= sky.reset_before && passes(sky.weather, out, number);
        let _ = self.sky.wait_for(passing).await;
    }
}

fn passes(weather: Weather, out: bool, number: u64) -> bool {
    match weather {
        Weather::Clear | Weather::Delay { .. } => true,
        Weather::Hold { out: holds_out, inward } => !(if out { holds_out } else { inward }),
        Weather::HoldOld { before } => !out || number >= before,
    }
}

fn delay(weather: Weather, random: &mut fastrand::Rng) -> Duration {
    match weather {
        Weather::Delay { ms, jitter_ms } => Duration::from_millis(ms + random.u64(0..=jitter_ms)),
        Weather::Clear | Weather::Hold { .. } | Weather::HoldOld { .. } => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    /// How long something that is held must not come. The opposite is always waited for in full.
    const HELD: Duration = Duration::from_millis(60);
    const LONG: Duration = Duration::from_secs(10);

    struct Bench {
        link: Link,
        listener: TcpListener,
        at: String,
    }

    async fn bench() -> Bench {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let link = Link::open(&[listener.local_addr().expect("bound")], 1).await.expect("a port");
        let at = link.urls[0].trim_start_matches("http://").to_owned();
        Bench { link, listener, at }
    }

    impl Bench {
        /// The agent's end and the balancer's.
        async fn connect(&self) -> (TcpStream, TcpStream) {
            let agent = TcpStream::connect(&self.at).await.expect("the proxy listens");
            (agent, self.listener.accept().await.expect("the proxy connects").0)
        }
    }

    async fn expect(from: &mut TcpStream, text: &str) {
        let mut bytes = vec![0; text.len()];
        timeout(LONG, from.read_exact(&mut bytes)).await.expect("in time").expect("open");
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    async fn expect_nothing(from: &mut TcpStream) {
        let mut byte = [0];
        assert!(timeout(HELD, from.read(&mut byte)).await.is_err(), "something came: {byte:?}");
    }

    #[tokio::test]
    async fn bytes_pass_both_ways_and_so_does_the_end() {
        let bench = bench().await;
        let (mut agent, mut balancer) = bench.connect().await;
        agent.write_all(b"beat").await.expect("open");
        expect(&mut balancer, "beat").await;
        balancer.write_all(b"renewed").await.expect("open");
        expect(&mut agent, "renewed").await;
        agent.shutdown().await.expect("open");
        assert_eq!(timeout(LONG, balancer.read(&mut [0])).await.expect("in time").expect("a clean end"), 0);
    }

    #[tokio::test]
    async fn a_one_way_hold_stops_one_way_and_delivers_everything_in_sequence_later() {
        let bench = bench().await;
        let (mut agent, mut balancer) = bench.connect().await;
        bench.link.set(Weather::Hold { out: true, inward: false });
        agent.write_all(b"one").await.expect("open");
        agent.write_all(b"two").await.expect("open");
        balancer.write_all(b"ask").await.expect("open");
        expect(&mut agent, "ask").await;
        expect_nothing(&mut balancer).await;
        bench.link.set(Weather::Clear);
        expect(&mut balancer, "onetwo").await;
    }

    #[tokio::test]
    async fn a_reset_loses_what_was_held_and_lets_new_connections_pass() {
        let bench = bench().await;
        let (mut agent, mut balancer) = bench.connect().await;
        bench.link.set(Weather::Hold { out: true, inward: true });
        agent.write_all(b"lost").await.expect("open");
        expect_nothing(&mut balancer).await;
        bench.link.reset();
        let end = timeout(LONG, balancer.read(&mut [0])).await.expect("in time");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        let (mut agent, mut balancer) = bench.connect().await;
        agent.write_all(b"new").await.expect("open");
        expect(&mut balancer, "new").await;
    }

    #[tokio::test]
    async fn an_old_connections_words_arrive_after_those_of_the_new_one() {
        let bench = bench().await;
        let (mut old, mut old_end) = bench.connect().await;
        bench.link.hold_old();
        old.write_all(b"old").await.expect("open");
        let (mut new, mut new_end) = bench.connect().await;
        new.write_all(b"new").await.expect("open");
        expect(&mut new_end, "new").await;
        drop(old);
        expect_nothing(&mut old_end).await;
        bench.link.set(Weather::Clear);
        expect(&mut old_end, "old").await;
    }

    #[tokio::test]
    async fn a_delay_is_at_least_what_was_asked_for() {
        let bench = bench().await;
        let (mut agent, mut balancer) = bench.connect().await;
        bench.link.set(Weather::Delay { ms: 80, jitter_ms: 20 });
        let began = Instant::now();
        agent.write_all(b"slow").await.expect("open");
        expect(&mut balancer, "slow").await;
        assert!(began.elapsed() >= Duration::from_millis(80));
    }
}
