//! Limits: any size, any key; and what is written byte by byte. Names are in `hostile.rs`.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use super::fixture::{
    Random, answer, app, app_with, balancer, busy, feed, four, frame, key, many, row, screen, setup, snapshot,
    tell_all, trouble, type_keys, type_text,
};
use super::hostile::hostile_city;
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
    let screens = [
        vec!["2"],
        vec!["enter"],
        vec!["K"],
        vec!["?"],
        vec!["t"],
        vec!["/"],
        vec!["H"],
        vec!["3"],
        vec!["4"],
        vec!["o"],
    ];
    let ledger = [vec!["5"], vec!["5", "tab"], vec!["5", "tab", "tab"], vec!["r"], vec!["d"], vec![":", "d", "r"]];
    for keys in screens.into_iter().chain(ledger) {
        let mut app = busy((80, 24));
        type_keys(&mut app, &keys);
        apps.push(app);
    }
    for line in ["line o812", "explain o812", "show o812", "migrate o812"] {
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
    for name in ["C", "r", "d", "K", "?", "enter", "2", ":", "m", "o"] {
        let effects = app.update(Input::Key(key(name)), Duration::from_secs(61));
        assert!(effects.send.is_empty() && !effects.quit && app.dialog.is_none() && app.pages.is_empty(), "{name}");
    }
    app.update(Input::Paste("kitchen_1".to_owned()), Duration::from_secs(61));
    assert!(app.update(Input::Key(key("q")), Duration::from_secs(61)).quit);
}

#[test]
fn a_dialog_on_a_screen_that_became_too_small_takes_no_key() {
    let mut app = busy((80, 24));
    type_keys(&mut app, &["d", "right"]);
    let now = app.now;
    app.update(Input::Resize(39, 24), now);
    assert!(type_keys(&mut app, &["enter", "x"]).is_empty());
    app.update(Input::Resize(80, 24), now);
    assert!(app.dialog.is_some() && screen(&app).contains("[ Drain it ]"), "{}", screen(&app));
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
const COMMANDS: [&str; 11] = [
    "kill kitchen_1",
    "cancel o812",
    "drain kitchen_2 --force",
    "cordon kitchen_2",
    "release o812",
    "migrate o812 kitchen_2",
    "rush --rate 9",
    "rush stop",
    "order pizza:2 --zone Harbor",
    "policy --steal false",
    "show o812",
];

/// What was sent: changes, destructive ones, and those of them without the name typed before.
fn hammer(mut app: App, seed: u64, keys: u32) -> (u32, u32) {
    let mut random = Random(seed);
    let (mut changes, mut destructive) = (0, 0);
    for n in 0..keys {
        let now = Duration::from_secs(61) + Duration::from_millis(u64::from(n));
        let mut inputs = vec![Input::Key(random_key(&mut random))];
        if n % 97 == 0 {
            let line = COMMANDS[random.below(11) as usize];
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
