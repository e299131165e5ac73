//! Limits: any size, any key, any name; and what is written byte by byte.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use protocol::feed::Tone;
use ratatui::layout::Size;

use super::fixture::{
    Random, app, app_with, busy, event, feed, four, frame, info, key, many, row, screen, setup, snapshot, trouble,
    type_keys,
};
use crate::console::app::{App, Input, Setup};
use crate::console::color::Depth;
use crate::console::event_loop::Console;
use crate::console::link::Signal;
use crate::console::theme::Theme;

fn console(app: App) -> Console<Vec<u8>> {
    let size = Size { width: app.size.0, height: app.size.1 };
    Console::new(app, Vec::new(), Some(size), 10).expect("a console")
}

#[test]
fn no_size_panics() {
    let mut apps = vec![busy((80, 24)), app((80, 24))];
    for keys in [vec!["2"], vec!["enter"], vec!["K"], vec!["?"], vec!["t"], vec!["/"]] {
        let mut app = busy((80, 24));
        type_keys(&mut app, &keys);
        apps.push(app);
    }
    for app in &mut apps {
        for columns in (1..=250).step_by(13).chain([38, 39, 40, 41, 99, 100]) {
            for rows in (1..=80).step_by(7).chain([9, 10, 27, 28]) {
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
            ['K', 'd', 'C', 'm', 'r', 'x', 'j', 'k', 'G', 's', '/', '?', 't', ' ', '1', '2'][random.below(16) as usize],
        ),
        _ => KeyCode::Char(char::from(b' ' + random.below(95) as u8)),
    };
    KeyEvent::new(code, modifiers)
}

fn hammer(mut app: App, seed: u64, keys: u32) -> (u32, u32) {
    let mut random = Random(seed);
    let (mut changes, mut destructive) = (0, 0);
    for n in 0..keys {
        let now = Duration::from_secs(61) + Duration::from_millis(u64::from(n));
        for sent in app.update(Input::Key(random_key(&mut random)), now).send {
            changes += u32::from(sent.request.is_change());
            destructive += u32::from(sent.request.is_destructive());
        }
        if n % 50 == 0 {
            let position = 9_700 + u64::from(n);
            feed(&mut app, frame(position, 61_000 + u64::from(n)), 61_000 + u64::from(n));
        }
    }
    (changes, destructive)
}

#[test]
fn random_keys_never_destroy_anything() {
    let (changes, destructive) = hammer(busy((80, 24)), 1, 10_000);
    assert_eq!(destructive, 0);
    assert!(changes > 0, "the keys do reach what may be changed");
}

#[test]
fn random_keys_change_nothing_in_read_only_mode() {
    let mut app = app_with(Setup { read_only: true, ..setup() }, (80, 24));
    trouble(&mut app);
    assert_eq!(hammer(app, 2, 10_000), (0, 0));
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
    let kitchens = (0..300).map(|n| {
        let zone = if n % 50 == 0 { hostile(n) } else { "Harbor".to_owned() };
        (info(n, &format!("k{n:04}"), &hostile(n), &zone, 20), row(n, n % 11, 5))
    });
    let mut first = snapshot(9_000, kitchens.collect());
    if let Some(snapshot) = &mut first.snapshot {
        snapshot.city = hostile(3);
        snapshot.leader = hostile(4);
    }
    first.events = (0..40)
        .map(|n| event(9_000 + u64::from(n), 0, &hostile(n), Tone::Bad, &hostile(n + 1), &hostile(n + 2)))
        .collect();
    feed(&mut app, first, 0);
    app
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

#[test]
fn three_hundred_hostile_names_move_no_column() {
    for size in [(80, 24), (200, 60)] {
        let mut console = console(hostile_city(size));
        for page in 0..20 {
            let now = Duration::from_secs(page);
            console.take(Input::Key(key("pagedown")), now);
            console.draw_if_due(now).expect("drawn");
        }
        let played = play(console.terminal.backend().out(), size);
        let states = |text: &str| -> Vec<usize> {
            let columns =
                |line: &str| line.find("● alive").map(|at| unicode_width::UnicodeWidthStr::width(&line[..at]));
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
    assert!(stream(Setup { ascii: true, ..setup() }, &["2", "1", "K", "esc", "?", "esc", "t"]).is_ascii());
}

#[test]
fn ten_thousand_kitchens_fill_one_screen() {
    let mut app = app((200, 60));
    feed(&mut app, snapshot(9_000, many(10_000)), 0);
    assert!(screen(&app).contains("of 10000"));
}
