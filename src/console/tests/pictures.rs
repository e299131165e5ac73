//! The pictures in `docs/pictures`: every screen in four themes, made from the cells of a made-up city.
//!
//! `docs/make-pictures` writes them; without it this compares one, so that a change of a screen is not forgotten. No clock and
//! no terminal is in them, so the same sources give the same bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::WallTime;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::fixture::{NOON, answer, app_with, balancer, feed, many, setup, snapshot, trouble, type_keys};
use super::gallery;
use super::svg::{Ground, svg};
use crate::console::app::{App, Input};
use crate::console::replay::Replay;
use crate::console::tape::{Notes, Record, Said};
use crate::console::theme::Theme;
use crate::console::untrusted::Untrusted;
use crate::console::view;

const SIZE: (u16, u16) = (120, 36);
/// Themes, and what their terminals look like where the theme leaves the choice to them.
const THEMES: [(&str, Ground); 4] = [
    ("base-dark", Ground { text: "#d7dce4", back: "#16181d" }),
    ("base-light", Ground { text: "#1f2328", back: "#fafafa" }),
    ("nord", Ground { text: "#e5e9f0", back: "#2e3440" }),
    ("mono", Ground { text: "#d0d0d0", back: "#101010" }),
];
/// Screens and the keys that lead there.
const SCREENS: [(&str, &[&str]); 12] = [
    ("fleet", &[]),
    ("heat", &["H"]),
    ("flow", &["2"]),
    ("drill", &["3"]),
    ("replay", &["4"]),
    ("ledger", &["5"]),
    ("kitchen", &["enter"]),
    ("why", &[":", "e", "x", "p", "l", "a", "i", "n", "space", "o", "8", "1", "2", "enter"]),
    ("line", &[":", "l", "i", "n", "e", "space", "o", "8", "1", "2", "enter"]),
    ("kill", &["K", "k", "i", "t"]),
    ("palette", &[":", "d", "r"]),
    ("help", &["?"]),
];

fn recording() -> Replay {
    Replay {
        name: Untrusted::new("friday.chef"),
        at: 298_000,
        length: 300_000,
        wall: WallTime(NOON + 298_000),
        quarters: 8,
        paused: false,
        damage: None,
        keys: Arc::from(Vec::new()),
        notes: notes(),
    }
}

/// What the recorder wrote beside the frames.
fn notes() -> Notes {
    let mut notes = Notes::default();
    let typed = "kitchen_3".chars().map(|letter| (266_000, Said::Key(letter.to_string())));
    let said = [
        (1_000, Said::Mark("friday drill".to_owned())),
        (205_000, Said::Key("r".to_owned())),
        (265_400, Said::Key("K".to_owned())),
    ];
    let later = [
        (266_800, Said::Key("enter".to_owned())),
        (268_300, Said::Mark("kitchen_3 killed".to_owned())),
        (285_000, Said::Key("d".to_owned())),
    ];
    for (t, said) in said.into_iter().chain(typed).chain(later) {
        notes.take(&Record { t, said });
    }
    notes
}

fn picture((theme, ground): (&str, Ground), (screen, keys): (&str, &[&str])) -> String {
    let setup = setup();
    let look = Theme::load(theme, setup.depth, setup.symbols).expect("a theme");
    let mut app = app_with(setup, SIZE);
    app.theme = look;
    match screen {
        "heat" => {
            feed(&mut app, snapshot(9_000, many(1_000)), 0);
        }
        // Pages are told by the answers of a smaller city.
        "kitchen" | "why" | "line" | "kill" => trouble(&mut app),
        _ => gallery::fill(&mut app),
    }
    if screen == "replay" {
        app.size.1 -= 1;
        let now = app.now;
        app.update(Input::Deck(Box::new(recording())), now);
    }
    type_keys(&mut app, keys);
    // A page asks, and what it is told may lead to another question.
    for _ in 0..3 {
        answer(&mut app, balancer);
        let now = app.now;
        app.update(Input::Tick, now);
    }
    draw(&app, ground)
}

fn draw(app: &App, ground: Ground) -> String {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
    terminal.draw(|frame| view::draw(frame, app)).expect("drawn");
    svg(terminal.backend().buffer(), app.theme.ground().bg, ground)
}

fn place(theme: &str, screen: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(format!("{screen}-{theme}.svg"))
}

#[test]
fn the_pictures_of_the_documentation_are_up_to_date() {
    if std::env::var_os("CHEF_PICTURES").is_some() {
        for theme in THEMES {
            for screen in SCREENS {
                std::fs::write(place(theme.0, screen.0), picture(theme, screen)).expect("written");
            }
        }
    }
    for (theme, screen) in [(THEMES[0], SCREENS[0]), (THEMES[1], SCREENS[2]), (THEMES[2], SCREENS[5])] {
        let kept = std::fs::read_to_string(place(theme.0, screen.0)).unwrap_or_default();
        assert!(picture(theme, screen) == kept, "docs/pictures is behind the screens: run docs/make-pictures");
    }
}
