//! A city to test with, the frames it sends, and a seeded stream of numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::api::{Alert, BalancerView, Health, HopKind, Kpi, MoveResult, Proof, RushView, Schedulable};
use protocol::city::Zone;
use protocol::feed::{FeedEvent, FeedMove, Flow, Frame, KitchenInfo, KitchenRow, Snapshot, Tone};
use protocol::{Epoch, KitchenId, OrderId, Position, WallTime};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::console::app::{App, Effects, Input, Setup};
use crate::console::color::Depth;
use crate::console::keymap::Keymap;
use crate::console::link::{Answer, Request, Signal};
use crate::console::symbols::Symbols;
use crate::console::theme::Theme;
use crate::console::view;

mod answers;

pub use self::answers::*;

/// 2026-08-29 10:40:00 UTC.
pub const NOON: u64 = 1_788_000_000_000;

/// splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

pub fn setup() -> Setup {
    Setup { read_only: false, symbols: Symbols::Unicode, keys: Keymap::default(), depth: Depth::Rgb, banner: None }
}

pub fn app(size: (u16, u16)) -> App {
    app_with(setup(), size)
}

pub fn app_with(setup: Setup, size: (u16, u16)) -> App {
    let theme = Theme::fallback(setup.depth, setup.symbols);
    App::new(setup, theme, size)
}

pub fn info(no: u32, id: &str, name: &str, zone: &str, capacity: u32) -> KitchenInfo {
    let id: KitchenId = id.parse().expect("an id");
    let specialties = vec!["pizza".to_owned(), "pasta".to_owned()];
    KitchenInfo {
        no,
        id,
        name: name.to_owned(),
        zone: zone.to_owned(),
        capacity,
        stations: capacity.div_ceil(2),
        specialties,
    }
}

pub fn row(no: u32, queued: u32, cooking: u32) -> KitchenRow {
    let (health, schedulable) = (Health::Alive, Schedulable::Open);
    let (in_the_oven, completed, avg_ms) = (cooking / 2, 400 + u64::from(no), 3_200 + 100 * no);
    KitchenRow { no, health, schedulable, queued, cooking, in_the_oven, completed, avg_ms, silent_ms: 0 }
}

pub fn dead(row: KitchenRow, silent_ms: u64) -> KitchenRow {
    KitchenRow { health: Health::Dead, silent_ms, queued: 0, cooking: 0, in_the_oven: 0, ..row }
}

pub fn proof(accepted: u64, completed: u64) -> Proof {
    let (cancelled, dead_lettered) = (2, 1);
    let open = accepted.saturating_sub(completed + cancelled + dead_lettered);
    Proof { accepted, completed, cancelled, dead_lettered, open, stale_refused: 3, ..Proof::default() }
}

pub fn flow(queued: u64, leased: u64) -> Flow {
    let kpi = Kpi {
        accepted_per_s: 12.4,
        completed_per_s: 12.1,
        p50_ms: Some(2_800),
        p99_ms: Some(4_100),
        load_balance_efficiency: Some(0.83),
        migration_success_ratio: Some(0.97),
        availability: 1.0,
    };
    let stages = [("prep", 9), ("cook", 12), ("plate", 3)].map(|(name, count)| (name.to_owned(), count)).to_vec();
    Flow {
        queued,
        leased,
        stages,
        oldest_s: Some(7),
        shed: 0,
        recovered: 7,
        moves_done: 41,
        moves_failed: 1,
        kpi,
        rush: None,
        algorithm: "weighted-score".to_owned(),
    }
}

pub fn frame(position: u64, at_ms: u64) -> Frame {
    Frame { age_ms: 2, ..Frame::empty(Epoch(3), Position(position), WallTime(NOON + at_ms)) }
}

pub const ZONES: [&str; 6] = ["Downtown", "Harbor", "Uptown", "Southside", "West", "Airport"];

pub fn snapshot(position: u64, kitchens: Vec<(KitchenInfo, KitchenRow)>) -> Frame {
    let zones = ZONES.map(|name| Zone { name: name.to_owned(), x_km: 0.0, y_km: 0.0 }).to_vec();
    let (registered, rows) = kitchens.into_iter().unzip();
    let snapshot = Snapshot {
        city: "Larder".to_owned(),
        zones,
        dishes: ["pizza", "pasta", "salad", "ramen"].map(str::to_owned).to_vec(),
        leader: "b1".to_owned(),
        overload_threshold: 0.9,
    };
    Frame {
        snapshot: Some(Box::new(snapshot)),
        proof: Some(proof(1_204, 1_174)),
        flow: Some(flow(6, 8)),
        registered,
        kitchens: rows,
        ..frame(position, 0)
    }
}

/// The built-in city's four kitchens.
pub fn four() -> Vec<(KitchenInfo, KitchenRow)> {
    vec![
        (info(0, "kitchen_1", "Downtown Oven", "Downtown", 10), row(0, 5, 5)),
        (info(1, "kitchen_2", "Harbor Wok", "Harbor", 14), row(1, 2, 7)),
        (info(2, "kitchen_3", "Uptown Grill", "Uptown", 8), row(2, 1, 4)),
        (info(3, "kitchen_4", "Southside Spice", "Southside", 20), row(3, 0, 8)),
    ]
}

/// So many kitchens with loads of every kind.
pub fn many(count: u32) -> Vec<(KitchenInfo, KitchenRow)> {
    let mut random = Random(7);
    (0..count)
        .map(|no| {
            let zone = ZONES[random.below(6) as usize];
            let held = random.below(21) as u32;
            let cooking = held.min(10);
            (info(no, &format!("k{no:04}"), &format!("Kitchen {no}"), zone, 20), row(no, held - cooking, cooking))
        })
        .collect()
}

pub fn event(position: u64, at_ms: u64, kind: &str, tone: Tone, subject: &str, text: &str) -> FeedEvent {
    FeedEvent {
        position: Position(position),
        at: WallTime(NOON + at_ms),
        kind: kind.to_owned(),
        tone,
        subject: subject.to_owned(),
        text: text.to_owned(),
        count: 1,
    }
}

pub fn moved(order: u64, from: u32, to: u32, kind: HopKind, result: MoveResult) -> FeedMove {
    let (reason, pause_ms) = ("overload".to_owned(), (result == MoveResult::Done).then_some(41));
    FeedMove { at: WallTime(NOON + order), order: OrderId(order), from, to, kind, reason, result, pause_ms }
}

pub fn rush() -> RushView {
    RushView { rate: 50.0, zone: Some("Harbor".to_owned()), left_ms: 18_000, placed: 412, shed: 0 }
}

/// A city in trouble after a minute: one hot, one suspected, one dead, moves and a rush.
pub fn busy(size: (u16, u16)) -> App {
    let mut app = app(size);
    trouble(&mut app);
    app
}

pub fn trouble(app: &mut App) {
    feed(app, snapshot(9_000, four()), 0);
    for second in 1..=60_u64 {
        let accepted = 1_204 + second * (second % 7) + second;
        let mut frame = frame(9_000 + second * 10, second * 1_000);
        frame.proof = Some(proof(accepted, accepted - 30));
        frame.kitchens = vec![row(1, (second % 5) as u32, 7), row(3, 0, (second % 11) as u32)];
        frame.collapsed =
            BTreeMap::from([("accepted".to_owned(), 12), ("leased".to_owned(), 12), ("completed".to_owned(), 11)]);
        if second >= 40 {
            frame.flow = Some(Flow { rush: Some(rush()), ..flow(6 + second, 8) });
        }
        if second >= 52 {
            frame.moves.push(moved(800 + second, 0, 3, HopKind::Reassign, MoveResult::Done));
        }
        if second == 55 {
            frame.kitchens.push(dead(row(2, 0, 0), 3_000));
            frame.events.push(event(
                9_550,
                55_000,
                "kitchen_lost",
                Tone::Bad,
                "kitchen_3",
                "lease_expired, silent for 3.0 s",
            ));
            frame.moves.extend((870..875).map(|order| {
                let at = WallTime(NOON + 55_000 + (order - 869) * 240);
                FeedMove { at, pause_ms: Some(3_000), ..moved(order, 2, 3, HopKind::Recover, MoveResult::Done) }
            }));
        }
        feed(app, frame, second * 1_000);
    }
    let mut last = frame(9_700, 60_400);
    last.kitchens = vec![
        KitchenRow { health: Health::Suspected, silent_ms: 900, ..row(1, 3, 7) },
        dead(row(2, 0, 0), 8_400),
        KitchenRow { schedulable: Schedulable::Draining, ..row(3, 0, 8) },
    ];
    last.moves = vec![
        moved(861, 0, 3, HopKind::Reassign, MoveResult::InFlight),
        moved(862, 0, 1, HopKind::Reassign, MoveResult::Refused),
    ];
    last.events = vec![
        event(9_690, 60_300, "migrated", Tone::Info, "kitchen_1", "-> kitchen_4 overload"),
        event(9_695, 60_350, "kitchen_scheduling", Tone::Warn, "kitchen_4", "draining by ada: oven check"),
    ];
    feed(app, last, 60_400);
}

/// What only the ledger screen shows in full: alerts, balancers, and what operators did.
pub fn tell_all(app: &mut App) {
    let alert = |name: &str, text: &str| Alert { name: name.to_owned(), text: text.to_owned(), since: WallTime(NOON) };
    let balancer = |id: &str, role: &str, position: Option<u64>| BalancerView {
        id: id.to_owned(),
        role: role.to_owned(),
        pid: 1,
        url: Some(format!("http://127.0.0.1:808{}", id.len())),
        position: position.map(Position),
    };
    let mut told = frame(9_710, 60_500);
    told.alerts = Some(vec![
        alert("disk_full", "the ledger's disk is full: read-only until there is space; what was accepted is safe"),
        alert("quarantine", "o77 is in quarantine: look at it, then release or cancel it"),
    ]);
    told.balancers = Some(vec![balancer("b1", "leader", None), balancer("b2", "standby", Some(9_705))]);
    told.events = vec![
        event(9_701, 60_410, "drain_started", Tone::Warn, "kitchen_4", "draining for at most 30 s by ada: oven check"),
        event(9_702, 60_420, "move_ordered", Tone::Info, "o861", "to be moved to kitchen_4 by bob"),
        event(9_703, 60_430, "cancelled", Tone::Info, "o860", "cancelled by ada: the customer left"),
        event(9_704, 60_440, "stale_refused", Tone::Warn, "kitchen_3", "late result refused"),
        event(9_705, 60_450, "rush_started", Tone::Warn, "Harbor", "50 orders/s for 30 s by bob"),
    ];
    feed(app, told, 60_500);
}

pub fn feed(app: &mut App, frame: Frame, at_ms: u64) -> Effects {
    app.update(Input::Signal(Signal::Frame(Box::new(frame))), Duration::from_millis(at_ms))
}

/// Types keys as the table writes them, one millisecond apart; returns the requests.
pub fn type_keys(app: &mut App, keys: &[&str]) -> Vec<Request> {
    let mut sent = Vec::new();
    for name in keys {
        let now = app.now + Duration::from_millis(1);
        let effects = app.update(Input::Key(key(name)), now);
        sent.extend(effects.send.into_iter().map(|sent| sent.request));
    }
    sent
}

/// Answers every waiting request as `answer` says.
pub fn answer(app: &mut App, answer: impl Fn(&Request) -> Option<Result<Answer, String>>) -> Vec<Request> {
    let mut sent = Vec::new();
    for (request, asked) in app.waiting() {
        if let Some(outcome) = answer(&asked) {
            let effects = app.update(Input::Signal(Signal::Answer { request, outcome }), app.now);
            sent.extend(effects.send.into_iter().map(|sent| sent.request));
        }
    }
    sent
}

/// What the balancer of this city says about kitchens and orders; a change is done.
pub fn balancer(request: &Request) -> Option<Result<Answer, String>> {
    Some(Ok(match request {
        Request::Order(id) => Answer::Order(Box::new(order(id.0))),
        Request::Explain(_) => Answer::Explain(Box::new(explain())),
        Request::History(_) => Answer::History(Box::new(history())),
        Request::Kitchen(_) => Answer::Kitchen(Box::new(kitchen_view())),
        Request::OrdersOf(_) => Answer::Orders(Box::new(order_page())),
        Request::Policy => Answer::Policy(Box::default()),
        Request::Supervisor => Answer::Supervisor((1..=4).map(|no| format!("kitchen_{no}")).collect()),
        Request::Place(_) => Answer::Placed { receipt: Box::new(receipt()), replayed: false },
        Request::Migrations | Request::Actions { .. } => return None,
        change => Answer::Done(format!("done: {}", change.words())),
    }))
}

pub fn type_text(app: &mut App, text: &str) -> Vec<Request> {
    let keys: Vec<String> = text.chars().map(String::from).collect();
    type_keys(app, &keys.iter().map(String::as_str).collect::<Vec<_>>())
}

pub fn key(name: &str) -> KeyEvent {
    let (name, modifiers) =
        name.strip_prefix("ctrl-").map_or((name, KeyModifiers::NONE), |rest| (rest, KeyModifiers::CONTROL));
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "backspace" => KeyCode::Backspace,
        "pagedown" => KeyCode::PageDown,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        other => KeyCode::Char(other.chars().next().expect("a key")),
    };
    KeyEvent::new(code, modifiers)
}

/// The screen as text, without trailing blanks.
pub fn screen(app: &App) -> String {
    let rows = app.size.1 + app.deck_rows();
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, rows)).expect("a terminal");
    terminal.draw(|frame| view::draw(frame, app)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..rows {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..app.size.0 {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A city in which nothing is wrong.
pub fn calm(size: (u16, u16)) -> App {
    let mut app = app(size);
    feed(&mut app, snapshot(9_000, four()), 0);
    app
}

/// A kitchen's id.
pub fn id(text: &str) -> KitchenId {
    text.parse().expect("an id")
}

/// Types a line into the palette.
pub fn command(app: &mut App, line: &str) -> Vec<Request> {
    let mut sent = type_keys(app, &[":"]);
    sent.extend(type_text(app, line));
    sent.extend(type_keys(app, &["enter"]));
    sent
}

/// Time goes by up to then.
pub fn at(app: &mut App, ms: u64) -> Effects {
    app.update(Input::Tick, Duration::from_millis(ms))
}
