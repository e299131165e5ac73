//! Incidents: what was lost while this console looked, and how long it took until that was made good.
//!
//! Owns at most 100, and what the feed tells of each. Never a figure of its own but one: for how long this console heard nothing
//! when the leader changed. What the feed did not tell stays absent.
//!
//! ```text
//! detected   silence before the kitchen was called lost       as the event `kitchen_lost` says
//! held       orders it held                                   its last row before
//! again      orders leased again elsewhere                    moves of kind recover, but those of a drain's deadline
//! recovered  from the loss to the last of these               the balancer's clock, both
//! ```
//! A snapshot says what is, not what happened: what was lost or leased again while nothing was heard has no figures.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use protocol::api::{Health, HopKind, MoveResult};
use protocol::feed::{FeedEvent, FeedMove, Frame};
use protocol::{Epoch, KitchenId, WallTime};
use serde::{Deserialize, Serialize};

use super::city::City;

/// The most kept.
const KEPT: usize = 100;
/// Why orders are recovered from a kitchen that is not lost: its drain had no more time.
const DRAINED: &str = "drain_deadline";

/// What was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lost {
    /// A kitchen.
    Kitchen(KitchenId),
    /// A leader: its reign, and the next one.
    Leader(Epoch, Epoch),
}

/// One loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What.
    pub what: Lost,
    /// When, by the balancer's clock.
    pub at: WallTime,
    /// How long it was silent: a kitchen until it was called lost; of a leader change, how long this console heard nothing.
    pub silent_ms: Option<u64>,
    /// Orders it held when it was heard last.
    pub held: Option<u64>,
    /// Orders leased again elsewhere; absent where that was before this console looked.
    pub again: Option<u64>,
    /// When the last of them was.
    pub recovered_at: Option<WallTime>,
    /// The longest time for which nobody had one of them.
    pub gap_ms: Option<u64>,
    /// When the kitchen was heard again.
    pub back_at: Option<WallTime>,
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Incidents {
    list: VecDeque<Incident>,
    heard: Option<Duration>,
}

impl Incidents {
    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Incident> {
        self.list.iter().rev()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The newest loss of a kitchen.
    fn of(&mut self, id: &KitchenId) -> Option<&mut Incident> {
        self.list.iter_mut().rev().find(|incident| matches!(&incident.what, Lost::Kitchen(known) if known == id))
    }

    fn begin(&mut self, what: Lost, at: WallTime, seen: bool) -> &mut Incident {
        if self.list.len() == KEPT {
            self.list.pop_front();
        }
        let again = (seen && matches!(what, Lost::Kitchen(_))).then_some(0);
        let (silent_ms, held, recovered_at, gap_ms, back_at) = (None, None, None, None, None);
        self.list.push_back(Incident { what, at, silent_ms, held, again, recovered_at, gap_ms, back_at });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// The loss of a kitchen that is not made good yet, or a new one.
    fn open(&mut self, id: &KitchenId, at: WallTime, seen: bool) -> &mut Incident {
        if self.of(id).is_none_or(|incident| incident.back_at.is_some()) {
            return self.begin(Lost::Kitchen(id.clone()), at, seen);
        }
        let at = self.list.iter().rposition(|one| matches!(&one.what, Lost::Kitchen(known) if known == id));
        &mut self.list[at.unwrap_or(0)]
    }

    /// Nothing was heard for a while: what was not all leased again then may have been meanwhile.
    fn missed(&mut self) {
        for incident in self.list.iter_mut().filter(|incident| incident.back_at.is_none()) {
            if incident.again.is_some_and(|again| incident.held.is_none_or(|held| again < held)) {
                (incident.again, incident.recovered_at, incident.gap_ms) = (None, None, None);
            }
        }
    }

    fn back(&mut self, id: &KitchenId, at: WallTime) {
        if let Some(incident) = self.of(id).filter(|incident| incident.back_at.is_none() && incident.at <= at) {
            incident.back_at = Some(at);
        }
    }
}

impl Incident {
    /// From the loss to the last order that was leased again.
    #[must_use]
    pub fn recovered_ms(&self) -> Option<u64> {
        self.recovered_at.map(|at| at.ms_since(self.at))
    }

    /// From the loss until it was heard again.
    #[must_use]
    pub fn back_ms(&self) -> Option<u64> {
        self.back_at.map(|at| at.ms_since(self.at))
    }
}

impl City {
    /// What a frame's rows and reign say of losses; before they become the picture, because the rows of before say what was held.
    pub(super) fn watch(&mut self, frame: &Frame, now: Duration) {
        let heard = self.incidents.heard.replace(now);
        if self.known && frame.epoch > self.epoch {
            let silent = heard.map(|heard| now.saturating_sub(heard).as_millis());
            let what = Lost::Leader(self.epoch, frame.epoch);
            let incident = self.incidents.begin(what, frame.at, true);
            incident.silent_ms = silent.and_then(|silent| u64::try_from(silent).ok());
        }
        let seen = frame.snapshot.is_none();
        if !seen {
            self.incidents.missed();
        }
        // A snapshot numbers kitchens anew.
        let told: HashMap<u32, &KitchenId> = frame.registered.iter().map(|info| (info.no, &info.id)).collect();
        for row in &frame.kitchens {
            let known = told.get(&row.no).and_then(|id| self.kitchen(id));
            let Some(kitchen) = known.or_else(|| self.by_no(row.no).filter(|_| seen)) else { continue };
            let Some(before) = self.newest_row(kitchen.no) else { continue };
            let (id, held) = (kitchen.id.clone(), u64::from(before.queued) + u64::from(before.cooking));
            match (before.health == Health::Dead, row.health == Health::Dead) {
                (false, true) => self.incidents.open(&id, frame.at, seen).held = seen.then_some(held),
                (true, false) => self.incidents.back(&id, frame.at),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// What an event says of losses; `seen`: it happened while this console looked.
    pub(super) fn watch_event(&mut self, event: &FeedEvent, seen: bool) {
        let Ok(id) = event.subject.parse::<KitchenId>() else { return };
        match event.kind.as_str() {
            "kitchen_lost" => {
                let incident = self.incidents.open(&id, event.at, seen);
                (incident.at, incident.silent_ms) = (event.at, silent_ms(&event.text));
            }
            "kitchen_returned" | "kitchen_registered" => self.incidents.back(&id, event.at),
            _ => {}
        }
    }

    /// What a move says of losses.
    pub(super) fn watch_move(&mut self, moved: &FeedMove) {
        let recovers = moved.kind == HopKind::Recover && moved.result == MoveResult::Done;
        if !recovers || moved.reason == DRAINED {
            return;
        }
        let Some(id) = self.by_no(moved.from).map(|kitchen| kitchen.id.clone()) else { return };
        let open = |incident: &&mut Incident| incident.back_at.is_none_or(|back| moved.at <= back);
        let Some(incident) = self.incidents.of(&id).filter(open) else { return };
        incident.again = incident.again.map(|again| again + 1);
        incident.recovered_at = incident.recovered_at.max(Some(moved.at));
        if incident.again.is_some() {
            incident.gap_ms = incident.gap_ms.max(moved.pause_ms);
        }
    }
}

/// `lease_expired, silent for 3.0 s`
fn silent_ms(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("silent for ")?;
    let seconds = rest.split(' ').next()?.parse::<f64>().ok()?;
    let silent = Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(silent.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use protocol::OrderId;
    use protocol::feed::Tone;

    use super::*;
    use crate::console::tests::fixture::{NOON, app, dead, event, feed, four, frame, moved, row, snapshot};

    fn lost(position: u64, at_ms: u64) -> FeedEvent {
        event(position, at_ms, "kitchen_lost", Tone::Bad, "kitchen_3", "lease_expired, silent for 3.0 s")
    }

    #[test]
    fn a_loss_is_told_from_the_last_row_to_the_last_order_leased_again() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let mut loss = frame(9_010, 10_000);
        loss.kitchens = vec![dead(row(2, 0, 0), 3_000)];
        loss.events = vec![lost(9_010, 9_950)];
        feed(&mut app, loss, 10_000);
        let mut again = frame(9_020, 12_000);
        again.moves = [10_400, 11_900]
            .map(|at| {
                let moved = moved(800, 2, 3, HopKind::Recover, MoveResult::Done);
                FeedMove { at: WallTime(NOON + at), order: OrderId(at), pause_ms: Some(at - 8_000), ..moved }
            })
            .to_vec();
        feed(&mut app, again, 12_000);
        let mut back = frame(9_030, 20_000);
        back.events = vec![event(9_030, 19_950, "kitchen_returned", Tone::Good, "kitchen_3", "heard again")];
        feed(&mut app, back, 20_000);
        let all: Vec<&Incident> = app.city().incidents.newest().collect();
        let [incident] = all[..] else { panic!("{all:?}") };
        assert_eq!((incident.silent_ms, incident.held, incident.again), (Some(3_000), Some(5), Some(2)));
        assert_eq!((incident.recovered_ms(), incident.gap_ms), (Some(1_950), Some(3_900)));
        assert_eq!(incident.back_ms(), Some(10_000));
    }

    fn incident(app: &crate::console::app::App) -> Incident {
        app.city().incidents.newest().next().expect("an incident").clone()
    }

    /// An order that kitchen_3 held is leased to another kitchen.
    fn again(order: u64, at: u64, reason: &str) -> FeedMove {
        let moved = moved(order, 2, 3, HopKind::Recover, MoveResult::Done);
        FeedMove { at: WallTime(NOON + at), reason: reason.to_owned(), pause_ms: Some(500), ..moved }
    }

    #[test]
    fn a_loss_that_only_a_snapshot_tells_has_no_figures_of_before_it() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let mut kitchens = four();
        kitchens[2].1 = dead(row(2, 0, 0), 3_000);
        // The next leader numbers them the other way round.
        for (no, (info, row)) in (0..4).rev().zip(&mut kitchens) {
            (info.no, row.no) = (no, no);
        }
        feed(&mut app, snapshot(9_100, kitchens), 5_000);
        let mut more = frame(9_110, 5_500);
        more.moves = vec![FeedMove { from: 1, ..again(801, 5_400, "kitchen_silent") }];
        feed(&mut app, more, 5_500);
        let incident = incident(&app);
        assert_eq!(incident.what, Lost::Kitchen("kitchen_3".parse().expect("an id")));
        assert_eq!((incident.held, incident.again, incident.gap_ms), (None, None, None));
    }

    #[test]
    fn what_was_leased_again_while_nothing_was_heard_is_not_left_out_of_a_count() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let mut loss = frame(9_010, 1_000);
        loss.kitchens = vec![dead(row(2, 0, 0), 3_000)];
        loss.moves = vec![again(801, 1_000, "kitchen_silent")];
        feed(&mut app, loss, 1_000);
        assert_eq!((incident(&app).held, incident(&app).again), (Some(5), Some(1)));
        let mut kitchens = four();
        kitchens[2].1 = dead(row(2, 0, 0), 4_000);
        feed(&mut app, snapshot(9_100, kitchens), 5_000);
        let incident = incident(&app);
        assert_eq!((incident.held, incident.again, incident.recovered_ms()), (Some(5), None, None));
    }

    #[test]
    fn what_a_kitchen_held_is_from_its_newest_row_though_an_older_one_is_still_shown() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        for (at, queued) in [(1_000, 2), (1_050, 3)] {
            let mut frame = frame(9_000 + at, at);
            frame.kitchens = vec![row(2, queued, 4)];
            feed(&mut app, frame, at);
        }
        let mut loss = frame(10_100, 1_100);
        loss.kitchens = vec![dead(row(2, 0, 0), 3_000)];
        feed(&mut app, loss, 1_100);
        assert_eq!(incident(&app).held, Some(7));
    }

    #[test]
    fn a_drain_that_ends_by_its_deadline_is_no_recovery_of_an_old_loss() {
        let mut app = app((120, 36));
        feed(&mut app, snapshot(9_000, four()), 0);
        let mut loss = frame(9_010, 1_000);
        loss.kitchens = vec![dead(row(2, 0, 0), 3_000)];
        loss.events = vec![lost(9_010, 950)];
        loss.moves = vec![again(801, 1_000, "kitchen_silent"), again(802, 1_000, "drain_deadline")];
        feed(&mut app, loss, 1_000);
        assert_eq!(incident(&app).again, Some(1));
        let mut back = frame(9_030, 3_000);
        back.kitchens = vec![row(2, 0, 0)];
        feed(&mut app, back, 3_000);
        let mut later = frame(9_040, 60_000);
        later.moves = vec![again(803, 59_000, "declined"), again(804, 2_900, "kitchen_silent")];
        feed(&mut app, later, 60_000);
        let incident = incident(&app);
        assert_eq!((incident.again, incident.recovered_ms()), (Some(2), Some(1_950)));
    }

    #[test]
    fn what_was_before_this_console_looked_has_no_figures_that_it_did_not_see() {
        let mut app = app((120, 36));
        let mut first = snapshot(9_000, four());
        first.events = vec![lost(8_990, 0)];
        feed(&mut app, first, 0);
        let incident = app.city().incidents.newest().next().expect("it was told").clone();
        assert_eq!((incident.held, incident.again, incident.recovered_ms()), (None, None, None));
        let mut next = snapshot(9_100, four());
        next.epoch = Epoch(4);
        feed(&mut app, next, 3_200);
        let incident = app.city().incidents.newest().next().expect("a new leader").clone();
        assert_eq!((incident.what, incident.silent_ms), (Lost::Leader(Epoch(3), Epoch(4)), Some(3_200)));
    }
}
