//! The heart of the daemon: the core, who waits for it, and the ledger behind it.
//!
//! ```text
//! input ─▶ core ─▶ events + effects ─▶ ledger thread (append, sync) ─▶ release: replies, agent messages, feed frames
//! ```
//!
//! Invariant: nothing leaves that follows from an event which is not durable. Inputs of one round of the runtime share
//! one turn, and turns that gather while a sync runs share the next, so a sync serves as many as came meanwhile.
//! The way of a turn to the ledger and back (`turns`), the outboxes of agents (`agents`), what an event adds to the figures
//! (`figures`) and the keys of forgotten orders (`keys`) have files of their own.
//! The lock is never held across an await and never contended for long: one thread runs all of it.

mod agents;
mod cards;
mod figures;
mod keys;
mod names;
mod turns;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use balancer_core::event::KitchenNo;
use balancer_core::input::{ConnectionId, RequestId};
use balancer_core::state::Kitchen;
use balancer_core::{Core, DiskHealth, Effect, Input, Now, Recorded, Refused, Reply};
use protocol::api::Proof;
use protocol::shared::Secret;
use protocol::{OrderId, Position, WallTime};
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::clock::{self, LedgerClock};
use crate::feed::{Feed, Outgoing};
use crate::keys::Book;
use crate::kpi::Rolling;
use crate::leadership::Peers;
use crate::ledger::{Durable, Encode, Health, LedgerHandle, Place};
use crate::metrics::Metrics;
use crate::numbered::Numbered;
use agents::Outbox;
use cards::Cards;
pub(crate) use keys::{Asked, NoKey};
pub(crate) use names::Names;

/// While more turns are on their way, agents are written to at most this often: two commits or three. At full rate that
/// makes one frame of three, on both sides of the wire, and costs an order half a millisecond at most.
const AGENTS_EVERY: Duration = Duration::from_micros(500);

/// Turns on their way to the disk. While it stalls, what is decided beyond that gathers here and goes as one turn, so that
/// this thread never waits for the disk: heartbeats and signals are heard, and admission still bounds what is taken.
const TURNS_MAX: usize = 1_024;

/// Between two looks at the disk: a stall is told within this of becoming one.
const DISK_LOOKS: Duration = Duration::from_millis(100);

/// The low bits of a request's number say which entry of a batch it is.
const ENTRY_BITS: u32 = 10;

/// The events of a turn, encoded on the ledger's thread.
pub(crate) struct Batch(Vec<Recorded>);

impl Encode for Batch {
    fn events(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for recorded in &self.0 {
            let taken = std::mem::take(out);
            *out = postcard::to_extend(recorded, taken).expect("events are plain data");
        }
    }
}

/// What waits for the events of a turn.
#[derive(Default)]
pub(crate) struct After {
    effects: Vec<Effect>,
    reads: Vec<oneshot::Sender<()>>,
    frames: Vec<Outgoing>,
    /// The proof behind the turn's events, if it has any.
    proof: Option<Proof>,
}

impl After {
    fn is_empty(&self) -> bool {
        self.effects.is_empty() && self.reads.is_empty() && self.frames.is_empty()
    }
}

struct Waiter {
    replies: Vec<Option<Reply>>,
    left: usize,
    sender: oneshot::Sender<Vec<Option<Reply>>>,
}

/// Everything behind the lock.
pub struct Inner {
    pub(crate) core: Core,
    pub(crate) kpi: Rolling,
    pub(crate) metrics: Metrics,
    pub(crate) feed: Feed,
    pub(crate) names: Names,
    pub(crate) cards: Cards,
    pub(crate) book: Book,
    ledger: Option<LedgerHandle<Batch, After>>,
    /// The ledger's time.
    pub(crate) clock: LedgerClock,
    /// Cached for one round: a clock costs more than most inputs.
    now: Option<Now>,
    /// When the timer wakes the core next.
    sleeps_until: Option<Duration>,
    /// The proof of what is on the disk, up to its position.
    durable: Proof,
    in_flight: usize,
    waiters: Numbered<u64, Waiter>,
    next_request: u64,
    agents: Numbered<ConnectionId, Outbox>,
    /// Agents with something to send whose writers sleep.
    to_wake: Vec<ConnectionId>,
    woken: Instant,
    next_connection: u64,
    reads: Vec<oneshot::Sender<()>>,
    frames: Vec<Outgoing>,
    /// Effects that wait for the next turn.
    held_back: Vec<Effect>,
    /// Orders set aside under this leader, for the alert.
    pub(crate) set_aside: Vec<(OrderId, WallTime)>,
}

/// The daemon as its parts see it.
pub struct Hub {
    inner: Mutex<Inner>,
    flush: Notify,
    timer: Notify,
    /// Wakes those who wait for a disk that has stopped answering.
    stalled: Notify,
    /// Keys that are asked of the disk at one time.
    lookups: Semaphore,
    /// Its name.
    pub id: String,
    /// When the process began, on the monotonic clock.
    pub started: Duration,
    /// Where the ledger is.
    pub data_dir: std::path::PathBuf,
    /// Where the ledger's files lie; none where there are none.
    pub(crate) place: Option<Place>,
    /// A standby has followed a ledger that goes on behind this one's end. Never set where an operator accepts that.
    pub(crate) outlived: AtomicBool,
    pub(crate) accepts_older: bool,
    /// What those who share the data directory know; none where there is no directory.
    pub(crate) secret: Option<Secret>,
    /// Itself and those who follow it.
    pub peers: Peers,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The daemon is going down: nothing more is answered.
    #[error("the balancer is shutting down")]
    Stopping,
    /// What could be said is not durable, and the disk does not make it so.
    #[error(transparent)]
    Disk(Refused),
}

impl Hub {
    /// A hub around a core that has replayed the ledger.
    pub(crate) fn new(
        core: Core,
        book: Book,
        ledger: LedgerHandle<Batch, After>,
        id: String,
        data_dir: std::path::PathBuf,
        peers: Peers,
        clock: LedgerClock,
    ) -> Self {
        let durable = core.state().proof();
        let inner = Inner {
            core,
            kpi: Rolling::new(clock.now().wall),
            metrics: Metrics::default(),
            feed: Feed::default(),
            names: Names::default(),
            cards: Cards::default(),
            book,
            ledger: Some(ledger),
            clock,
            now: None,
            sleeps_until: None,
            durable,
            in_flight: 0,
            waiters: Numbered::default(),
            next_request: 0,
            agents: Numbered::default(),
            to_wake: Vec::new(),
            woken: Instant::now(),
            next_connection: 0,
            reads: Vec::new(),
            frames: Vec::new(),
            held_back: Vec::new(),
            set_aside: Vec::new(),
        };
        let (flush, timer, stalled, started) = (Notify::new(), Notify::new(), Notify::new(), clock::mono());
        let lookups = Semaphore::new(keys::LOOKUPS_MAX);
        Self {
            inner: Mutex::new(inner),
            flush,
            timer,
            stalled,
            lookups,
            id,
            started,
            data_dir,
            place: None,
            outlived: AtomicBool::new(false),
            accepts_older: false,
            secret: None,
            peers,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock is a defect in a decision: the process must not go on with half of it.
        self.inner.lock().unwrap_or_else(|_| std::process::abort())
    }

    /// Takes inputs in that nobody waits for.
    pub(crate) fn inputs(&self, inputs: impl IntoIterator<Item = Input>) {
        let mut inner = self.lock();
        for input in inputs {
            inner.handle(input);
        }
        drop(inner);
        self.flush.notify_one();
    }

    /// Takes one wish in and waits for its answer.
    pub(crate) async fn ask(&self, wish: impl FnOnce(RequestId) -> Input) -> Result<Reply, NoAnswer> {
        let mut replies = self.ask_all(std::iter::once(wish)).await?;
        replies.pop().flatten().ok_or(NoAnswer::Stopping)
    }

    /// Takes wishes in and waits for all answers, in their sequence; at most 1,024.
    pub(crate) async fn ask_all<W>(&self, wishes: impl IntoIterator<Item = W>) -> Result<Vec<Option<Reply>>, NoAnswer>
    where
        W: FnOnce(RequestId) -> Input,
    {
        let receiver = {
            let mut inner = self.lock();
            let (sender, receiver) = oneshot::channel();
            let number = inner.next_request;
            inner.next_request += 1;
            let mut count = 0;
            for wish in wishes {
                let input = wish(RequestId(number << ENTRY_BITS | count));
                count += 1;
                inner.handle(input);
            }
            if count == 0 {
                return Ok(Vec::new());
            }
            let left = usize::try_from(count).unwrap_or(0);
            inner.waiters.insert(number, Waiter { replies: vec![None; left], left, sender });
            receiver
        };
        self.flush.notify_one();
        receiver.await.map_err(|_| NoAnswer::Stopping)
    }

    /// Looks at the truth, and waits until all it saw is durable; says so if the disk stalls.
    pub(crate) async fn read<T>(&self, look: impl FnOnce(&Inner, Now) -> T) -> Result<T, NoAnswer> {
        let (seen, wait) = {
            let mut inner = self.lock();
            let now = inner.now.unwrap_or_else(|| inner.clock.now());
            let seen = look(&inner, now);
            if inner.is_durable() {
                return Ok(seen);
            }
            inner.disk_refusal().map_or(Ok(()), Err)?;
            let (sender, receiver) = oneshot::channel();
            inner.reads.push(sender);
            (seen, receiver)
        };
        self.flush.notify_one();
        let mut wait = wait;
        loop {
            tokio::select! {
                waited = &mut wait => return waited.map(|()| seen).map_err(|_| NoAnswer::Stopping),
                () = self.stalled.notified() => self.lock().disk_refusal().map_or(Ok(()), Err)?,
            }
        }
    }

    /// Sends one turn to the ledger whenever something has happened; runs as long as the daemon.
    pub(crate) async fn flush_forever(self: Arc<Self>) {
        loop {
            self.flush.notified().await;
            self.flush_now();
        }
    }

    pub(crate) fn flush_now(&self) {
        let mut inner = self.lock();
        let sooner =
            inner.core.next_deadline().is_some_and(|deadline| inner.sleeps_until.is_none_or(|until| deadline < until));
        if inner.in_flight < TURNS_MAX {
            inner.flush();
        } else {
            inner.hold_back();
        }
        inner.now = None;
        drop(inner);
        if sooner {
            self.timer.notify_one();
        }
    }

    /// Wakes the core when its next deadline comes; runs as long as the daemon.
    pub(crate) async fn tick_forever(self: Arc<Self>) {
        loop {
            let until = {
                let mut inner = self.lock();
                inner.sleeps_until = inner.core.next_deadline();
                inner.sleeps_until
            };
            let Some(until) = until else {
                self.timer.notified().await;
                continue;
            };
            let wait = until.saturating_sub(clock::mono());
            if tokio::time::timeout(wait, self.timer.notified()).await.is_err() {
                self.inputs([Input::Tick]);
                tokio::task::yield_now().await;
            }
        }
    }

    /// Tells the core, and those who wait, when the disk stalls and when it answers again; runs as long as the daemon.
    pub(crate) async fn watch_disk_forever(self: Arc<Self>) {
        let mut looks = tokio::time::interval(DISK_LOOKS);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let health = {
                let inner = self.lock();
                let health = match &inner.ledger {
                    None => DiskHealth::Fine,
                    Some(_) if self.outlived.load(Ordering::Relaxed) => DiskHealth::Older,
                    // An idle ledger's thread looks at nothing.
                    Some(_) if self.place.as_ref().is_some_and(|place| !place.is_here()) => DiskHealth::Moved,
                    Some(ledger) => disk_health(ledger.health()),
                };
                if health == inner.core.disk() {
                    continue;
                }
                health
            };
            tracing::warn!(?health, "the ledger's disk");
            self.inputs([Input::Disk(health)]);
            self.stalled.notify_waiters();
        }
    }

    /// Lets go what has become durable.
    pub(crate) fn release(&self, durable: Durable<After>) {
        let mut inner = self.lock();
        inner.metrics.appended(durable.took, durable.events);
        inner.in_flight -= durable.after.len();
        for after in durable.after {
            inner.let_go(after);
        }
        if inner.in_flight < TURNS_MAX && inner.is_held_back() {
            inner.flush();
        }
        if inner.in_flight == 0 || inner.woken.elapsed() >= AGENTS_EVERY {
            inner.wake_agents();
        }
    }

    /// Closes the ledger after everything that was decided is durable.
    pub(crate) fn take_ledger(&self) -> Option<LedgerHandle<Batch, After>> {
        let mut inner = self.lock();
        inner.flush();
        inner.ledger.take()
    }
}

fn disk_health(health: Health) -> DiskHealth {
    match health {
        Health::Fine => DiskHealth::Fine,
        Health::Slow { .. } => DiskHealth::Slow,
        Health::Full { .. } => DiskHealth::Full,
        Health::Moved { .. } => DiskHealth::Moved,
    }
}

impl Inner {
    /// The time of this round.
    pub(crate) fn now(&mut self) -> Now {
        let clock = self.clock;
        *self.now.get_or_insert_with(|| clock.now())
    }

    /// Takes one input in; the caller flushes.
    pub(crate) fn handle(&mut self, input: Input) {
        let now = self.now();
        self.core.handle(now, input);
        self.remember_forgotten(now);
    }

    /// Names follow the city, which changes only when a leader begins.
    pub(crate) fn learn_names(&mut self) {
        self.names = Names::of(self.core.state().city());
    }

    /// Before the cards are read.
    pub(crate) fn write_cards(&mut self) {
        self.cards.follow(self.core.state());
    }

    /// All kitchens with their numbers.
    pub(crate) fn kitchens(&self) -> impl Iterator<Item = (KitchenNo, &Kitchen)> {
        let kitchens = self.core.state().kitchens().iter().enumerate();
        kitchens.map(|(index, kitchen)| (KitchenNo(u32::try_from(index).unwrap_or(u32::MAX)), kitchen))
    }

    /// Mean / maximum utilisation over the open living kitchens.
    pub(crate) fn efficiency(&self) -> Option<f64> {
        let open = |kitchen: &&Kitchen| kitchen.alive && kitchen.schedulable == protocol::api::Schedulable::Open;
        let loads: Vec<f64> = self.core.state().kitchens().iter().filter(open).map(Kitchen::load).collect();
        let most = loads.iter().copied().fold(0.0, f64::max);
        let mean = loads.iter().sum::<f64>() / loads.len().max(1) as f64;
        (most > 0.0).then(|| mean / most)
    }

    /// Queues a frame of the feed behind everything that was decided so far.
    pub(crate) fn send_frame(&mut self, frame: Outgoing) {
        self.frames.push(frame);
    }

    /// What was queued and not flushed, for [`crate::probe`].
    pub(crate) fn take_frames(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.frames)
    }

    /// Why nothing can become durable now.
    fn disk_refusal(&self) -> Option<NoAnswer> {
        match self.core.disk() {
            DiskHealth::Fine => None,
            DiskHealth::Slow => Some(NoAnswer::Disk(Refused::DiskSlow)),
            DiskHealth::Full => Some(NoAnswer::Disk(Refused::DiskFull)),
            DiskHealth::Moved => Some(NoAnswer::Disk(Refused::LedgerMoved)),
            DiskHealth::Older => Some(NoAnswer::Disk(Refused::LedgerOlder)),
        }
    }

    /// Something waits that was not sent because the disk stalls.
    fn is_held_back(&self) -> bool {
        !self.core.is_quiet() || !self.held_back.is_empty() || !self.reads.is_empty() || !self.frames.is_empty()
    }

    /// The proof of what is on the disk.
    pub(crate) fn durable_proof(&self) -> Proof {
        self.durable
    }

    /// Up to here everything is on the disk.
    pub(crate) fn durable_position(&self) -> Position {
        self.durable.position
    }

    fn is_durable(&self) -> bool {
        self.durable.position == self.core.state().position()
    }
}
