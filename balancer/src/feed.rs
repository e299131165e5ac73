//! The live feed: what changed since the last tick, encoded once for all readers. Decides nothing.
//!
//! The cost is one frame a tick however many events there were and however many consoles read. A frame waits, like any
//! other answer, until the events it shows are durable. A reader that does not keep up is cut off; it comes back with a
//! snapshot and has missed only steps in between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use balancer_core::event::Cause;
use balancer_core::{DiskHealth, Event, MoveAsked, Now, Recorded, State};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use protocol::api::{Alert, BalancerView, HopKind, MoveResult, Proof};
use protocol::feed::{EVENTS_MAX, FeedEvent, FeedMove, Flow, Frame, KEEPALIVE_MS, KitchenRow, TICK_MS};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::hub::{Hub, Inner};
use crate::{alerts, clock, notable, views};

/// Frames that may wait for one reader: two seconds of them.
const BACKLOG_MAX: usize = 40;
/// Readers at one time.
const READERS_MAX: usize = 1_000;
/// Notable events that a new reader is shown.
const RECENT_MAX: usize = 100;
/// Moves in one frame.
const MOVES_MAX: usize = 64;

/// A frame on its way through the ledger's queue.
pub(crate) struct Outgoing {
    frame: Frame,
    built: Duration,
    only: Option<u64>,
}

struct Reader {
    number: u64,
    frames: mpsc::Sender<Utf8Bytes>,
    /// Has its snapshot, so deltas make sense.
    started: bool,
}

/// Readers, and what has gathered for the next frame.
#[derive(Default)]
pub(crate) struct Feed {
    readers: Vec<Reader>,
    next_reader: u64,
    rows: Vec<Option<KitchenRow>>,
    registered: Vec<u64>,
    proof: Option<Proof>,
    flow: Option<Flow>,
    /// Of the last look.
    alerts: Vec<Alert>,
    alerts_told: bool,
    /// As told last, and when.
    balancers: Vec<BalancerView>,
    balancers_told: Duration,
    last_frame: Duration,
    events: Vec<FeedEvent>,
    recent: VecDeque<FeedEvent>,
    dropped: u64,
    collapsed: BTreeMap<&'static str, u64>,
    moves: Vec<FeedMove>,
}

impl Feed {
    /// How many read.
    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    /// What is wrong, as of the last look.
    pub(crate) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Takes an event in.
    pub(crate) fn observe(&mut self, state: &State, recorded: &Recorded) {
        if !self.readers.is_empty() {
            self.moved(state, recorded);
        }
        match notable::event(state, recorded) {
            Some(event) => self.tell(event),
            None if self.readers.is_empty() => {}
            None => *self.collapsed.entry(recorded.event.word()).or_default() += 1,
        }
    }

    /// Takes moves in that have just begun.
    pub(crate) fn moves_asked(&mut self, asked: &[MoveAsked]) {
        if self.readers.is_empty() {
            return;
        }
        for one in asked {
            self.push_move(FeedMove {
                at: one.at,
                order: one.order,
                from: one.from.0,
                to: one.to.0,
                kind: one.kind,
                reason: one.reason.word().into(),
                result: MoveResult::InFlight,
                pause_ms: None,
            });
        }
    }

    fn moved(&mut self, state: &State, recorded: &Recorded) {
        let at = recorded.at;
        let (order, from, to, kind, reason, result, pause_ms) = match &recorded.event {
            Event::Leased { order, kitchen, cause: Cause::Reassign { from, reason, pause_ms }, .. } => (
                *order,
                *from,
                *kitchen,
                HopKind::Reassign,
                reason.word(),
                MoveResult::Done,
                Some(u64::from(*pause_ms)),
            ),
            Event::Leased { order, kitchen, cause: Cause::Handover { from, reason, .. }, .. } => {
                (*order, *from, *kitchen, HopKind::Handover, reason.word(), MoveResult::Done, None)
            }
            // The same move once more, now with its pause: it is known when the target has begun.
            Event::HandedOver { order, pause_ms, .. } => {
                let Some(moved) = state.migrations().iter().rev().take(MOVES_MAX).find(|one| one.order == *order)
                else {
                    return;
                };
                let pause = Some(u64::from(*pause_ms));
                (*order, moved.from, moved.to, HopKind::Handover, moved.reason.word(), MoveResult::Done, pause)
            }
            Event::Leased { order, kitchen, cause: Cause::Recover { from, cause }, .. } => {
                (*order, *from, *kitchen, HopKind::Recover, cause.word(), MoveResult::Done, None)
            }
            Event::MoveFailed { order, from, to, reason, result } => {
                let failed = state.migrations().iter().rev().take(MOVES_MAX).find(|one| one.order == *order);
                let kind = failed.map_or(HopKind::Reassign, |one| one.kind);
                (*order, *from, *to, kind, reason.word(), *result, None)
            }
            _ => return,
        };
        self.push_move(FeedMove { at, order, from: from.0, to: to.0, kind, reason: reason.into(), result, pause_ms });
    }

    fn push_move(&mut self, one: FeedMove) {
        if self.moves.len() < MOVES_MAX {
            self.moves.push(one);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds a notable event, or folds it into one like it in the same frame.
    fn tell(&mut self, event: FeedEvent) {
        let like = |known: &&mut FeedEvent| {
            known.kind == event.kind && known.subject == event.subject && known.text == event.text
        };
        if let Some(known) =
            self.recent.iter_mut().rev().take(8).find(like).filter(|known| event.at.ms_since(known.at) < 500)
        {
            known.count += 1;
            known.position = event.position;
        } else {
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(event.clone());
        }
        if self.readers.is_empty() {
            return;
        }
        if let Some(known) = self.events.iter_mut().rev().take(8).find(like) {
            known.count += 1;
            known.position = event.position;
        } else if self.events.len() < EVENTS_MAX {
            self.events.push(event);
        } else {
            self.dropped += 1;
        }
    }

    /// Sends a frame to whom it is for; returns how many readers were cut off.
    pub(crate) fn send(&mut self, outgoing: Outgoing) -> u64 {
        let Outgoing { mut frame, built, only } = outgoing;
        // Its reader has left while it waited for the disk.
        if only.is_some_and(|number| !self.readers.iter().any(|reader| reader.number == number)) {
            return 0;
        }
        frame.age_ms = u64::try_from(clock::mono().saturating_sub(built).as_millis()).unwrap_or(u64::MAX);
        let Ok(text) = serde_json::to_string(&frame) else { return 0 };
        let text = Utf8Bytes::from(text);
        let before = self.readers.len();
        self.readers.retain_mut(|reader| {
            let wanted = only.map_or(reader.started, |number| number == reader.number);
            reader.started |= wanted;
            !wanted || reader.frames.try_send(text.clone()).is_ok()
        });
        (before - self.readers.len()) as u64
    }

    fn join(&mut self) -> Option<(u64, mpsc::Receiver<Utf8Bytes>)> {
        if self.readers.len() >= READERS_MAX {
            return None;
        }
        if self.readers.is_empty() {
            // What gathered for readers who have left; the snapshot has it all.
            self.events.clear();
            self.moves.clear();
            self.collapsed.clear();
        }
        // The next delta is complete: what changed and changed back around this snapshot must not stay on the screen.
        self.rows.clear();
        (self.proof, self.flow) = (None, None);
        self.alerts_told = false;
        let (frames, receiver) = mpsc::channel(BACKLOG_MAX);
        self.next_reader += 1;
        let number = self.next_reader;
        self.readers.push(Reader { number, frames, started: false });
        Some((number, receiver))
    }

    fn leave(&mut self, number: u64) {
        self.readers.retain(|reader| reader.number != number);
    }
}

/// Builds the frame of a tick, or nothing if nothing changed and it is not time for a sign of life.
fn delta(hub: &Hub, inner: &mut Inner, now: Now) -> Option<Frame> {
    let rows = views::rows(inner, now.mono);
    let proof = inner.core.state().proof();
    let flow = views::flow(inner, now);
    let registered = inner.kitchens().map(|(_, kitchen)| kitchen.session).collect::<Vec<_>>();
    let feed = &inner.feed;
    let fresh = |index: usize| feed.registered.get(index) != registered.get(index);
    let new: Vec<usize> = (0..registered.len()).filter(|index| fresh(*index)).collect();
    let changed: Vec<KitchenRow> =
        rows.iter().filter(|row| feed.rows.get(row.no as usize).copied().flatten() != Some(**row)).copied().collect();
    let same_proof = feed.proof.is_some_and(|old| Proof { position: proof.position, ..old } == proof);
    let same_flow = feed.flow.as_ref() == Some(&flow);
    let same_alerts = feed.alerts_told;
    let balancers = hub.peers.all(now.mono);
    let same_balancers = are_same(&balancers, &feed.balancers);
    let quiet = same_alerts
        && same_balancers
        && new.is_empty()
        && changed.is_empty()
        && same_proof
        && same_flow
        && feed.events.is_empty()
        && feed.moves.is_empty();
    if quiet && now.mono < feed.last_frame + Duration::from_millis(KEEPALIVE_MS) {
        return None;
    }
    let infos = new.into_iter().map(|index| views::info(inner, index)).collect();
    let state = inner.core.state();
    let (epoch, position) = (state.epoch(), state.position());
    let feed = &mut inner.feed;
    feed.last_frame = now.mono;
    feed.rows = rows.into_iter().map(Some).collect();
    feed.registered = registered;
    feed.proof = Some(proof);
    feed.flow = Some(flow.clone());
    feed.alerts_told = true;
    // Where a standby is changes with every event: told with a frame that goes anyway, once a second.
    let due = feed.balancers_told + Duration::from_millis(KEEPALIVE_MS) <= now.mono && balancers != feed.balancers;
    let tell_balancers = due || !same_balancers;
    if tell_balancers {
        feed.balancers_told = now.mono;
        feed.balancers.clone_from(&balancers);
    }
    let collapsed = std::mem::take(&mut feed.collapsed);
    Some(Frame {
        snapshot: None,
        epoch,
        position,
        age_ms: 0,
        at: now.wall,
        proof: (!same_proof).then_some(proof),
        flow: (!same_flow).then_some(flow),
        registered: infos,
        kitchens: changed,
        events: std::mem::take(&mut feed.events),
        collapsed: collapsed.into_iter().map(|(word, count)| (word.to_owned(), count)).collect(),
        dropped: std::mem::take(&mut feed.dropped),
        moves: std::mem::take(&mut feed.moves),
        alerts: (!same_alerts).then(|| feed.alerts.clone()),
        balancers: tell_balancers.then_some(balancers),
    })
}

/// Whether the same processes have the same parts, wherever they are in the ledger.
fn are_same(some: &[BalancerView], others: &[BalancerView]) -> bool {
    let part = |one: &BalancerView| (one.id.clone(), one.role.clone(), one.pid, one.url.clone());
    some.iter().map(part).eq(others.iter().map(part))
}

/// Everything as it is now, for a new reader.
fn snapshot(hub: &Hub, inner: &Inner, now: Now) -> Frame {
    let state = inner.core.state();
    Frame {
        snapshot: Some(Box::new(views::snapshot(hub, state))),
        epoch: state.epoch(),
        position: state.position(),
        age_ms: 0,
        at: now.wall,
        proof: Some(state.proof()),
        flow: Some(views::flow(inner, now)),
        registered: (0..state.kitchens().len()).map(|index| views::info(inner, index)).collect(),
        kitchens: views::rows(inner, now.mono),
        events: inner.feed.recent.iter().cloned().collect(),
        collapsed: BTreeMap::new(),
        dropped: 0,
        moves: Vec::new(),
        alerts: Some(inner.feed.alerts.clone()),
        balancers: Some(hub.peers.all(now.mono)),
    }
}

impl Inner {
    /// Looks at what is wrong, and tells of what has begun or is over.
    fn look_for_alerts(&mut self, now: Now) {
        let before = std::mem::take(&mut self.feed.alerts);
        let after = alerts::now(self, &before, now.wall);
        self.feed.alerts_told &= before == after;
        let changes = alerts::changes(self, &before, &after, now.wall);
        self.feed.alerts = after;
        changes.into_iter().for_each(|event| self.feed.tell(event));
    }

    /// While the disk stalls no figure can be told: what would be shown is not durable. The reason is told at once, with
    /// the age of what the readers have.
    fn say_alerts_only(&mut self, now: Now) {
        let age = now.mono.saturating_sub(self.feed.last_frame);
        if self.feed.alerts_told && age.as_millis() % u128::from(KEEPALIVE_MS) >= u128::from(TICK_MS) {
            return;
        }
        self.feed.alerts_told = true;
        let state = self.core.state();
        let frame = Frame {
            alerts: Some(self.feed.alerts.clone()),
            ..Frame::empty(state.epoch(), self.durable_position(), now.wall)
        };
        self.metrics.feed_dropped +=
            self.feed.send(Outgoing { frame, built: now.mono.saturating_sub(age), only: None });
    }
}

/// Builds a frame a tick while anyone reads; runs as long as the daemon.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut inner = hub.lock();
        let now = clock::now();
        inner.look_for_alerts(now);
        if inner.feed.readers.is_empty() {
            continue;
        }
        if inner.core.disk() != DiskHealth::Fine {
            inner.say_alerts_only(now);
            continue;
        }
        if let Some(frame) = delta(&hub, &mut inner, now) {
            inner.send_frame(Outgoing { frame, built: now.mono, only: None });
            drop(inner);
            hub.flush_now();
        }
    }
}

/// Serves one reader until it leaves or falls behind.
pub(crate) async fn serve(hub: Arc<Hub>, upgraded: Upgraded) {
    let io = TokioIo::new(upgraded);
    // A snapshot of 10,000 kitchens is 2 MB; each frame is flushed before the next.
    let config = crate::link::socket_config().max_write_buffer_size(16 * 1024 * 1024);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    let joined = {
        let mut inner = hub.lock();
        let joined = inner.feed.join();
        if let Some((number, _)) = &joined {
            let now = clock::now();
            let frame = snapshot(&hub, &inner, now);
            inner.send_frame(Outgoing { frame, built: now.mono, only: Some(*number) });
        }
        joined
    };
    let Some((number, mut frames)) = joined else { return };
    hub.flush_now();
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { break };
                // Two seconds without a byte taken: the reader is stuck, and others must not wait for it.
                let sent = tokio::time::timeout(Duration::from_secs(2), sink.send(Message::Text(frame))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    break;
                }
            }
            said = stream.next() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            }
        }
    }
    hub.lock().feed.leave(number);
}
