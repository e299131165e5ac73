//! Kitchens and zones: who is registered, what their rows say, and what follows from that.
//!
//! Owns hysteresis: a kitchen is hot from above the threshold until below [`CALM`], so the word does not flap.
//!
//! A row that only moves its figures is shown at most each [`FIGURES`]; one that changes the kitchen's state is shown at once.
//! Nobody reads figures that change ten times a second, and on a slow line they would delay what is read.

use std::time::Duration;

use protocol::KitchenId;
use protocol::api::{Health, HealthCounts, Schedulable};
use protocol::feed::{KitchenInfo, KitchenRow};
use serde::{Deserialize, Serialize};

use super::{Change, City};
use crate::console::app::series::LoadSpark;
use crate::console::untrusted::Untrusted;

/// A hot kitchen is calm again below this.
pub const CALM: f64 = 0.7;

/// Between two kitchens whose heat is an alarm.
const HOT_ALARM: Duration = Duration::from_secs(2);
/// Between two moves of the figures of kitchens.
pub const FIGURES: Duration = Duration::from_millis(250);

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
        self.row.map_or(0.0, |row| self.load_with(&row))
    }

    fn load_with(&self, row: &KitchenRow) -> f64 {
        let held = f64::from(row.queued) + f64::from(row.cooking);
        if self.capacity == 0 { 0.0 } else { held / f64::from(self.capacity) }
    }

    fn is_hot_with(&self, row: &KitchenRow, threshold: f64) -> bool {
        let limit = if self.hot { CALM.min(threshold) } else { threshold };
        row.health != Health::Dead && self.load_with(row) > limit
    }

    /// Whether a row says more than other figures: another state, or the first figures at all.
    fn turns(&self, row: &KitchenRow, threshold: f64) -> bool {
        let state = |row: &KitchenRow| (row.health, row.schedulable);
        self.row.is_none_or(|before| state(&before) != state(row)) || self.is_hot_with(row, threshold) != self.hot
    }

    /// Takes a row; says whether the kitchen looks different.
    fn show(&mut self, row: &KitchenRow, threshold: f64) -> bool {
        let before = self.row.replace(*row);
        self.hot = self.is_hot_with(row, threshold);
        before.is_none_or(|before| shown(&before) != shown(row))
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

impl City {
    pub(super) fn zone(&mut self, name: &str) -> usize {
        if let Some(at) = self.zones.iter().position(|zone| zone.raw == name) {
            return at;
        }
        self.zones.push(ZoneStats { name: Untrusted::new(name), raw: name.to_owned(), ..ZoneStats::default() });
        self.zones.len() - 1
    }

    pub(super) fn register(&mut self, info: &KitchenInfo) {
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
    pub(super) fn rows(&mut self, rows: &[KitchenRow], now: Duration, change: &mut Change) -> u32 {
        let mut lost = 0;
        let calm = self.rows_due().is_none_or(|due| due <= now);
        let mut applied = false;
        for row in rows {
            let Some(kitchen) = self.index.get(&row.no).and_then(|at| self.kitchens.get_mut(*at)) else { continue };
            kitchen.spark.note(kitchen.load_with(row));
            if !calm && !kitchen.turns(row, self.threshold) {
                self.coming.insert(row.no, *row);
                continue;
            }
            if let Some(before) = kitchen.row {
                lost += u32::from(before.health != Health::Dead && row.health == Health::Dead);
                change.urgent |= before.health == Health::Alive && row.health != Health::Alive;
            }
            self.coming.remove(&row.no);
            change.visible |= kitchen.show(row, self.threshold);
            applied = true;
        }
        if calm && !rows.is_empty() {
            change.visible |= self.catch_up(now);
        } else if applied {
            self.summarise();
        }
        lost
    }

    /// Whether one more hot kitchen is an alarm: in a flood of them the next frame tells, and a loss must not wait behind it.
    pub(super) fn may_alarm_hot(&mut self, now: Duration) -> bool {
        let may = self.hot_at.is_none_or(|at| now >= at + HOT_ALARM);
        if may {
            self.hot_at = Some(now);
        }
        may
    }

    /// When rows may be shown again; absent: at once.
    fn rows_due(&self) -> Option<Duration> {
        self.rows_at.map(|at| at.saturating_add(FIGURES))
    }

    /// When rows that wait want to be shown; absent: none waits.
    #[must_use]
    pub fn catch_up_at(&self) -> Option<Duration> {
        self.rows_due().filter(|_| !self.coming.is_empty())
    }

    /// Shows the rows that wait if it is time, as of when it was: who looks late and who folds a recording see the same.
    pub(super) fn catch_up_by(&mut self, now: Duration) -> bool {
        self.catch_up_at().filter(|due| *due <= now).is_some_and(|due| self.catch_up(due))
    }

    /// Shows the rows that wait; says whether anything looks different.
    pub fn catch_up(&mut self, now: Duration) -> bool {
        let mut visible = false;
        for row in std::mem::take(&mut self.coming).into_values() {
            let Some(kitchen) = self.index.get(&row.no).and_then(|at| self.kitchens.get_mut(*at)) else { continue };
            visible |= kitchen.show(&row, self.threshold);
        }
        self.rows_at = Some(now);
        self.summarise();
        visible
    }

    /// Counts by health, hot ones and zones.
    pub(super) fn summarise(&mut self) {
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

    /// The newest row that was told of a kitchen, whether or not it is shown yet.
    #[must_use]
    pub fn newest_row(&self, no: u32) -> Option<&KitchenRow> {
        self.coming.get(&no).or_else(|| self.by_no(no)?.row.as_ref())
    }

    /// The name of a kitchen's zone.
    #[must_use]
    pub fn zone_of(&self, kitchen: &Kitchen) -> &Untrusted {
        &self.zones[kitchen.zone].name
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
