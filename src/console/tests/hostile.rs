//! Hostile names on every screen, page and dialog, live and in a recording.

use std::sync::Arc;
use std::time::Duration;

use protocol::api::{Alert, BalancerView, HopKind, MoveResult};
use protocol::feed::{FeedMove, Frame, Tone};
use protocol::{OrderId, Position, WallTime};
use ratatui::layout::Size;
use unicode_width::UnicodeWidthStr;

use super::fixture::{
    NOON, Random, answer, app, balancer, event, feed, frame, info, key, moved, row, screen, snapshot,
};
use crate::console::app::{App, Input};
use crate::console::event_loop::Console;
use crate::console::link::{Answer, Request};
use crate::console::replay::Replay;
use crate::console::tape::{Fold, Record, Said, Told};
use crate::console::untrusted::Untrusted;

/// Names that try to leave their column.
fn hostile(n: u32) -> String {
    let pieces = [
        "\u{1b}[2J",
        "\u{1b}]52;c;AAAA\u{7}",
        "\u{9b}31m",
        "\r\n",
        "\u{8}\u{8}\u{8}",
        "\u{202e}abc",
        "\u{200b}\u{200d}",
        "寿司屋",
        "🍣🍜",
        "\u{1f1e9}\u{1f1ea}",
        "👩\u{200d}🍳",
        "👍\u{1f3fd}",
        "e\u{301}\u{301}\u{301}\u{301}\u{301}",
        "ﾊﾞ",
        "\u{e0041}",
        "क्षि",
        "ห้อง",
        "\t",
        "é",
        "x",
    ];
    let mut random = Random(u64::from(n));
    (0..1 + random.below(6)).map(|_| pieces[random.below(pieces.len() as u64) as usize]).collect()
}

/// The first picture of a city in which every text is hostile.
fn hostile_frame() -> Frame {
    let kitchens = (0..1_000).map(|n| {
        let zone = if n % 50 == 0 { hostile(n) } else { "Harbor".to_owned() };
        (info(n, &format!("k{n:04}"), &hostile(n), &zone, 20), row(n, n % 11, 5))
    });
    let mut first = snapshot(9_000, kitchens.collect());
    if let Some(snapshot) = &mut first.snapshot {
        snapshot.city = hostile(3);
        snapshot.leader = hostile(4);
        snapshot.dishes = (70..84).map(hostile).collect();
    }
    let kinds = ["drain_started", "cancelled", "stale_refused", "policy_changed"];
    first.events = (0..40)
        .map(|n| {
            let kind = if n % 2 == 0 { hostile(n) } else { kinds[(n / 2 % 4) as usize].to_owned() };
            let text = format!("{} by {}: {}", hostile(n + 2), hostile(n + 3), hostile(n + 4));
            event(9_000 + u64::from(n), 0, &kind, Tone::Bad, &hostile(n + 1), &text)
        })
        .collect();
    first.alerts = Some(vec![Alert { name: hostile(5), text: hostile(6).repeat(9), since: WallTime(NOON) }]);
    let balancer = |role: &str, n: u32| BalancerView {
        id: hostile(n),
        role: role.to_owned(),
        pid: 1,
        url: Some(hostile(n + 1)),
        position: Some(Position(9_000)),
    };
    first.balancers = Some(vec![balancer("leader", 7), balancer("standby", 9)]);
    first
}

pub(super) fn hostile_city(size: (u16, u16)) -> App {
    let mut app = app(size);
    feed(&mut app, hostile_frame(), 0);
    app
}

/// A balancer whose every text is hostile.
fn hostile_balancer(request: &Request) -> Option<Result<Answer, String>> {
    let answer = balancer(request)?;
    Some(match answer {
        Ok(Answer::Order(mut order)) => {
            (order.customer, order.failure) = (Some(hostile(11)), Some(hostile(12)));
            (order.zone, order.stays) = (hostile(13), Some(hostile(14)));
            order.stage.name = hostile(15);
            for (hop, n) in order.hops.iter_mut().zip(16..) {
                hop.reason = Some(hostile(n));
            }
            order.items[0].dish = hostile(18);
            Ok(Answer::Order(order))
        }
        Ok(Answer::History(mut history)) => {
            for (event, n) in history.events.iter_mut().zip(20..) {
                event.detail = format!("{} {}", event.detail, hostile(n));
            }
            history.events[0].event = hostile(29);
            Ok(Answer::History(history))
        }
        Ok(Answer::Explain(mut explain)) => {
            explain.excluded[0].why = hostile(30);
            explain.alternatives[0].rule = hostile(31);
            Ok(Answer::Explain(explain))
        }
        Ok(Answer::Kitchen(mut kitchen)) => {
            (kitchen.id, kitchen.note) = ("k0000".parse().expect("an id"), Some(hostile(32)));
            Ok(Answer::Kitchen(kitchen))
        }
        Ok(Answer::Done(_)) => Err(hostile(33)),
        other => other,
    })
}

/// Plays a stream on a terminal and takes it apart: our own sequences only.
fn play(stream: &[u8], size: (u16, u16)) -> String {
    let text = String::from_utf8(stream.to_vec()).expect("UTF-8");
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_control()) {
        let sequence = rest[at..]
            .strip_prefix("\u{1b}[")
            .unwrap_or_else(|| panic!("a stray control character: {:?}", &rest[at..][..8]));
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).expect("an end");
        let known = matches!(&sequence[end..=end], "H" | "C" | "m")
            || matches!(&sequence[..=end], "?2026h" | "?2026l" | "?25l" | "?25h" | "2J");
        assert!(known, "{:?}", &sequence[..=end]);
        rest = &sequence[end + 1..];
    }
    let mut terminal = vt100::Parser::new(size.1.try_into().expect("rows"), size.0.try_into().expect("columns"), 0);
    terminal.process(stream);
    terminal.screen().contents()
}

/// Every screen, page and dialog of a live city.
const LIVE: &[&[&str]] = &[
    &["1"],
    &["H", "j", "l"],
    &["H", "2"],
    &["3"],
    &["4"],
    &["5"],
    &["5", "tab", "j"],
    &["1", "enter"],
    &["esc", ":", "s", "h", "o", "w", "space", "o", "8", "1", "2", "enter"],
    &["w"],
    &["e"],
    &["5"],
    &["1", "K"],
    &["esc", "d", "tab", "tab", "x"],
    &["esc", "r", "down", "down", "right"],
    &["esc", "o", "2", "down", "3"],
    &["down", "down", "down", "down", "down", "down", "right", "right"],
    &["esc", "?"],
    &["esc", ":", "z"],
    &["esc", ":", "z", "o", "n", "e", "space"],
    &["esc", ":", "o", "r", "d", "e", "r", "space"],
    &["esc", "/", "é"],
    &["esc", "t"],
    &["esc", ":", "m", "i", "g", "r", "a", "t", "e", "space", "o", "8", "1", "2", "enter"],
];
/// The same of a recording.
const PLAYED: &[&[&str]] = &[
    &["1"],
    &["H", "j"],
    &["H", "2"],
    &["3"],
    &["4"],
    &["5", "tab", "tab"],
    &["1", "enter"],
    &["esc", ":", "k", "i", "t", "c", "h", "e", "n", "space", "k", "0", "0", "0", "0", "enter"],
    &["esc", ":", "s", "h", "o", "w", "space", "o", "8", "1", "2", "enter"],
    &["w"],
    &["e"],
    &["esc", ":", "s", "h", "o", "w", "space", "o", "9", "enter"],
    &["w"],
    &["esc", "?"],
    &["esc", ":", "z"],
];

/// A recording in which every text is hostile, loaded.
fn hostile_recording(size: (u16, u16)) -> App {
    let mut fold = Fold::default();
    let mut take = |t, said| fold.take(&Record { t, said });
    take(0, Said::Session(WallTime(NOON)));
    take(10, Said::Frame(Box::new(hostile_frame())));
    let mut next = frame(9_100, 900);
    next.moves = (0..40).map(|n| FeedMove { reason: hostile(n), ..recovered(9, n) }).collect();
    next.events = (0..20).map(|n| event(9_100, 900, &hostile(n), Tone::Bad, "o9", &hostile(n + 1))).collect();
    next.events.push(event(9_100, 900, "kitchen_lost", Tone::Bad, "k0003", &hostile(60)));
    take(900, Said::Frame(Box::new(next)));
    for asked in [Request::Order(OrderId(812)), Request::History(OrderId(812)), Request::Explain(OrderId(812))] {
        let answer = hostile_balancer(&asked).expect("an answer").expect("a good one");
        take(1_000, Said::Told(Box::new(Told::from(&answer).expect("it is recorded"))));
    }
    for n in 0..40 {
        take(1_100 + u64::from(n), Said::Mark(hostile(n)));
    }
    take(1_200, Said::Lost(hostile(61), 5_000));
    let replay = Replay {
        name: Untrusted::new(&hostile(62)),
        at: fold.t,
        length: 2_000,
        wall: WallTime(NOON + fold.t),
        quarters: 4,
        paused: true,
        damage: Some("byte 7 on: one line is not as it was written".to_owned()),
        keys: Arc::from([]),
        notes: fold.notes.clone(),
    };
    let mut app = app(size);
    app.load(fold, replay);
    app
}

fn recovered(order: u64, from: u32) -> FeedMove {
    moved(order, from, from + 1, HopKind::Recover, MoveResult::Done)
}

/// Draws an app at each stop, and hands each picture to `look`.
fn tour(size: (u16, u16), app: App, stops: &[&[&str]], mut look: impl FnMut(&[u8], &App)) {
    let mut console =
        Console::new(app, Vec::new(), Some(Size { width: size.0, height: size.1 }), 10).expect("a console");
    for (n, keys) in stops.iter().enumerate() {
        let now = Duration::from_secs(2 + n as u64);
        for key_name in *keys {
            console.take(Input::Key(key(key_name)), now);
        }
        answer(&mut console.app, hostile_balancer);
        console.redraw(now).expect("drawn");
        console.draw_if_due(now + Duration::from_secs(1)).expect("drawn");
        look(console.terminal.backend().out(), &console.app);
    }
}

fn tours(size: (u16, u16), mut look: impl FnMut(&[u8], &App)) {
    tour(size, hostile_city(size), LIVE, &mut look);
    tour(size, hostile_recording(size), PLAYED, &mut look);
}

#[test]
fn a_thousand_hostile_names_leave_their_column_on_no_screen() {
    for size in [(80, 24), (120, 36), (200, 60), (40, 10)] {
        tours(size, |stream, app| {
            let played = play(stream, size);
            let meant = screen(app);
            let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
            let (played, meant) = (trimmed(&played), trimmed(&meant));
            for (line, wanted) in played.iter().zip(&meant) {
                // A border that moved is a name that left its column.
                let borders = |line: &str| {
                    let at = |(at, _): (usize, &str)| UnicodeWidthStr::width(&line[..at]);
                    line.match_indices('│').map(at).collect::<Vec<_>>()
                };
                assert_eq!(borders(line), borders(wanted), "{size:?}\n{line}\n{wanted}");
            }
        });
    }
}

#[test]
fn what_is_copied_has_no_hidden_character() {
    tours((120, 36), |_, app| {
        let mut app = app.clone();
        for name in ["y", "Y"] {
            let now = app.now;
            if let Some(copied) = app.update(Input::Key(key(name)), now).copy {
                let stray = |c: char| protocol::text::is_hidden(c) && !matches!(c, '\n' | '\t');
                assert!(!copied.text.chars().any(stray), "{:?}", copied.text);
            }
        }
    });
}

#[test]
fn a_thousand_hostile_names_move_no_column_of_the_table() {
    for size in [(80, 24), (200, 60)] {
        let mut console =
            Console::new(hostile_city(size), Vec::new(), Some(Size { width: size.0, height: size.1 }), 10)
                .expect("a console");
        for page in 0..20 {
            let now = Duration::from_secs(page);
            console.take(Input::Key(key("pagedown")), now);
            console.draw_if_due(now).expect("drawn");
        }
        let played = play(console.terminal.backend().out(), size);
        let states = |text: &str| -> Vec<usize> {
            let columns = |line: &str| line.find("● alive").map(|at| UnicodeWidthStr::width(&line[..at]));
            text.lines().filter_map(columns).collect()
        };
        let found = states(&played);
        assert!(found.len() > 10, "{played}");
        assert!(found.iter().all(|column| *column == found[0]), "{found:?}\n{played}");
        assert_eq!(found, states(&screen(&console.app)), "what is drawn is what is meant");
    }
}
