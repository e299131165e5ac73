//! Every kitchen as one cell, by zone: how large the cells are, where they are, and how the cursor goes from one to the next.
//!
//! Pure functions of the rows that pass the filter and of the width. The cursor is the table's own selection, so a page
//! opened from a cell and the table below agree.
//!
//! Owns the sizes and the ways of the cursor. Never draws.

use super::App;
use super::city::City;
use super::rows::natural;
use crate::console::view::layout;
use ratatui::layout::Rect;

/// Columns of the zone's name on the left.
pub const LABEL: u16 = 12;

/// How large every cell is, with its gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Columns of the kitchen's short name; 0: there is no room for it.
    pub name: u16,
    /// Whether there is room for its load as a figure.
    pub figure: bool,
}

/// The most columns of a short name.
const SHORT: u16 = 8;

/// `kitchen_13` is `k13` where it stands among its neighbours.
#[must_use]
pub fn short(id: &str) -> String {
    let number = id.trim_start_matches(|c: char| !c.is_ascii_digit());
    let tail = if number.chars().all(|c| c.is_ascii_digit()) { number } else { "" };
    if tail.is_empty() {
        return id.chars().take(SHORT.into()).collect();
    }
    id.chars().take(1).filter(|c| !c.is_ascii_digit()).chain(tail.chars()).take(SHORT.into()).collect()
}

/// The largest cells with which all kitchens are on the screen, in so many columns and rows.
#[must_use]
pub fn size(city: &City, order: &[usize], (width, height): (u16, u16)) -> Size {
    let names = order.iter().map(|at| short(city.kitchens[*at].id.as_str()).len()).max().unwrap_or(1);
    let name = u16::try_from(names).unwrap_or(SHORT);
    let wanted = [
        Size { columns: name + 7, rows: 1, name, figure: true },
        Size { columns: name + 2, rows: 1, name, figure: false },
        Size { columns: 2, rows: 1, name: 0, figure: false },
    ];
    let lines = |size: &Size| u16::try_from(lines(city, order, width / size.columns).len()).unwrap_or(u16::MAX);
    let smallest = Size { columns: 1, rows: 1, name: 0, figure: false };
    let size = wanted.into_iter().find(|size| size.columns <= width && lines(size) <= height).unwrap_or(smallest);
    let rows = if size.figure { (height / lines(&size).max(1)).clamp(1, 3) } else { 1 };
    Size { rows, ..size }
}

impl App {
    /// How large the cells on the screen are.
    #[must_use]
    pub fn cell_size(&self) -> Size {
        let cells = layout::heat(layout::body(Rect::new(0, 0, self.size.0, self.size.1))).cells;
        let city = self.city();
        size(city, &by_zone(city, &self.rows.shown), (cells.width, cells.height))
    }
}

/// One line of cells, all of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellLine {
    /// The zone, as an index into the city's.
    pub zone: usize,
    /// Whether the zone begins here.
    pub first: bool,
    /// The kitchens, as indexes into the city's.
    pub cells: Vec<usize>,
}

/// The kitchens by zone, and by name within it.
#[must_use]
pub fn by_zone(city: &City, shown: &[usize]) -> Vec<usize> {
    let mut order = shown.to_vec();
    order.sort_by(|one, other| {
        let (one, other) = (&city.kitchens[*one], &city.kitchens[*other]);
        one.zone.cmp(&other.zone).then_with(|| natural(one.id.as_str(), other.id.as_str()))
    });
    order
}

/// The lines of cells at a width; `order` is [`by_zone`].
#[must_use]
pub fn lines(city: &City, order: &[usize], width: u16) -> Vec<CellLine> {
    let cells = usize::from(width).max(1);
    let same_zone = |one: &usize, other: &usize| city.kitchens[*one].zone == city.kitchens[*other].zone;
    let mut lines = Vec::new();
    for zone in order.chunk_by(same_zone) {
        for (at, part) in zone.chunks(cells).enumerate() {
            lines.push(CellLine { zone: city.kitchens[part[0]].zone, first: at == 0, cells: part.to_vec() });
        }
    }
    lines
}

/// Where a kitchen's cell is: line and column.
#[must_use]
pub fn find(lines: &[CellLine], kitchen: usize) -> Option<(usize, usize)> {
    let column = |line: &CellLine| line.cells.iter().position(|cell| *cell == kitchen);
    lines.iter().enumerate().find_map(|(at, line)| column(line).map(|column| (at, column)))
}

/// The first line shown so that the cursor's line is.
#[must_use]
pub fn top(lines: usize, cursor: usize, room: usize) -> usize {
    let room = room.max(1);
    if lines <= room { 0 } else { cursor.saturating_sub(room / 2).min(lines - room) }
}

/// The kitchen a step away: by cells along the lines, by lines in the same column.
#[must_use]
pub fn step(lines: &[CellLine], from: usize, cells: isize, down: isize) -> Option<usize> {
    let (line, column) = find(lines, from)?;
    if cells != 0 {
        let all: Vec<usize> = lines.iter().flat_map(|line| line.cells.iter().copied()).collect();
        let at = all.iter().position(|cell| *cell == from)?;
        return all.get(at.saturating_add_signed(cells).min(all.len() - 1)).copied();
    }
    let line = line.saturating_add_signed(down).min(lines.len() - 1);
    let cells = &lines[line].cells;
    cells.get(column.min(cells.len() - 1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{app, feed, many, snapshot};

    #[test]
    fn every_kitchen_has_one_cell_and_the_cursor_reaches_all() {
        let mut app = app((80, 24));
        feed(&mut app, snapshot(9_000, many(300)), 0);
        let city = app.city();
        let order = by_zone(city, &app.rows.shown);
        let lines = lines(city, &order, 40);
        assert_eq!(lines.iter().map(|line| line.cells.len()).sum::<usize>(), 300);
        let mut at = lines[0].cells[0];
        let mut seen = vec![at];
        while let Some(next) = step(&lines, at, 1, 0).filter(|next| *next != at) {
            at = next;
            seen.push(at);
        }
        assert_eq!(seen, order);
        assert_eq!(step(&lines, order[0], 0, 1), Some(lines[1].cells[0]));
        assert_eq!(top(100, 50, 10), 45);
        assert_eq!((top(100, 99, 10), top(5, 4, 10)), (90, 0));
    }

    #[test]
    fn cells_are_as_large_as_all_of_them_allow() {
        let size_of = |count: u32, screen: (u16, u16)| {
            let mut app = app(screen);
            feed(&mut app, snapshot(9_000, many(count)), 0);
            let size = app.cell_size();
            (size.columns, size.rows, size.figure)
        };
        assert_eq!(size_of(22, (120, 36)), (12, 3, true));
        assert_eq!(size_of(22, (40, 10)), (1, 1, false));
        assert_eq!(size_of(22, (80, 24)), (12, 3, true));
        assert_eq!(size_of(1_000, (120, 36)).0, 2);
        assert_eq!(size_of(1_000, (80, 24)), (1, 1, false));
        assert_eq!(
            [short("kitchen_13"), short("k0412"), short("the-good-oven"), short("9")],
            ["k13", "k0412", "the-good", "9"]
        );
    }
}
