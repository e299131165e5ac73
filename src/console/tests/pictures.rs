//! The pictures in `docs/pictures`: every screen in four themes, made from the cells of the fixed city.
//!
//! `docs/make-pictures` writes them; without it this compares one, so that a change of a screen is not forgotten. No clock and
//! no terminal is in them, so the same sources give the same bytes.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::fixture::{app_with, setup, trouble, type_keys};
use crate::console::app::App;
use crate::console::theme::Theme;
use crate::console::view;

const SIZE: (u16, u16) = (120, 36);
/// A cell, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 12.0;
/// Themes, and what their terminals look like where the theme leaves the choice to them: text, background.
const THEMES: [(&str, &str, &str); 4] = [
    ("base-dark", "#d7dce4", "#16181d"),
    ("base-light", "#1f2328", "#fafafa"),
    ("nord", "#e5e9f0", "#2e3440"),
    ("mono", "#d0d0d0", "#101010"),
];
/// Screens and the keys that lead there.
const SCREENS: [(&str, &[&str]); 6] = [
    ("fleet", &[]),
    ("heat", &["H"]),
    ("flow", &["2"]),
    ("replay", &["4"]),
    ("ledger", &["5"]),
    ("kill", &["K", "k", "i", "t"]),
];

struct Paint {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

fn hex(color: Color, default: &str) -> String {
    match color {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => default.to_owned(),
    }
}

fn paint(cell: &Cell, (_, text, ground): (&str, &str, &str)) -> Paint {
    let (mut fg, mut bg) = (hex(cell.fg, text), (cell.bg != Color::Reset).then(|| hex(cell.bg, ground)));
    if cell.modifier.contains(Modifier::REVERSED) {
        (fg, bg) = (bg.unwrap_or_else(|| ground.to_owned()), Some(fg));
    }
    let has = |modifier| cell.modifier.contains(modifier);
    Paint { fg, bg, bold: has(Modifier::BOLD), dim: has(Modifier::DIM), underlined: has(Modifier::UNDERLINED) }
}

impl PartialEq for Paint {
    fn eq(&self, other: &Self) -> bool {
        (&self.fg, &self.bg, self.bold, self.dim, self.underlined)
            == (&other.fg, &other.bg, other.bold, other.dim, other.underlined)
    }
}

fn svg(app: &App, theme: (&str, &str, &str)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
    terminal.draw(|frame| view::draw(frame, app)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let ground = match app.theme.ground().bg {
        Some(color) => hex(color, theme.2),
        None => theme.2.to_owned(),
    };
    let (width, height) = (f64::from(SIZE.0) * CELL.0 + 2.0 * MARGIN, f64::from(SIZE.1) * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{ground}\"/>\n\
         <g font-family=\"ui-monospace,Menlo,DejaVu Sans Mono,monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for y in 0..SIZE.1 {
        let mut x = 0;
        while x < SIZE.0 {
            let look = paint(&buffer[(x, y)], theme);
            let (start, mut text) = (x, String::new());
            while x < SIZE.0 && paint(&buffer[(x, y)], theme) == look {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
            }
            run(&mut out, &look, &text, (start, x - start, y), &ground);
        }
    }
    out.push_str("</g></svg>\n");
    out
}

/// One run of cells that look alike.
fn run(out: &mut String, look: &Paint, text: &str, (x, columns, y): (u16, u16, u16), ground: &str) {
    let (left, top) = (MARGIN + f64::from(x) * CELL.0, MARGIN + f64::from(y) * CELL.1);
    let width = f64::from(columns) * CELL.0;
    if let Some(bg) = look.bg.as_ref().filter(|bg| *bg != ground) {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{bg}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let faint = if look.dim { " opacity=\"0.6\"" } else { "" };
    let under = if look.underlined { " text-decoration=\"underline\"" } else { "" };
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{weight}{faint}{under}>{escaped}</text>",
        top + 13.5,
        look.fg,
    );
}

fn picture(theme: (&str, &str, &str), keys: &[&str]) -> String {
    let setup = setup();
    let look = Theme::load(theme.0, setup.depth, setup.symbols).expect("a theme");
    let mut app = app_with(setup, SIZE);
    app.theme = look;
    trouble(&mut app);
    type_keys(&mut app, keys);
    svg(&app, theme)
}

fn place(theme: &str, screen: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures").join(format!("{screen}-{theme}.svg"))
}

#[test]
fn the_pictures_of_the_documentation_are_up_to_date() {
    if std::env::var_os("CHEF_PICTURES").is_some() {
        for theme in THEMES {
            for (screen, keys) in SCREENS {
                std::fs::write(place(theme.0, screen), picture(theme, keys)).expect("written");
            }
        }
    }
    let made = picture(THEMES[2], SCREENS[0].1);
    let kept = std::fs::read_to_string(place("nord", "fleet")).unwrap_or_default();
    assert!(made == kept, "docs/pictures is behind the screens: run docs/make-pictures");
}
