//! A balancer that only has a feed: so many kitchens and events a second, on loopback, for tests and benches of the console.
//!
//! Owns made-up figures, seeded. Any other request is answered 404, at once. Never durable, never right: what it shows is
//! load for the console, not a city.

#![allow(dead_code, reason = "each user takes its own part")]
#![allow(missing_docs, reason = "the names say it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::api::{Health, Kpi, Proof, Schedulable};
use protocol::city::Zone;
use protocol::feed::{FeedEvent, Flow, Frame, KitchenInfo, KitchenRow, Snapshot, Tone};
use protocol::{Epoch, Position, WallTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// How much there is to see.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub kitchens: u32,
    /// Counted events a second.
    pub events: u64,
    /// Frames a second; 0: a keep-alive each second in which nothing changes.
    pub frames: u64,
}

pub struct FakeFeed {
    pub url: String,
    on: Arc<AtomicBool>,
    /// The number of the last notable event that was sent, and when: milliseconds since 1970.
    pub marked: Arc<AtomicU64>,
    pub marked_at: Arc<AtomicU64>,
    alarm: Arc<Notify>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl FakeFeed {
    pub fn start(load: Load) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("bound");
        let (on, marked, marked_at) = (Arc::new(AtomicBool::new(true)), Arc::default(), Arc::default());
        let alarm = Arc::new(Notify::new());
        let state = State {
            on: on.clone(),
            marked: Arc::clone(&marked),
            marked_at: Arc::clone(&marked_at),
            alarm: Arc::clone(&alarm),
            load,
        };
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, state.clone()));
            }
        });
        Self { url: format!("http://{address}"), on, marked, marked_at, alarm, runtime: Some(runtime) }
    }

    /// Sends nothing but keep-alives from now on.
    pub fn calm(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    /// Tells at once of something bad, whose subject is `alarm-` and its number.
    pub fn alarm(&self) {
        self.alarm.notify_one();
    }

    /// Dies: connections break, the port is closed.
    pub fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}

impl Drop for FakeFeed {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct State {
    on: Arc<AtomicBool>,
    marked: Arc<AtomicU64>,
    marked_at: Arc<AtomicU64>,
    alarm: Arc<Notify>,
    load: Load,
}

async fn serve(mut stream: TcpStream, state: State) {
    let mut head = [0; 1024];
    let Ok(count) = stream.peek(&mut head).await else { return };
    let text = String::from_utf8_lossy(&head[..count]).to_lowercase();
    if !text.contains("upgrade: websocket") {
        let _ = stream.read(&mut head).await;
        let answer = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (mut sink, mut incoming) = socket.split();
    let mut city = FakeCity::new(state.load);
    let mut ticks =
        tokio::time::interval(Duration::from_secs(1) / u32::try_from(state.load.frames.max(1)).unwrap_or(1));
    let (mut first, mut alarms) = (true, 0);
    loop {
        let mut alarmed = false;
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.alarm.notified() => (alarmed, alarms) = (true, alarms + 1),
            said = incoming.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        }
        let busy = state.load.frames > 0 && state.on.load(Ordering::Relaxed);
        let frame = if first {
            city.snapshot()
        } else if alarmed {
            city.alarm(alarms)
        } else if busy {
            city.delta(&state)
        } else {
            city.keep_alive()
        };
        first = false;
        let text = serde_json::to_string(&frame).expect("a frame is JSON");
        if sink.send(Message::Text(Utf8Bytes::from(text))).await.is_err() {
            return;
        }
    }
}

struct FakeCity {
    load: Load,
    rows: Vec<KitchenRow>,
    position: u64,
    random: u64,
    frames: u64,
}

const ZONES: [&str; 8] = ["Downtown", "Harbor", "Uptown", "Southside", "West", "Airport", "North", "Old Town"];

impl FakeCity {
    fn new(load: Load) -> Self {
        let row = |no| KitchenRow {
            no,
            health: Health::Alive,
            schedulable: Schedulable::Open,
            queued: no % 7,
            cooking: no % 5,
            in_the_oven: no % 3,
            completed: 100,
            avg_ms: 3_000,
            silent_ms: 0,
        };
        Self { load, rows: (0..load.kitchens).map(row).collect(), position: 1_000, random: 7, frames: 0 }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % n.max(1)
    }

    fn proof(&self) -> Proof {
        let open = 40;
        let accepted = self.position / 3;
        Proof { accepted, completed: accepted.saturating_sub(open), open, ..Proof::default() }
    }

    fn flow(&self) -> Flow {
        let kpi = Kpi {
            accepted_per_s: self.load.events as f64 / 3.0,
            completed_per_s: self.load.events as f64 / 3.0,
            p50_ms: Some(2_800),
            p99_ms: Some(4_100 + self.frames % 90),
            load_balance_efficiency: Some(0.83),
            migration_success_ratio: Some(0.97),
            availability: 1.0,
        };
        let stages = [("prep", 9), ("cook", 12), ("plate", 3)].map(|(name, count)| (name.to_owned(), count)).to_vec();
        Flow { queued: 12, leased: 20, stages, kpi, algorithm: "weighted-score".into(), ..Flow::default() }
    }

    fn keep_alive(&self) -> Frame {
        Frame::empty(Epoch(1), Position(self.position), WallTime::now())
    }

    fn snapshot(&self) -> Frame {
        let zones = ZONES.map(|name| Zone { name: name.to_owned(), x_km: 0.0, y_km: 0.0 }).to_vec();
        let info = |no: u32| KitchenInfo {
            no,
            id: format!("kitchen_{no}").parse().expect("an id"),
            name: format!("Kitchen {no}"),
            zone: ZONES[no as usize % ZONES.len()].to_owned(),
            capacity: 14,
            stations: 7,
            specialties: vec!["pizza".into()],
        };
        let snapshot = Snapshot {
            city: "Fake".into(),
            zones,
            dishes: vec!["pizza".into()],
            leader: "b1".into(),
            overload_threshold: 0.9,
        };
        Frame {
            snapshot: Some(Box::new(snapshot)),
            proof: Some(self.proof()),
            flow: Some(self.flow()),
            registered: (0..self.load.kitchens).map(info).collect(),
            kitchens: self.rows.clone(),
            ..self.keep_alive()
        }
    }

    fn alarm(&mut self, number: u64) -> Frame {
        self.position += 1;
        let event = self.event(Tone::Bad, format!("alarm-{number:04}"));
        Frame { events: vec![event], ..self.keep_alive() }
    }

    fn event(&self, tone: Tone, subject: String) -> FeedEvent {
        FeedEvent {
            position: Position(self.position),
            at: WallTime::now(),
            kind: if tone == Tone::Bad { "kitchen_lost" } else { "cordoned" }.into(),
            tone,
            subject,
            text: "by the bench".into(),
            count: 1,
        }
    }

    /// A twentieth of a second: every kitchen that an event touched, the counts, and each second one notable event.
    fn delta(&mut self, state: &State) -> Frame {
        self.frames += 1;
        let events = self.load.events / self.load.frames;
        self.position += events;
        let mut touched = std::collections::BTreeSet::new();
        for _ in 0..events {
            let no = self.below(u64::from(self.load.kitchens)) as usize;
            let queued = self.below(8) as u32;
            let row = &mut self.rows[no];
            (row.queued, row.cooking) = (queued, (row.cooking + 1) % 7);
            row.completed += 1;
            touched.insert(no);
        }
        let third = events / 3;
        let collapsed = ["accepted", "leased", "completed"].map(|kind| (kind.to_owned(), third));
        let mut frame = Frame {
            proof: Some(self.proof()),
            flow: Some(self.flow()),
            kitchens: touched.into_iter().map(|no| self.rows[no]).collect(),
            collapsed: BTreeMap::from(collapsed),
            ..self.keep_alive()
        };
        if self.frames.is_multiple_of(self.load.frames) {
            let number = self.frames / self.load.frames;
            frame.events.push(self.event(Tone::Warn, format!("mark-{number:06}")));
            state.marked_at.store(WallTime::now().0, Ordering::Relaxed);
            state.marked.store(number, Ordering::Release);
        }
        frame
    }
}
