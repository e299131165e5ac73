//! The mouse, where it is switched on: a click selects, the wheel scrolls.
//!
//! Owns the way from a place on the screen to a row. Never changes anything in the system: a click is never an action.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::ledger::Pane;
use super::page::Page;
use super::{App, Effects, Screen, heat};
use crate::console::view::{self, layout};

/// Rows a turn of the wheel goes.
const WHEEL: isize = 3;

impl App {
    pub(super) fn point(&mut self, event: MouseEvent, effects: &mut Effects) {
        if !self.mouse || self.dialog.is_some() || !view::fits(self.size) {
            return;
        }
        effects.urgent = true;
        self.take_fresh();
        match event.kind {
            MouseEventKind::ScrollDown => self.go(WHEEL),
            MouseEventKind::ScrollUp => self.go(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) => self.click(event.column, event.row),
            _ => return,
        }
        effects.dirty = true;
    }

    fn click(&mut self, x: u16, y: u16) {
        if y == 1 {
            if let Some(screen) = layout::tab_at(self.size, self.screen, x) {
                self.show(screen);
            }
            return;
        }
        let body = layout::body(Rect::new(0, 0, self.size.0, self.size.1));
        if self.pages.is_empty() {
            match self.screen {
                Screen::Fleet if self.heat => self.click_cell(body, x, y),
                Screen::Fleet => self.click_row(body, y),
                Screen::Ledger => self.click_line(body, x, y),
                Screen::Flow | Screen::Drill | Screen::Replay => {}
            }
        } else if let Some(Page::Kitchen(page)) = self.pages.last_mut() {
            let rows = layout::kitchen_orders(body);
            let top = page.at.saturating_sub(usize::from(rows.height).saturating_sub(1));
            if (rows.y..rows.bottom()).contains(&y) {
                let row = top + usize::from(y - rows.y);
                page.go(row.cast_signed() - page.at.cast_signed());
            }
        }
    }

    fn click_row(&mut self, body: Rect, y: u16) {
        let panels = layout::fleet(body, self.city().kitchens.len(), self.city().zones.len());
        let first = panels.table.y + if panels.framed { 2 } else { 1 };
        let last = panels.table.bottom() - u16::from(panels.framed);
        if (first..last).contains(&y) {
            let row = self.rows.top + usize::from(y - first);
            if row < self.rows.shown.len() {
                self.go(row.cast_signed() - self.rows.at.cast_signed());
            }
        }
    }

    fn click_cell(&mut self, body: Rect, x: u16, y: u16) {
        let cells = layout::heat(body).cells;
        if !cells.contains((x, y).into()) {
            return;
        }
        let lines = self.cell_lines();
        let at = self.cursor_cell().and_then(|kitchen| heat::find(&lines, kitchen)).map_or(0, |(line, _)| line);
        let size = self.cell_size();
        let top = heat::top(lines.len(), at, usize::from(cells.height / size.rows));
        let line = lines.get(top + usize::from((y - cells.y) / size.rows));
        if let Some(kitchen) = line.and_then(|line| line.cells.get(usize::from((x - cells.x) / size.columns))) {
            self.select(*kitchen);
        }
    }

    fn click_line(&mut self, body: Rect, x: u16, y: u16) {
        let panels = layout::ledger(body, self.ledger.pane);
        for (pane, area) in [(Pane::Audit, panels.audit), (Pane::Events, panels.events)] {
            let Some(area) = area.filter(|area| area.contains((x, y).into())) else { continue };
            self.ledger.pane = pane;
            let first = area.y + 1;
            let last = area.bottom() - u16::from(panels.framed);
            if (first..last).contains(&y) {
                // The pane with the hands keeps up to two rows for its selected line.
                let room = usize::from(last - first).saturating_sub(2);
                let at = if pane == Pane::Audit { self.ledger.audit_at } else { self.ledger.events_at };
                let wanted = layout::list_top(at, room) + usize::from(y - first);
                self.go(wanted.cast_signed() - at.cast_signed());
            }
            return;
        }
    }
}
