//! The live feed: what changed since the last tick, encoded once for all readers. Decides nothing.
//!
//! ```text
//! events, rows, flow ─▶ delta a tick ─▶ behind the ledger's queue ─▶ text, once ─▶ every reader       frames
//! who has just come  ─▶ one snapshot a tick for all of them ──────▶ text, once, on another thread    parcel
//! ```
//! The cost is one frame a tick however many events there were and however many consoles read. A frame waits, like any
//! other answer, until the events it shows are durable. A reader that does not keep up is cut off; it comes back with a
//! snapshot and has missed only steps in between.
//!
//! - A snapshot is taken at the moment of a delta and says the same, so the next delta goes on from it for everybody.

mod frames;
mod parcel;
mod remarks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use balancer_core::event::Cause;
use balancer_core::{DiskHealth, Event, MoveAsked, Now, Recorded, State};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use protocol::Position;
use protocol::api::{Alert, HopKind, MoveResult};
use protocol::feed::{EVENTS_MAX, FeedEvent, FeedMove, Frame, KEEPALIVE_MS, KitchenInfo, TICK_MS};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::api::room;
use crate::hub::{Hub, Inner};
use crate::{alerts, clock, notable};
use frames::Told;
pub(crate) use parcel::Parcel;
use parcel::{Counts, Whole};

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
    /// What the kitchens are, for a snapshot.
    cards: Vec<Arc<KitchenInfo>>,
    built: Duration,
    to: To,
}

/// Whom a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// Those who have a snapshot already, so that deltas make sense.
    Readers,
    /// Those who have none, up to this number.
    Newcomers(u64),
    /// All: it makes sense by itself.
    Everybody,
}

impl To {
    fn wants(self, reader: &Reader) -> bool {
        match self {
            Self::Readers => reader.stage == Stage::Started,
            Self::Newcomers(newest) => reader.stage == Stage::Asked && reader.number <= newest,
            Self::Everybody => true,
        }
    }
}

/// How far a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for the next tick.
    Come,
    /// Its snapshot waits for the disk.
    Asked,
    /// Has it.
    Started,
}

struct Reader {
    number: u64,
    frames: mpsc::Sender<Parcel>,
    stage: Stage,
    /// Was told what is wrong, whatever its stage.
    warned: bool,
}

/// Readers, and what has gathered for the next frame.
#[derive(Default)]
pub(crate) struct Feed {
    readers: Vec<Reader>,
    next_reader: u64,
    told: Told,
    /// Of the last look.
    alerts: Vec<Alert>,
    /// When they were last told by themselves.
    warned_at: Duration,
    events: Vec<FeedEvent>,
    recent: VecDeque<FeedEvent>,
    dropped: u64,
    collapsed: BTreeMap<&'static str, u64>,
    moves: Vec<FeedMove>,
    counts: Arc<Counts>,
}

impl Feed {
    /// How many read.
    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    /// Frames that became text.
    pub(crate) fn encodes(&self) -> u64 {
        self.counts.encodes()
    }

    /// Bytes of those.
    pub(crate) fn bytes(&self) -> u64 {
        self.counts.bytes()
    }

    /// What is wrong, as of the last look.
    pub(crate) fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Takes an event in.
    pub(crate) fn observe(&mut self, state: &State, recorded: &Recorded, position: Position) {
        if !self.readers.is_empty() {
            self.moved(state, recorded);
        }
        match notable::event(state, position, recorded) {
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
        let Outgoing { mut frame, cards, built, to } = outgoing;
        // They may have left while it waited for the disk.
        if !self.readers.iter().any(|reader| to.wants(reader)) {
            return 0;
        }
        frame.age_ms = u64::try_from(clock::mono().saturating_sub(built).as_millis()).unwrap_or(u64::MAX);
        let parcel = match to {
            To::Readers | To::Everybody => Parcel::Text(self.counts.encode(&frame)),
            To::Newcomers(_) => Parcel::Whole(Arc::new(Whole::new(frame, cards, Arc::clone(&self.counts)))),
        };
        let before = self.readers.len();
        self.readers.retain_mut(|reader| {
            let wanted = to.wants(reader);
            if wanted && matches!(to, To::Newcomers(_)) {
                reader.stage = Stage::Started;
            }
            !wanted || reader.frames.try_send(parcel.clone()).is_ok()
        });
        (before - self.readers.len()) as u64
    }

    pub(crate) fn join(&mut self) -> Option<(u64, mpsc::Receiver<Parcel>)> {
        if self.readers.len() >= READERS_MAX {
            return None;
        }
        if self.readers.is_empty() {
            // What gathered for readers who have left; the snapshot has it all.
            self.events.clear();
            self.moves.clear();
            self.collapsed.clear();
            self.dropped = 0;
            // Nobody has a picture whose age could be told.
            self.told.at = clock::mono();
        }
        let (frames, receiver) = mpsc::channel(BACKLOG_MAX);
        self.next_reader += 1;
        let number = self.next_reader;
        self.readers.push(Reader { number, frames, stage: Stage::Come, warned: false });
        Some((number, receiver))
    }

    pub(crate) fn leave(&mut self, number: u64) {
        self.readers.retain(|reader| reader.number != number);
    }

    /// Whether a delta has anybody to go to, now or once a snapshot has left.
    fn has_listeners(&self) -> bool {
        self.readers.iter().any(|reader| reader.stage != Stage::Come)
    }

    /// The newest of those who have just come, if anybody has: from here on their snapshot is on its way.
    fn welcome(&mut self) -> Option<u64> {
        let come = self.readers.iter_mut().filter(|reader| reader.stage == Stage::Come);
        come.map(|reader| {
            reader.stage = Stage::Asked;
            reader.number
        })
        .max()
    }
}

impl Inner {
    /// One tick; says whether a frame waits to be flushed.
    pub(crate) fn feed_tick(&mut self, hub: &Hub, now: Now) -> bool {
        self.look_for_alerts(now);
        if self.feed.readers.is_empty() {
            return false;
        }
        if self.can_tell() {
            return self.tell_readers(hub, now);
        }
        self.say_alerts_only(now);
        false
    }

    /// Whether figures can be told: those of a ledger that stands still, but has everything on the disk, are true.
    fn can_tell(&self) -> bool {
        self.core.disk() == DiskHealth::Fine || self.durable_position() == self.core.state().position()
    }

    /// Tells those who read what has changed, and all those who have just come everything, in one frame each.
    fn tell_readers(&mut self, hub: &Hub, now: Now) -> bool {
        let (built, listeners) = (now.mono, self.feed.has_listeners());
        let delta = frames::delta(hub, self, now).filter(|_| listeners);
        let mut waits = delta.is_some();
        if let Some(frame) = delta {
            self.send_frame(Outgoing { frame, cards: Vec::new(), built, to: To::Readers });
        }
        if let Some(newest) = self.feed.welcome() {
            let frame = frames::snapshot(hub, self, now);
            self.write_cards();
            let cards = self.cards.all().map(Arc::clone).collect();
            self.send_frame(Outgoing { frame, cards, built, to: To::Newcomers(newest) });
            waits = true;
        }
        waits
    }

    /// Looks at what is wrong, and tells of what has begun or is over.
    fn look_for_alerts(&mut self, now: Now) {
        let before = std::mem::take(&mut self.feed.alerts);
        let after = alerts::now(self, &before, now.wall);
        self.feed.told.alerts &= before == after;
        let changes = alerts::changes(self, &before, &after, now.wall);
        self.feed.alerts = after;
        changes.into_iter().for_each(|event| self.feed.tell(event));
    }

    /// While the disk stalls no figure can be told: what would be shown is not durable. The reason is told at once, with
    /// the age of what the readers have; also to who has just come, who would otherwise be shown nothing at all.
    fn say_alerts_only(&mut self, now: Now) {
        let age = now.mono.saturating_sub(self.feed.told.at);
        let newcomers = self.feed.readers.iter().any(|reader| reader.stage == Stage::Come && !reader.warned);
        self.feed.readers.iter_mut().for_each(|reader| reader.warned = true);
        let due = now.mono >= self.feed.warned_at + Duration::from_millis(KEEPALIVE_MS);
        if !newcomers && self.feed.told.alerts && !due {
            return;
        }
        (self.feed.told.alerts, self.feed.warned_at) = (true, now.mono);
        let state = self.core.state();
        let frame = Frame {
            alerts: Some(self.feed.alerts.clone()),
            ..Frame::empty(state.epoch(), self.durable_position(), now.wall)
        };
        let built = now.mono.saturating_sub(age);
        self.metrics.feed_dropped += self.feed.send(Outgoing { frame, cards: Vec::new(), built, to: To::Everybody });
    }
}

/// Builds a frame a tick while anyone reads; runs as long as the daemon.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(TICK_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let waits = {
            let mut inner = hub.lock();
            let now = inner.clock.now();
            inner.feed_tick(&hub, now)
        };
        if waits {
            hub.flush_now();
        }
    }
}

/// Lets a reader in: the first one is told everything at once, the others with the next tick.
fn join(hub: &Hub) -> Option<(u64, mpsc::Receiver<Parcel>)> {
    let mut inner = hub.lock();
    let joined = inner.feed.join()?;
    if inner.feed.readers() == 1 && inner.can_tell() {
        let now = inner.clock.now();
        inner.tell_readers(hub, now);
        drop(inner);
        hub.flush_now();
    }
    Some(joined)
}

/// Serves one reader until it leaves or falls behind.
pub(crate) async fn serve(hub: Arc<Hub>, upgraded: Upgraded) {
    let io = TokioIo::new(upgraded);
    // A snapshot of 10,000 kitchens is 2 MB; each frame is flushed before the next.
    let config = crate::link::socket_config().max_write_buffer_size(16 * 1024 * 1024);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    let Some((number, mut frames)) = join(&hub) else { return };
    loop {
        tokio::select! {
            parcel = frames.recv() => {
                let Some(parcel) = parcel else { break };
                let text = parcel.text().await;
                // While it is written a snapshot is in memory once for each reader. One that finds no room may come again.
                let Some(_room) = room::outgoing(text.len()).await else { break };
                // Two seconds without a byte taken: the reader is stuck, and others must not wait for it.
                let sent = tokio::time::timeout(Duration::from_secs(2), sink.send(Message::Text(text))).await;
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
