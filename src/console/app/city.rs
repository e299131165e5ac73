//! The picture of the city: feed frames folded into what the screens show.
//!
//! Owns kitchens, zones, proof, flow and histories. Never reads a clock (the caller passes `now`), never knows a screen.
//!
//! - Inside a connection the picture never goes back: a delta of an older epoch or position is ignored and counted.
//! - A snapshot always becomes the picture, because it is what is true now; if it stands before what was shown, the
//!   events say so in red, because then the ledger is another one or has lost its end.
//! - A kitchen is hot from above the threshold until below [`CALM`], so the word does not flap.
//! - Every text is [`Untrusted`].

use std::collections::HashMap;
use std::time::Duration;

use protocol::api::{Alert, BalancerView, Health, HealthCounts, Kpi, MigrationView, Proof, RushView, Schedulable};
use protocol::feed::{FeedEvent, Flow, Frame, KitchenInfo, KitchenRow, Snapshot, Tone};
use protocol::{Epoch, KitchenId, Position, WallTime};
use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::events::Events;
use super::moves::Moves;
use super::remarks::{Alarm, Balancer, Remark};
use super::series::{LoadSpark, Moved, STEP_S, Second, Series};
use crate::console::untrusted::Untrusted;

/// A hot kitchen is calm again below this.
pub const CALM: f64 = 0.7;

/// A kitchen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kitchen {
    /// Its number in the feed.
    pub no: u32,
    /// Its id; its alphabet is safe to show.
    pub id: KitchenId,
    /// What people call it.
    pub name: Untrusted,
    /// Its zone, as an index into [`City::zones`].
    pub zone: usize,
    /// How many orders it may hold.
    pub capacity: u32,
    /// How many it cooks at once.
    pub stations: u32,
    /// Dishes it is good at.
    pub specialties: Vec<Untrusted>,
    /// Its figures; absent until the feed tells them.
    pub row: Option<KitchenRow>,
    /// Above the threshold, and not yet calm.
    pub hot: bool,
    /// The last minute.
    pub spark: LoadSpark,
}

impl Kitchen {
    /// Held / capacity.
    #[must_use]
    pub fn load(&self) -> f64 {
        let held = self.row.map_or(0, |row| u64::from(row.queued) + u64::from(row.cooking));
        #[expect(clippy::cast_precision_loss, reason = "a kitchen holds far fewer than 2^52 orders")]
        let held = held as f64;
        if self.capacity == 0 { 0.0 } else { held / f64::from(self.capacity) }
    }

    /// Orders it holds.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.row.map_or(0, |row| u64::from(row.queued) + u64::from(row.cooking))
    }

    /// What the signs of life say; absent until told.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        self.row.map(|row| row.health)
    }

    /// Whether it can be given orders.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.row.is_some_and(|row| row.health == Health::Alive && row.schedulable == Schedulable::Open)
    }
}

/// A zone and the loads in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ZoneStats {
    /// Its name.
    pub name: Untrusted,
    /// The name as the balancer wrote it, for requests.
    pub raw: String,
    /// Kitchens in it.
    pub kitchens: u32,
    /// Of those not dead; the figures below are theirs.
    pub living: u32,
    /// Orders held.
    pub held: u64,
    /// Places.
    pub places: u64,
    /// Lowest load.
    pub low: f64,
    /// Highest load.
    pub high: f64,
}

/// The pipeline, made harmless.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pipeline {
    /// The figures; its texts are emptied.
    pub raw: Flow,
    /// Stages and how many orders are in each.
    pub stages: Vec<(Untrusted, u64)>,
    /// How a kitchen is chosen.
    pub algorithm: Untrusted,
    /// Where the rush is.
    pub rush_zone: Option<Untrusted>,
}

/// What a frame did to the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Something a screen shows is different.
    pub visible: bool,
    /// Something was lost, or became hot: do not wait for the slot.
    pub urgent: bool,
}

/// The picture.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct City {
    /// Its name; empty before the first snapshot.
    pub name: Untrusted,
    /// The leader's id.
    pub leader: Untrusted,
    /// Whether a snapshot was seen.
    pub known: bool,
    /// The leader's reign.
    pub epoch: Epoch,
    /// Of the last frame.
    pub position: Position,
    /// The balancer's clock in the last frame.
    pub at: WallTime,
    /// A kitchen above this is hot.
    pub threshold: f64,
    /// By index.
    pub zones: Vec<ZoneStats>,
    /// In the sequence of registration.
    pub kitchens: Vec<Kitchen>,
    /// By health, as the rows say.
    pub health: HealthCounts,
    /// Hot ones.
    pub hot: u32,
    /// The proof.
    pub proof: Option<Proof>,
    /// The pipeline.
    pub flow: Option<Pipeline>,
    /// What is wrong now, worst first.
    pub alerts: Vec<Alarm>,
    /// Balancers that follow the leader.
    pub standbys: Vec<Balancer>,
    /// Where the leader answers, if it is told.
    pub leader_url: Untrusted,
    /// What the feed does not tell of a kitchen, and when it was asked.
    pub remarks: HashMap<KitchenId, Remark>,
    /// Notable events.
    pub events: Events,
    /// What operators did, and what was refused.
    pub audit: Audit,
    /// Moves.
    pub moves: Moves,
    /// The last five minutes.
    pub series: Series,
    /// Frames that were ignored because they went back.
    pub ignored: u64,
    /// Frames taken.
    pub frames: u64,
    #[serde(skip)]
    index: HashMap<u32, usize>,
    #[serde(skip)]
    ids: HashMap<KitchenId, usize>,
    second: Second,
    second_no: u64,
    accepted_before: Option<u64>,
}

impl City {
    /// Takes a frame.
    pub fn apply(&mut self, frame: &Frame, now: Duration) -> Change {
        let goes_back = (frame.epoch, frame.position) < (self.epoch, self.position);
        if goes_back && frame.snapshot.is_none() {
            self.ignored += 1;
            return Change::default();
        }
        let mut change = Change::default();
        if let Some(snapshot) = &frame.snapshot {
            self.begin(snapshot, frame, goes_back);
            change.visible = true;
        } else if frame.epoch != self.epoch {
            change.visible = true;
        }
        self.frames += 1;
        let known_to = if goes_back { Position(0) } else { self.position };
        (self.epoch, self.position, self.at) = (frame.epoch, frame.position, frame.at);
        change.visible |= !frame.registered.is_empty();
        for info in &frame.registered {
            self.register(info);
        }
        let lost = self.rows(&frame.kitchens, &mut change);
        self.second.lost += lost;
        if !frame.kitchens.is_empty() || !frame.registered.is_empty() {
            let hot_before = self.hot;
            self.summarise();
            change.urgent |= self.hot > hot_before;
        }
        change.urgent |= lost > 0;
        self.figures(frame, &mut change);
        self.happenings(frame, known_to, now, &mut change);
        change.visible |= change.urgent;
        change
    }

    /// A picture out of a recording, whose places are checked and whose indexes are built again; none if it is damaged.
    #[must_use]
    pub fn restored(mut self) -> Option<Self> {
        let placed = self.kitchens.iter().all(|kitchen| kitchen.zone < self.zones.len());
        self.index = self.kitchens.iter().enumerate().map(|(at, kitchen)| (kitchen.no, at)).collect();
        self.ids = self.kitchens.iter().enumerate().map(|(at, kitchen)| (kitchen.id.clone(), at)).collect();
        let sound = placed && self.series.is_sound();
        sound.then_some(self)
    }

    fn begin(&mut self, snapshot: &Snapshot, frame: &Frame, goes_back: bool) {
        if goes_back && self.known {
            let was = format!("{}.{} -> {}.{}", self.epoch, self.position, frame.epoch, frame.position);
            let text = format!("position {was}: another ledger, or its end is lost");
            self.events.say(frame.at, Tone::Bad, "went_back", &text);
        } else if self.known && frame.epoch != self.epoch {
            let text = format!("epoch {} -> {}", self.epoch, frame.epoch);
            self.events.say(frame.at, Tone::Warn, "new_leader", &text);
        }
        self.known = true;
        self.name = Untrusted::new(&snapshot.city);
        self.leader = Untrusted::new(&snapshot.leader);
        self.threshold = snapshot.overload_threshold;
        self.zones = Vec::new();
        for zone in &snapshot.zones {
            self.zone(&zone.name);
        }
        self.moves.reset();
        self.remarks.clear();
        self.accepted_before = None;
        // Kitchens that are told again keep their minute of history; the rest is gone.
        let told: std::collections::HashSet<&KitchenId> = frame.registered.iter().map(|info| &info.id).collect();
        self.kitchens.retain(|kitchen| told.contains(&kitchen.id));
        for kitchen in &mut self.kitchens {
            (kitchen.row, kitchen.hot) = (None, false);
        }
        self.index.clear();
        self.ids = self.kitchens.iter().enumerate().map(|(at, kitchen)| (kitchen.id.clone(), at)).collect();
    }

    fn zone(&mut self, name: &str) -> usize {
        if let Some(at) = self.zones.iter().position(|zone| zone.raw == name) {
            return at;
        }
        self.zones.push(ZoneStats { name: Untrusted::new(name), raw: name.to_owned(), ..ZoneStats::default() });
        self.zones.len() - 1
    }

    fn register(&mut self, info: &KitchenInfo) {
        let kitchen = Kitchen {
            no: info.no,
            id: info.id.clone(),
            name: Untrusted::new(&info.name),
            zone: self.zone(&info.zone),
            capacity: info.capacity,
            stations: info.stations,
            specialties: info.specialties.iter().map(|dish| Untrusted::new(dish)).collect(),
            row: None,
            hot: false,
            spark: LoadSpark::default(),
        };
        match self.index.get(&info.no).or_else(|| self.ids.get(&info.id)).copied() {
            Some(at) => {
                let old = &self.kitchens[at];
                let (row, hot, spark) = (old.row, old.hot, old.spark);
                self.kitchens[at] = Kitchen { row, hot, spark, ..kitchen };
                self.index.insert(info.no, at);
                self.ids.insert(info.id.clone(), at);
            }
            None => {
                self.index.insert(info.no, self.kitchens.len());
                self.ids.insert(info.id.clone(), self.kitchens.len());
                self.kitchens.push(kitchen);
            }
        }
    }

    /// Takes rows; returns how many kitchens were lost.
    fn rows(&mut self, rows: &[KitchenRow], change: &mut Change) -> u32 {
        let mut lost = 0;
        for row in rows {
            let Some(kitchen) = self.index.get(&row.no).and_then(|at| self.kitchens.get_mut(*at)) else { continue };
            let before = kitchen.row;
            change.visible |= before.is_none_or(|before| shown(&before) != shown(row));
            if let Some(before) = before {
                let died = before.health != Health::Dead && row.health == Health::Dead;
                lost += u32::from(died);
                change.urgent |= before.health == Health::Alive && row.health != Health::Alive;
            }
            kitchen.row = Some(*row);
            let load = kitchen.load();
            kitchen.spark.note(load);
            let living = row.health != Health::Dead;
            let limit = if kitchen.hot { CALM.min(self.threshold) } else { self.threshold };
            kitchen.hot = living && load > limit;
        }
        lost
    }

    fn figures(&mut self, frame: &Frame, change: &mut Change) {
        if let Some(proof) = frame.proof {
            let figures = |proof: &Proof| Proof { position: Position(0), epoch: Epoch(0), ..*proof };
            change.visible |= self.proof.is_none_or(|before| figures(&before) != figures(&proof));
            if let Some(before) = self.accepted_before {
                let more = u32::try_from(proof.accepted.saturating_sub(before)).unwrap_or(u32::MAX);
                self.second.accepted = Some(self.second.accepted.unwrap_or(0).saturating_add(more));
            }
            self.accepted_before = Some(proof.accepted);
            self.proof = Some(proof);
        }
        if let Some(alerts) = &frame.alerts {
            let alarm = |alert: &Alert| Alarm {
                code: Untrusted::new(&alert.code),
                text: Untrusted::new(&alert.text),
                since: alert.since,
            };
            let alerts = alerts.iter().map(alarm).collect();
            change.urgent |= self.alerts != alerts;
            self.alerts = alerts;
        }
        if let Some(balancers) = &frame.balancers {
            let followers = balancers.iter().filter(|balancer| balancer.role == "standby");
            let standby = |balancer: &BalancerView| Balancer {
                id: Untrusted::new(&balancer.id),
                url: Untrusted::new(balancer.url.as_deref().unwrap_or_default()),
                position: balancer.position,
            };
            let standbys = followers.map(standby).collect();
            let leader = balancers.iter().find(|balancer| balancer.role == "leader").and_then(|one| one.url.as_deref());
            self.leader_url = Untrusted::new(leader.unwrap_or_default());
            change.visible |= self.standbys != standbys;
            self.standbys = standbys;
        }
        if let Some(flow) = &frame.flow {
            let flow = pipeline(flow);
            change.visible |= self.flow.as_ref() != Some(&flow);
            self.flow = Some(flow);
        }
    }

    fn happenings(&mut self, frame: &Frame, known_to: Position, now: Duration, change: &mut Change) {
        // A snapshot repeats the newest events; those that were seen before the link was lost are not news.
        let is_news = |event: &&FeedEvent| frame.snapshot.is_none() || event.position > known_to;
        let news: Vec<&FeedEvent> = frame.events.iter().filter(is_news).collect();
        change.visible |= !news.is_empty() || !frame.moves.is_empty() || frame.dropped > 0;
        change.visible |= frame.collapsed.values().any(|count| *count > 0);
        change.urgent |= news.iter().any(|event| event.tone == Tone::Bad);
        // The counts hold the notable events of the same kind too; each is shown once.
        let mut collapsed = frame.collapsed.clone();
        for event in &news {
            if let Some(count) = collapsed.get_mut(&event.kind) {
                *count = count.saturating_sub(u64::from(event.count));
            }
        }
        self.events.count(frame.at, &collapsed);
        for event in news {
            self.events.note(event);
            self.audit.note(event);
        }
        self.events.dropped += frame.dropped;
        for moved in &frame.moves {
            self.moves.note(moved, now);
        }
    }

    /// Counts by health, hot ones and zones.
    fn summarise(&mut self) {
        (self.health, self.hot) = (HealthCounts::default(), 0);
        for zone in &mut self.zones {
            let (name, raw) = (std::mem::take(&mut zone.name), std::mem::take(&mut zone.raw));
            *zone = ZoneStats { name, raw, low: 1.0, ..ZoneStats::default() };
        }
        for kitchen in &self.kitchens {
            let zone = &mut self.zones[kitchen.zone];
            zone.kitchens += 1;
            self.hot += u32::from(kitchen.hot);
            match kitchen.health() {
                Some(Health::Alive) => self.health.alive += 1,
                Some(Health::Suspected) => self.health.suspected += 1,
                Some(Health::Dead) => self.health.dead += 1,
                None => {}
            }
            if matches!(kitchen.health(), Some(Health::Alive | Health::Suspected)) {
                zone.living += 1;
                zone.held += kitchen.held();
                zone.places += u64::from(kitchen.capacity);
                zone.low = zone.low.min(kitchen.load());
                zone.high = zone.high.max(kitchen.load());
            }
        }
    }

    /// Lets time pass up to `now`; says which charts moved.
    pub fn advance(&mut self, now: Duration, linked: bool) -> Moved {
        let mut moved = Moved::default();
        let behind = now.as_secs().saturating_sub(self.second_no);
        // After a stop (ctrl-z) more than the charts hold has gone by.
        for _ in 0..behind.min(super::series::SECONDS as u64) {
            moved |= self.close_second(now, linked);
        }
        self.second_no = self.second_no.max(now.as_secs());
        moved
    }

    fn close_second(&mut self, now: Duration, linked: bool) -> Moved {
        self.second_no += 1;
        let known = linked && self.known;
        let counted = self.second.accepted.or(self.accepted_before.map(|_| 0));
        let second = Second {
            known,
            accepted: counted.filter(|_| known),
            moves: self.moves.second_migrated,
            recovered: self.moves.second_recovered,
            lost: self.second.lost,
            hot: if known { self.hot } else { 0 },
            p99_ms: self.flow.as_ref().and_then(|flow| flow.raw.kpi.p99_ms).filter(|_| known),
            rush: known && self.rush().is_some(),
        };
        self.second = Second::default();
        let mut moved = self.series.push(second);
        moved.pairs = self.moves.tick(now);
        if self.second_no.is_multiple_of(STEP_S) {
            for kitchen in &mut self.kitchens {
                moved.sparks |= kitchen.spark.step(if known { kitchen.load() } else { 0.0 });
            }
        }
        moved
    }

    /// Which charts time alone changes.
    #[must_use]
    pub fn ages(&self) -> Moved {
        let mut moves = self.series.moves();
        moves.pairs = self.moves.moves();
        moves.rate |= self.second.is_busy();
        moves.timeline |= !self.second.is_blank();
        moves
    }

    /// A kitchen by its id.
    #[must_use]
    pub fn kitchen(&self, id: &KitchenId) -> Option<&Kitchen> {
        self.ids.get(id).and_then(|at| self.kitchens.get(*at))
    }

    /// A kitchen by its number.
    #[must_use]
    pub fn by_no(&self, no: u32) -> Option<&Kitchen> {
        self.index.get(&no).and_then(|at| self.kitchens.get(*at))
    }

    /// The name of a kitchen's zone.
    #[must_use]
    pub fn zone_of(&self, kitchen: &Kitchen) -> &Untrusted {
        &self.zones[kitchen.zone].name
    }

    /// The key figures.
    #[must_use]
    pub fn kpi(&self) -> Option<&Kpi> {
        self.flow.as_ref().map(|flow| &flow.raw.kpi)
    }

    /// The rush that runs.
    #[must_use]
    pub fn rush(&self) -> Option<&RushView> {
        self.flow.as_ref().and_then(|flow| flow.raw.rush.as_ref())
    }

    /// A kitchen's row as text, with tabs between.
    #[must_use]
    pub fn row_text(&self, at: usize) -> Option<String> {
        let kitchen = self.kitchens.get(at)?;
        let mut cells = vec![kitchen.id.to_string(), kitchen.name.fit(200), self.zone_of(kitchen).fit(200)];
        if let Some(row) = kitchen.row {
            cells.push(format!("{:.0} %", kitchen.load() * 100.0));
            cells.extend([row.queued, row.cooking, row.in_the_oven, kitchen.capacity].map(|n| n.to_string()));
            cells.extend([row.completed.to_string(), format!("{} ms", row.avg_ms)]);
            cells.extend([row.health.word().to_owned(), row.schedulable.word().to_owned()]);
        }
        Some(cells.join("\t"))
    }

    /// Where the rush is, as the balancer names it.
    #[must_use]
    pub fn rush_zone(&self) -> Option<String> {
        let zone = self.flow.as_ref().and_then(|flow| flow.rush_zone.as_ref())?;
        self.zones.iter().find(|known| known.name == *zone).map(|known| known.raw.clone())
    }

    /// Takes migrations of before this console looked; says whether anything looks different.
    pub fn fill_moves(&mut self, older: &[MigrationView]) -> bool {
        let (ids, kitchens) = (&self.ids, &self.kitchens);
        self.moves.fill(older, |id| ids.get(id).and_then(|at| kitchens.get(*at)).map(|kitchen| kitchen.no))
    }

    /// Places of all alive kitchens.
    #[must_use]
    pub fn places(&self) -> u64 {
        self.kitchens.iter().filter(|k| k.health() == Some(Health::Alive)).map(|k| u64::from(k.capacity)).sum()
    }
}

/// What of a row a screen shows: ages in steps, so that a silent kitchen is one frame a second and not twenty.
fn shown(row: &KitchenRow) -> KitchenRow {
    let step = match (row.health, row.silent_ms) {
        (Health::Alive, _) => row.silent_ms.max(1),
        (Health::Suspected, 0..10_000) => 100,
        (Health::Suspected | Health::Dead, 0..60_000) => 1_000,
        (Health::Suspected | Health::Dead, _) => 60_000,
    };
    let silent_ms = if row.health == Health::Alive { 0 } else { row.silent_ms / step };
    KitchenRow { silent_ms, ..*row }
}

/// Takes the texts out of a flow.
fn pipeline(flow: &Flow) -> Pipeline {
    let mut raw = flow.clone();
    let stages = raw.stages.drain(..).map(|(name, count)| (Untrusted::new(&name), count)).collect();
    let algorithm = Untrusted::new(&std::mem::take(&mut raw.algorithm));
    let rush_zone = raw.rush.as_mut().and_then(|rush| rush.zone.take()).map(|zone| Untrusted::new(&zone));
    if let Some(rush) = &mut raw.rush {
        rush.left_ms = rush.left_ms.div_ceil(1_000) * 1_000; // shown in seconds
    }
    Pipeline { raw, stages, algorithm, rush_zone }
}
