//! What is drawn where: the top, one screen or page, the footer, a dialog over all.
//!
//! ```text
//! top     who, link and age, kitchens by health, orders/s, p99, what waits       1 row
//! tabs    screens, alerts, and the proof                                         1 row
//! body    a screen, or a page over it
//! footer  keys that apply here, or a message                                     1 row
//! ```
//! A panel is `render(pen, model, area)` and draws nothing outside its area. Nothing here changes the model.

mod chart;
mod dialog;
mod drill;
mod events;
mod fleet;
mod flow;
mod footer;
mod heat;
mod kitchen;
pub mod layout;
mod ledger;
mod moves;
mod order;
mod order_form;
mod palette;
pub mod pen;
mod question;
mod recall;
mod replay;
mod spacetime;
pub mod text;
mod timeline;
mod top;
mod zones;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use self::pen::Pen;
use super::app::page::Page;
use super::app::{App, Screen};
use super::theme::Role;

/// Below this nothing can be read.
pub const SMALLEST: (u16, u16) = (40, 10);

/// What is drawn between the top and the footer, as text.
#[must_use]
pub fn text_of(app: &App) -> String {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let mut buffer = Buffer::empty(area);
    let mut pen = Pen::new(&mut buffer, &app.theme);
    let body = layout::body(area).intersection(area);
    screen(&mut pen, app, body);
    let mut text = String::new();
    for y in body.y..body.bottom() {
        let mut line = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(symbol.width()).unwrap_or(1).max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Whether a screen of so many columns and rows can be read.
#[must_use]
pub fn fits((columns, rows): (u16, u16)) -> bool {
    columns >= SMALLEST.0 && rows >= SMALLEST.1
}

/// Draws the whole picture.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let whole = frame.area();
    let mut pen = Pen::new(frame.buffer_mut(), &app.theme);
    pen.ground(whole);
    let area = Rect { height: whole.height.saturating_sub(app.deck_rows()), ..whole };
    if let Some(replay) = &app.replay {
        replay::scrubber(&mut pen, replay, Rect { y: area.bottom(), height: whole.height - area.height, ..whole });
    }
    if !fits((area.width, area.height)) {
        too_small(&mut pen, area);
        return;
    }
    top::render(&mut pen, app, Rect { height: 2, ..area });
    let body = layout::body(area);
    screen(&mut pen, app, body);
    if app.is_stale() || app.is_cut_off() {
        pen.wash(body, Role::Stale);
    }
    footer::render(&mut pen, app, Rect { y: area.bottom() - 1, height: 1, ..area });
    if let Some(over) = &app.dialog {
        let cursor = dialog::render(&mut pen, app, over, body);
        if let Some(at) = cursor {
            frame.set_cursor_position(at);
        }
    }
}

/// The screen, or the page over it.
fn screen(pen: &mut Pen<'_>, app: &App, body: Rect) {
    match (app.pages.last(), app.screen) {
        (Some(Page::Kitchen(page)), _) => kitchen::render(pen, app, page, body),
        (Some(Page::Order(page)), _) => order::render(pen, app, page, body),
        (None, Screen::Fleet) if app.heat => heat::render(pen, app, body),
        (None, Screen::Fleet) => fleet::render(pen, app, body),
        (None, Screen::Drill) => drill::render(pen, app, body),
        (None, Screen::Ledger) => ledger::render(pen, app, body),
        (None, Screen::Flow) => flow::render(pen, app, body),
        (None, Screen::Replay) => replay::render(pen, app, body),
    }
}

fn too_small(pen: &mut Pen<'_>, area: Rect) {
    let lines = [
        format!("{}x{} needed", SMALLEST.0, SMALLEST.1),
        format!("now {}x{}", area.width, area.height),
        "q quit".to_owned(),
    ];
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        pen.put(area.x, y, area.width, line, Role::Text);
    }
}
