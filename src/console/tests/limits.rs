//! Limits: any size, any key, any name; and what is written byte by byte.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::api::{Alert, BalancerView};
use protocol::feed::Tone;
use protocol::{Position, WallTime};
use ratatui::layout::Size;
use unicode_width::UnicodeWidthStr;

use super::fixture::{
    NOON, Random, answer, app, app_with, balancer, busy, event, feed, four, frame, info, key, many, row, screen, setup,
    snapshot, tell_all, trouble, type_keys, type_text,
};
use crate::console::app::{App, Input, Setup};
use crate::console::color::Depth;
use crate::console::event_loop::Console;
use crate::console::link::{Answer, Request, Signal};
use crate::console::theme::Theme;

fn console(app: App) -> Console<Vec<u8>> {
    let size = Size { width: app.size.0, height: app.size.1 };
    Console::new(app, Vec::new(), Some(size), 10).expect("a console")
}

#[test]
fn no_size_panics() {
    let mut apps = vec![busy((80, 24)), app((80, 24))];
    let screens =
        [vec!["2"], vec!["enter"], vec!["K"], vec!["?"], vec!["t"], vec!["/"], vec!["H"], vec!["3"], vec!["4"]];
    let ledger = [vec!["5"], vec!["5", "tab"], vec!["5", "tab", "tab"], vec!["r"], vec!["d"], vec![":", "d", "r"]];
    for keys in screens.into_iter().chain(ledger) {
        let mut app = busy((80, 24));
        type_keys(&mut app, &keys);
        apps.push(app);
    }
    for line in ["line o812", "explain o812", "order o812", "migrate o812"] {
        let mut app = busy((80, 24));
        tell_all(&mut app);
        type_keys(&mut app, &[":"]);
        type_text(&mut app, line);
        type_keys(&mut app, &["enter"]);
        answer(&mut app, balancer);
        apps.push(app);
    }
    for app in &mut apps {
        for columns in (1..=250).step_by(41).chain([39, 40, 75, 76, 99, 100, 160]) {
            for rows in (1..=80).step_by(13).chain([9, 10, 12, 27, 28, 60]) {
                let now = app.now;
                app.update(Input::Resize(columns, rows), now);
                screen(app);
            }
        }
    }
}

#[test]
fn a_screen_that_is_too_small_says_what_is_needed_and_leaves_on_q() {
    let mut app = busy((39, 10));
    assert!(screen(&app).contains("40x10 needed"));
    assert!(app.update(Input::Key(key("q")), Duration::from_secs(61)).quit);
}

/// Keys of every kind; the letters of the kitchens' ids are among them.
fn random_key(random: &mut Random) -> KeyEvent {
    let modifiers = match random.below(12) {
        0 => KeyModifiers::CONTROL,
        1 => KeyModifiers::ALT,
        2 => KeyModifiers::SHIFT,
        _ => KeyModifiers::NONE,
    };
    let codes = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Backspace,
    ];
    let code = match random.below(10) {
        0..=3 => codes[random.below(8) as usize],
        4..=6 => KeyCode::Char(
            [
                'K', 'd', 'C', 'm', 'r', 'x', 'j', 'k', 'G', 's', '/', '?', 't', ' ', '1', '2', '5', ':', '.', 'u',
                'H', 'R', 'e', 'w', 'y', 'Y', 'M', 'l',
            ][random.below(28) as usize],
        ),
        _ => KeyCode::Char(char::from(b' ' + random.below(95) as u8)),
    };
    KeyEvent::new(code, modifiers)
}

/// Commands that would change something; now and then one is typed, or the balancer answers.
const COMMANDS: [&str; 10] = [
    "kill kitchen_1",
    "cancel o812",
    "drain kitchen_2 --force",
    "cordon kitchen_2",
    "release o812",
    "migrate o812 kitchen_2",
    "rush --rate 9",
    "rush stop",
    "policy --steal false",
    "order o812",
];

/// What was sent: changes, destructive ones, and those of them without the name typed before.
fn hammer(mut app: App, seed: u64, keys: u32) -> (u32, u32) {
    let mut random = Random(seed);
    let (mut changes, mut destructive) = (0, 0);
    for n in 0..keys {
        let now = Duration::from_secs(61) + Duration::from_millis(u64::from(n));
        let mut inputs = vec![Input::Key(random_key(&mut random))];
        if n % 97 == 0 {
            let line = COMMANDS[random.below(10) as usize];
            let typed = line.chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
            let whole = [key("esc"), key(":")].into_iter().chain(typed).chain([key("enter")]);
            inputs.extend(whole.map(Input::Key));
        }
        for input in inputs {
            for sent in app.update(input, now).send {
                changes += u32::from(sent.request.is_change());
                destructive += u32::from(sent.request.is_destructive());
            }
        }
        if n % 50 == 0 {
            for request in answer(&mut app, balancer) {
                changes += u32::from(request.is_change());
                destructive += u32::from(request.is_destructive());
            }
            let position = 9_700 + u64::from(n);
            feed(&mut app, frame(position, 61_000 + u64::from(n)), 61_000 + u64::from(n));
        }
    }
    (changes, destructive)
}

#[test]
fn random_keys_never_destroy_anything() {
    let (changes, destructive) = hammer(busy((80, 24)), 1, 100_000);
    assert_eq!(destructive, 0);
    assert!(changes > 100, "the keys do reach what may be changed: {changes}");
}

#[test]
fn random_keys_change_nothing_in_read_only_mode() {
    let mut app = app_with(Setup { read_only: true, ..setup() }, (80, 24));
    trouble(&mut app);
    assert_eq!(hammer(app, 2, 100_000), (0, 0));
}

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

fn hostile_city(size: (u16, u16)) -> App {
    let mut app = app(size);
    let kitchens = (0..1_000).map(|n| {
        let zone = if n % 50 == 0 { hostile(n) } else { "Harbor".to_owned() };
        (info(n, &format!("k{n:04}"), &hostile(n), &zone, 20), row(n, n % 11, 5))
    });
    let mut first = snapshot(9_000, kitchens.collect());
    if let Some(snapshot) = &mut first.snapshot {
        snapshot.city = hostile(3);
        snapshot.leader = hostile(4);
    }
    let kinds = ["drain_started", "cancelled", "stale_refused", "policy_changed"];
    first.events = (0..40)
        .map(|n| {
            let kind = if n % 2 == 0 { hostile(n) } else { kinds[(n / 2 % 4) as usize].to_owned() };
            let text = format!("{} by {}: {}", hostile(n + 2), hostile(n + 3), hostile(n + 4));
            event(9_000 + u64::from(n), 0, &kind, Tone::Bad, &hostile(n + 1), &text)
        })
        .collect();
    first.alerts = Some(vec![Alert { code: hostile(5), text: hostile(6).repeat(9), since: WallTime(NOON) }]);
    let balancer = |role: &str, n: u32| BalancerView {
        id: hostile(n),
        role: role.to_owned(),
        pid: 1,
        url: Some(hostile(n + 1)),
        position: Some(Position(9_000)),
    };
    first.balancers = Some(vec![balancer("leader", 7), balancer("standby", 9)]);
    feed(&mut app, first, 0);
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
        let known = matches!(&sequence[end..=end], "H" | "m")
            || matches!(&sequence[..=end], "?2026h" | "?2026l" | "?25l" | "?25h" | "2J");
        assert!(known, "{:?}", &sequence[..=end]);
        rest = &sequence[end + 1..];
    }
    let mut terminal = vt100::Parser::new(size.1.try_into().expect("rows"), size.0.try_into().expect("columns"), 0);
    terminal.process(stream);
    terminal.screen().contents()
}

/// Draws every screen, page and dialog of the city, and hands each picture to `look`.
fn tour(size: (u16, u16), mut look: impl FnMut(&[u8], &App)) {
    let stops: [&[&str]; 13] = [
        &["1"],
        &["H", "j", "l"],
        &["H", "2"],
        &["3"],
        &["5"],
        &["5", "tab", "j"],
        &["1", "enter"],
        &["esc", ":", "o", "r", "d", "e", "r", "space", "o", "8", "1", "2", "enter"],
        &["w"],
        &["e"],
        &["5"],
        &["1", "K"],
        &["esc", ":", "z"],
    ];
    let mut console = console(hostile_city(size));
    for (n, keys) in stops.iter().enumerate() {
        for key_name in *keys {
            console.take(Input::Key(key(key_name)), Duration::from_secs(n as u64));
        }
        answer(&mut console.app, hostile_balancer);
        console.redraw().expect("drawn");
        console.draw_if_due(Duration::from_secs(n as u64 + 1)).expect("drawn");
        look(console.terminal.backend().out(), &console.app);
    }
}

#[test]
fn a_thousand_hostile_names_leave_their_column_on_no_screen() {
    for size in [(80, 24), (120, 36), (200, 60), (40, 10)] {
        tour(size, |stream, app| {
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
    tour((120, 36), |_, app| {
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
        let mut console = console(hostile_city(size));
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

#[test]
fn an_idle_console_writes_nothing() {
    let mut console = console({
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, four()), 0);
        app
    });
    console.draw_if_due(Duration::ZERO).expect("drawn");
    let before = console.terminal.backend().written();
    assert!(before.frames == 1 && before.bytes > 0);
    let mut wakes = 0;
    for second in 1..=10_u64 {
        let mut now = Duration::from_secs(second);
        let keep_alive = frame(9_000, second * 1_000);
        console.take(Input::Signal(Signal::Frame(Box::new(keep_alive))), now);
        console.draw_if_due(now).expect("drawn");
        while let Some(wake) = console.app.wake_at().filter(|wake| *wake < Duration::from_secs(second + 1)) {
            now = now.max(wake);
            console.take(Input::Tick, now);
            console.draw_if_due(now).expect("drawn");
            wakes += 1;
            assert!(wakes < 20, "at most one wake-up of ours a second");
        }
    }
    assert_eq!(console.terminal.backend().written(), before);
    assert!(wakes <= 10, "{wakes}");
}

#[test]
fn a_frame_is_one_balanced_write_and_a_change_is_small() {
    let mut console = console(busy((120, 36)));
    let now = Duration::from_secs(61);
    console.take(Input::Tick, now);
    console.draw_if_due(now).expect("drawn");
    let first = console.terminal.backend().written();
    let mut change = frame(9_800, 61_050);
    change.kitchens = vec![row(0, 1, 5)];
    console.take(Input::Signal(Signal::Frame(Box::new(change))), now + Duration::from_millis(50));
    assert!(!console.draw_if_due(now + Duration::from_millis(50)).expect("not yet"), "within the slot");
    assert!(console.draw_if_due(now + Duration::from_millis(100)).expect("drawn"));
    let second = console.terminal.backend().written();
    assert_eq!(second.frames, 2);
    assert!(second.bytes - first.bytes < 600, "{}", second.bytes - first.bytes);
    let text = String::from_utf8(console.terminal.backend().out().clone()).expect("UTF-8");
    assert_eq!(text.matches("\u{1b}[?2026h").count(), 2);
    assert_eq!(text.matches("\u{1b}[?2026l").count(), 2);
    assert!(text.starts_with("\u{1b}[?2026h") && text.ends_with("\u{1b}[?2026l"));
}

fn stream(setup: Setup, keys: &[&str]) -> Vec<u8> {
    let mut app = app_with(setup, (120, 36));
    trouble(&mut app);
    let mut console = console(app);
    for (n, name) in keys.iter().enumerate() {
        let now = Duration::from_secs(61) + Duration::from_millis(n as u64);
        console.take(Input::Key(key(name)), now);
        console.draw_if_due(now).expect("drawn");
    }
    console.terminal.backend().out().clone()
}

#[test]
fn without_colour_no_colour_sequence_is_written_and_every_state_has_its_word() {
    let stream = stream(Setup { depth: Depth::None, ..setup() }, &["j", "2", "1", "K", "esc", "?"]);
    let text = String::from_utf8(stream).expect("UTF-8");
    for sequence in text.split("\u{1b}[").filter_map(|rest| {
        rest.split_once('m').filter(|(codes, _)| codes.bytes().all(|b| b.is_ascii_digit() || b == b';'))
    }) {
        assert!(
            sequence.0.split(';').all(|code| matches!(code, "0" | "1" | "2" | "3" | "4" | "7")),
            "{:?}",
            sequence.0
        );
    }
    for word in ["HOT", "suspected", "DEAD", "draining"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn ascii_writes_no_byte_above_0x7f() {
    let mut hostile = hostile_city((120, 36));
    hostile.theme = Theme::fallback(Depth::Rgb, true);
    let mut console = console(hostile);
    console.draw_if_due(Duration::ZERO).expect("drawn");
    assert!(console.terminal.backend().out().is_ascii());
    assert!(
        stream(
            Setup { symbols: crate::console::symbols::Symbols::Ascii, ..setup() },
            &["2", "1", "K", "esc", "?", "esc", "t"]
        )
        .is_ascii()
    );
}

#[test]
fn ten_thousand_kitchens_fill_one_screen() {
    let mut app = app((200, 60));
    feed(&mut app, snapshot(9_000, many(10_000)), 0);
    assert!(screen(&app).contains("of 10000"));
}
