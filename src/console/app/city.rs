//! The picture of the city: feed frames folded into what the screens show.
//!
//! Owns kitchens, zones, proof, flow and histories. Never reads a clock (the caller passes `now`), never knows a screen.
//!
//! - Inside a connection the picture never goes back: a delta of an older epoch or position is ignored and counted.
//! - A snapshot always becomes the picture, because it is what is true now; if it stands before what was shown, the
//!   events say so in red, because then the ledger is another one or has lost its end.
//! - Every text is [`Untrusted`].

mod figures;
mod happenings;
mod kitchens;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use protocol::api::{HealthCounts, Proof};
use protocol::feed::{Frame, KitchenRow, Snapshot, Tone};
use protocol::{Epoch, KitchenId, Position, WallTime};
use serde::{Deserialize, Serialize};

use super::audit::Audit;
use super::events::Events;
use super::incidents::Incidents;
use super::moves::Moves;
use super::remarks::{Alarm, Balancer, Remark};
use super::series::{Second, Series};
use crate::console::untrusted::Untrusted;

pub use self::figures::Pipeline;
pub use self::kitchens::{CALM, FIGURES, Kitchen, ZoneStats};

/// A name to show, and as the balancer wrote it, for requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// To show.
    pub name: Untrusted,
    /// For requests.
    pub raw: String,
}

impl Named {
    fn new(raw: &str) -> Self {
        Self { name: Untrusted::new(raw), raw: raw.to_owned() }
    }
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
    /// The dishes on offer.
    #[serde(default)]
    pub dishes: Vec<Named>,
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
    /// What is to be said of kitchens beyond their rows, and when it was told.
    pub remarks: HashMap<KitchenId, Remark>,
    /// Notable events.
    pub events: Events,
    /// What operators did, and what was refused.
    pub audit: Audit,
    /// Moves.
    pub moves: Moves,
    /// What was lost while this console looked.
    #[serde(default)]
    pub incidents: Incidents,
    /// The last five minutes.
    pub series: Series,
    /// Frames that were ignored because they went back.
    pub ignored: u64,
    /// Frames taken.
    pub frames: u64,
    /// Rows that are told and not shown yet, and when rows were shown last.
    #[serde(default)]
    coming: BTreeMap<u32, KitchenRow>,
    #[serde(default)]
    rows_at: Option<Duration>,
    /// When a hot kitchen was last worth a frame of its own.
    #[serde(skip)]
    hot_at: Option<Duration>,
    #[serde(skip)]
    index: HashMap<u32, usize>,
    #[serde(skip)]
    ids: HashMap<KitchenId, usize>,
    second: Second,
    second_no: u64,
    accepted_before: Option<u64>,
    #[serde(default)]
    refused_before: Option<u64>,
    /// When this leader was first heard, if another was heard before it.
    #[serde(default)]
    pub reign_since: Option<WallTime>,
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
        self.watch(frame, now);
        let was_known = self.known;
        if let Some(snapshot) = &frame.snapshot {
            self.begin(snapshot, frame, goes_back);
            change.visible = true;
        } else if frame.epoch != self.epoch {
            change.visible = true;
        }
        if was_known && frame.epoch != self.epoch {
            (self.reign_since, self.second.new_leader) = (Some(frame.at), true);
        }
        self.frames += 1;
        let known_to = if goes_back { Position(0) } else { self.position };
        (self.epoch, self.position, self.at) = (frame.epoch, frame.position, frame.at);
        change.visible |= !frame.registered.is_empty();
        for info in &frame.registered {
            self.register(info);
        }
        change.visible |= self.catch_up_by(now);
        let hot_before = self.hot;
        let lost = self.rows(&frame.kitchens, now, &mut change);
        self.second.lost += lost;
        if !frame.registered.is_empty() {
            self.summarise();
        }
        change.urgent |= lost > 0 || (self.hot > hot_before && self.may_alarm_hot(now));
        self.figures(frame, &mut change);
        change.visible |= self.take_remarks(frame, now);
        self.happenings(frame, known_to, now, &mut change);
        change.visible |= change.urgent;
        change
    }

    /// A picture out of a recording, whose places are checked and whose indexes are built again; none if it is damaged.
    #[must_use]
    pub fn restored(mut self) -> Option<Self> {
        // A time that never was would hold every row back for ever.
        self.rows_at = self.rows_at.filter(|at| *at <= Duration::from_secs(self.second_no + 1));
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
            let (from, to) = (self.leader.fit(32), Untrusted::new(&snapshot.leader).fit(32));
            let text = format!("{from} -> {to}, epoch {} -> {}", self.epoch, frame.epoch);
            self.events.say(frame.at, Tone::Warn, "new_leader", &text);
        }
        self.known = true;
        self.name = Untrusted::new(&snapshot.city);
        self.leader = Untrusted::new(&snapshot.leader);
        self.threshold = snapshot.overload_threshold;
        self.dishes = snapshot.dishes.iter().map(|dish| Named::new(dish)).collect();
        self.zones = Vec::new();
        for zone in &snapshot.zones {
            self.zone(&zone.name);
        }
        self.moves.reset();
        self.remarks.clear();
        self.audit.ask_anew();
        (self.accepted_before, self.refused_before) = (None, None);
        // Kitchens that are told again keep their minute of history; the rest is gone.
        let told: std::collections::HashSet<&KitchenId> = frame.registered.iter().map(|info| &info.id).collect();
        self.kitchens.retain(|kitchen| told.contains(&kitchen.id));
        for kitchen in &mut self.kitchens {
            (kitchen.row, kitchen.hot) = (None, false);
        }
        self.coming.clear();
        self.index.clear();
        self.ids = self.kitchens.iter().enumerate().map(|(at, kitchen)| (kitchen.id.clone(), at)).collect();
    }
}
