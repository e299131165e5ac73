//! Every kitchen as one cell, by zone: where the cells are, and how the cursor goes from one to the next.
//!
//! Pure functions of the rows that pass the filter and of the width. The cursor is the table's own selection, so a page
//! opened from a cell and the table below agree.

use super::city::City;
use super::rows::natural;

/// Columns of the zone's name on the left.
pub const LABEL: u16 = 12;

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
}
