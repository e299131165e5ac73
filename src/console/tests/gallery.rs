//! The city of the pictures: 22 kitchens in six zones, five minutes, a rush, a loss and its recovery.
//!
//! Owns figures that agree with each other (an order is in one place, the proof adds up), so that a picture can be read. Made
//! of a seed and of virtual time only.

use std::collections::BTreeMap;

use protocol::api::{HopKind, Kpi, MoveResult, Proof, RushView, Schedulable};
use protocol::feed::{FeedEvent, FeedMove, Flow, Frame, KitchenInfo, KitchenRow, Tone};
use protocol::{OrderId, WallTime};

use super::fixture::{NOON, Random, dead, event, feed, frame, info, row, snapshot};
use crate::console::app::App;

/// Seconds of history.
const LENGTH: u64 = 300;
const RUSH_AT: u64 = 205;
const LOST_AT: u64 = 268;
/// The kitchen that is lost, and the one that is drained.
const LOST: u32 = 2;
const DRAINED: u32 = 9;
const NAMES: [(&str, &str, u32); 22] = [
    ("Downtown Oven", "Downtown", 14),
    ("Harbor Wok", "Harbor", 14),
    ("Uptown Grill", "Uptown", 12),
    ("Southside Spice", "Southside", 20),
    ("Market Bistro", "Downtown", 10),
    ("Pier Pizza", "Harbor", 16),
    ("Hill Noodles", "Uptown", 10),
    ("Canal Kitchen", "West", 12),
    ("Gate Grill", "Airport", 18),
    ("Quay Curry", "Harbor", 12),
    ("Old Mill", "West", 10),
    ("Station Soups", "Downtown", 16),
    ("Garden Salads", "Southside", 12),
    ("Terminal Tacos", "Airport", 14),
    ("Crown Dumplings", "Uptown", 14),
    ("Dock Diner", "Harbor", 10),
    ("Westend Wraps", "West", 16),
    ("Palm Pasta", "Southside", 10),
    ("Runway Ramen", "Airport", 12),
    ("Square Sushi", "Downtown", 12),
    ("Cliff Crepes", "Uptown", 12),
    ("Lantern Pho", "Southside", 14),
];

fn kitchens() -> Vec<KitchenInfo> {
    let kitchen = |(no, (name, zone, places)): (usize, &(&str, &str, u32))| {
        info(no as u32, &format!("kitchen_{}", no + 1), name, zone, *places)
    };
    NAMES.iter().enumerate().map(kitchen).collect()
}

fn name(no: u32) -> String {
    format!("kitchen_{}", no + 1)
}

/// How full a kitchen is, 0 to 1: its own level, a slow wave, and the rush where it is.
fn fullness(no: u32, second: u64) -> f64 {
    let (no_f, second_f) = (f64::from(no), second as f64);
    let level = 0.22 + 0.04 * f64::from(no * 7 % 11);
    let wave = 0.1 * (second_f / 47.0 + no_f).sin() + 0.05 * (second_f / 5.0 + 2.0 * no_f).sin();
    let rush = if second > RUSH_AT && NAMES[no as usize].1 == "Harbor" {
        0.42 * ((second - RUSH_AT) as f64 / 40.0).min(1.0)
    } else {
        0.0
    };
    let takes_over = if second > LOST_AT && NAMES[no as usize].1 == "Uptown" { 0.2 } else { 0.0 };
    (level + wave + rush + takes_over).clamp(0.0, 1.0)
}

fn row_at(no: u32, second: u64) -> KitchenRow {
    let places = NAMES[no as usize].2;
    let held = (fullness(no, second) * f64::from(places)).round() as u32;
    let cooking = held.min(places.div_ceil(2));
    let mut row = KitchenRow { completed: 180 + second * 2 + u64::from(no), ..row(no, held - cooking, cooking) };
    row.avg_ms = 2_900 + 130 * (no % 9);
    match no {
        LOST if second >= LOST_AT => dead(row, (second - LOST_AT) * 1_000 + 3_100),
        DRAINED if second > 285 => KitchenRow { schedulable: Schedulable::Draining, ..row },
        _ => row,
    }
}

/// Orders that the lost kitchen held.
fn held_when_lost() -> u64 {
    let row = row_at(LOST, LOST_AT - 1);
    u64::from(row.queued + row.cooking)
}

/// Figures of a second, and what was counted since the one before.
struct Books {
    random: Random,
    accepted: u64,
    completed: u64,
}

impl Books {
    fn frame(&mut self, second: u64) -> Frame {
        let rushing = second > RUSH_AT;
        let come = 34 + self.random.below(9) + if rushing { 38 } else { 0 };
        self.accepted += come;
        let rows: Vec<KitchenRow> = (0..NAMES.len() as u32).map(|no| row_at(no, second)).collect();
        let held: u64 = rows.iter().map(|row| u64::from(row.queued + row.cooking)).sum();
        let queued = if rushing { (second - RUSH_AT) / 12 } else { 0 };
        let (cancelled, dead_lettered) = (2, 1);
        let before = self.completed;
        self.completed = self.accepted - held - queued - cancelled - dead_lettered;
        let open = held + queued;
        let proof = Proof {
            accepted: self.accepted,
            completed: self.completed,
            cancelled,
            dead_lettered,
            open,
            stale_refused: if second > LOST_AT + 9 { 3 } else { 0 },
            ..Proof::default()
        };
        let done = self.completed.saturating_sub(before);
        let collapsed = [("accepted", come), ("leased", come), ("completed", done)];
        Frame {
            proof: Some(proof),
            flow: Some(flow(&rows, queued, second, come as f64, done as f64)),
            kitchens: rows,
            collapsed: BTreeMap::from(collapsed.map(|(kind, count)| (kind.to_owned(), count))),
            ..frame(9_000 + second * 160, second * 1_000)
        }
    }
}

fn flow(rows: &[KitchenRow], queued: u64, second: u64, come: f64, done: f64) -> Flow {
    let cooking: u64 = rows.iter().map(|row| u64::from(row.cooking)).sum();
    let leased: u64 = rows.iter().map(|row| u64::from(row.queued)).sum();
    let (prep, plate) = (cooking / 3, cooking / 6);
    let stages = [("prep", prep), ("cook", cooking - prep - plate), ("plate", plate)];
    let late = if second > RUSH_AT { (second - RUSH_AT) * 17 } else { 0 };
    let recovering = second.checked_sub(LOST_AT).map_or(0, |since| 2_400_u64.saturating_sub(since * 120));
    let rush = (second > RUSH_AT).then(|| RushView {
        rate: 38.0,
        zone: Some("Harbor".to_owned()),
        left_ms: (LENGTH + 25 - second) * 1_000,
        placed: (second - RUSH_AT) * 38,
        shed: 0,
    });
    Flow {
        queued,
        leased,
        stages: stages.map(|(name, count)| (name.to_owned(), count)).to_vec(),
        oldest_s: Some(4 + late / 700 + recovering / 800),
        shed: 0,
        recovered: if second > LOST_AT { held_when_lost() } else { 0 },
        moves_done: 12 + second / 9,
        moves_failed: 1,
        kpi: Kpi {
            accepted_per_s: come,
            completed_per_s: done,
            p50_ms: Some(2_700 + late / 3),
            p99_ms: Some(4_000 + late + recovering + second % 7 * 40),
            load_balance_efficiency: Some(0.83),
            migration_success_ratio: Some(0.98),
            availability: 1.0,
        },
        rush,
        algorithm: "weighted-score".to_owned(),
    }
}

fn moved(order: u64, second: u64, from: u32, to: u32, kind: HopKind, reason: &str) -> FeedMove {
    FeedMove {
        at: WallTime(NOON + second * 1_000 + order % 5 * 180),
        order: OrderId(order),
        from,
        to,
        kind,
        reason: reason.to_owned(),
        result: MoveResult::Done,
        pause_ms: Some(if kind == HopKind::Recover { 1_290 + order % 5 * 180 } else { 2 + order % 4 }),
    }
}

fn happenings(second: u64, position: u64) -> (Vec<FeedEvent>, Vec<FeedMove>) {
    let at = second * 1_000;
    let one = |kind: &str, tone, subject: &str, text: &str| event(position, at + 300, kind, tone, subject, text);
    let overload = |order: u64, from: u32, to: u32| {
        let text = format!("-> {} overload", name(to));
        (one("migrated", Tone::Info, &name(from), &text), moved(order, second, from, to, HopKind::Reassign, "overload"))
    };
    match second {
        RUSH_AT => {
            (vec![one("rush_started", Tone::Warn, "Harbor", "38 orders/s for 120 s by ada: friday drill")], vec![])
        }
        LOST_AT => {
            let recovered = (0..held_when_lost()).map(|n| {
                let to = [6, 14, 20][n as usize % 3];
                moved(11_420 + n, second, LOST, to, HopKind::Recover, "lease_expired")
            });
            let lost = one("kitchen_lost", Tone::Bad, &name(LOST), "lease_expired, silent for 1.2 s");
            (vec![lost], recovered.collect())
        }
        269 => (vec![one("recovered", Tone::Good, &name(LOST), "-> kitchen_15 lease_expired")], vec![]),
        277 => (vec![one("stale_refused", Tone::Warn, &name(LOST), "late result refused")], vec![]),
        285 => (
            vec![one("drain_started", Tone::Warn, &name(DRAINED), "draining for at most 60 s by ada: oven check")],
            vec![],
        ),
        240..=299 if second.is_multiple_of(9) => {
            let (event, one) = overload(11_000 + second, 1, [8, 3, 16][second as usize % 3]);
            (vec![event], vec![one])
        }
        _ => (vec![], vec![]),
    }
}

/// Plays the five minutes.
pub fn fill(app: &mut App) {
    let rows = (0..NAMES.len() as u32).map(|no| row_at(no, 0));
    let begin = snapshot(9_000, kitchens().into_iter().zip(rows).collect());
    feed(app, Frame { proof: None, ..begin }, 0);
    let mut books = Books { random: Random(7), accepted: 4_200, completed: 0 };
    for second in 1..=LENGTH {
        let mut frame = books.frame(second);
        (frame.events, frame.moves) = happenings(second, frame.position.0);
        if second == 1 {
            frame.collapsed.clear();
        }
        feed(app, frame, second * 1_000);
    }
}
