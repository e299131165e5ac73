//! What is drawn where: the top, one screen or page, the footer, a dialog over all.
//!
//! ```text
//! top     who, link and age, kitchens by health, orders/s, p99, dropped          1 row
//! tabs    screens, frozen, and the proof                                         1 row
//! body    a screen, or a page over it
//! footer  keys that apply here, or a message                                     1 row
//! ```
//! A panel is `render(pen, model, area)` and draws nothing outside its area. Nothing here changes the model.

mod chart;
mod dialog;
mod events;
mod fleet;
mod flow;
mod footer;
mod kitchen;
pub mod layout;
mod moves;
mod order;
pub mod pen;
pub mod text;
mod timeline;
mod top;
mod zones;

use ratatui::Frame;
use ratatui::layout::Rect;

use self::pen::Pen;
use super::app::page::Page;
use super::app::{App, Screen};
use super::theme::Role;

/// Below this nothing can be read.
pub const SMALLEST: (u16, u16) = (40, 10);

/// Draws the whole picture.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    let mut pen = Pen::new(frame.buffer_mut(), &app.theme);
    pen.ground(area);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(&mut pen, area);
        return;
    }
    top::render(&mut pen, app, Rect { height: 2, ..area });
    let body = layout::body(area);
    match (app.pages.last(), app.screen) {
        (Some(Page::Kitchen(page)), _) => kitchen::render(&mut pen, app, page, body),
        (Some(Page::Order(page)), _) => order::render(&mut pen, app, page, body),
        (None, Screen::Fleet) => fleet::render(&mut pen, app, body),
        (None, Screen::Flow) => flow::render(&mut pen, app, body),
    }
    if app.is_stale() {
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
