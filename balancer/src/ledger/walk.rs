//! Walking the chain: every row from a known point on, each checked against the one before.
//!
//! Owns the walk and the comparison with HEAD, for opening, reading and verifying alike. Never changes anything.

use std::ops::ControlFlow;
use std::path::Path;

use protocol::Position;
use rusqlite::Connection;

use super::head::Found;
use super::{Damage, Fault, Row, Tip, sqlite};

/// Gives each row behind `tip` to `each`, once it is known to follow; moves `tip` along with it.
///
/// Between chunks no transaction is open, so a slow `each` does not hold the WAL.
///
/// # Errors
/// The first position that cannot be trusted; `tip` stands before it.
pub(super) fn walk<B>(
    dir: &Path,
    db: &Connection,
    tip: &mut Tip,
    mut each: impl FnMut(Row) -> ControlFlow<B>,
) -> Result<ControlFlow<B>, Damage> {
    loop {
        let rows = sqlite::rows_behind(db, tip.position).map_err(|fault| damage(dir, next(tip), fault))?;
        if rows.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        for (row, stored) in rows {
            *tip = tip.follow(&row, stored).map_err(|fault| damage(dir, next(tip), fault))?;
            if let ControlFlow::Break(value) = each(row) {
                return Ok(ControlFlow::Break(value));
            }
        }
    }
}

/// The end of the row before the one that holds `position`, as stored; the genesis before the first row.
///
/// # Errors
/// The row before does not reach the row that holds `position`.
pub(super) fn before(dir: &Path, db: &Connection, position: Position) -> Result<Tip, Damage> {
    let unreadable = |at| move |error| damage(dir, at, Fault::Unreadable(error));
    let first = match sqlite::row_at(db, position).map_err(unreadable(position))? {
        Some((first, tip)) if tip.position >= position => first,
        Some((_, tip)) => Position(tip.position.0 + 1),
        None => Position(1),
    };
    let expected = Position(first.0.saturating_sub(1));
    let previous = sqlite::row_at(db, expected).map_err(unreadable(expected))?;
    let tip = previous.map_or_else(Tip::genesis, |(_, tip)| tip);
    if tip.position == expected {
        Ok(tip)
    } else {
        Err(damage(dir, next(&tip), Fault::Gap { expected: next(&tip), found: first }))
    }
}

/// Says whether the database holds what HEAD records. A database that goes on behind HEAD does.
///
/// # Errors
/// What is lost or differs.
pub(super) fn agree(dir: &Path, db: &Connection, head: &Found) -> Result<(), Damage> {
    let end = sqlite::end(db).map_err(|error| damage(dir, Position(1), Fault::Unreadable(error)))?;
    let end = end.unwrap_or_else(Tip::genesis);
    let head = match head {
        Found::At(tip, _) => tip,
        Found::Missing | Found::Damaged if end.position == Position(0) => return Ok(()),
        Found::Missing => return Err(damage(dir, end.position, Fault::HeadMissing)),
        Found::Damaged => return Err(damage(dir, end.position, Fault::HeadDamaged)),
    };
    if head.position == Position(0) {
        return Ok(());
    }
    let row =
        sqlite::row_at(db, head.position).map_err(|error| damage(dir, head.position, Fault::Unreadable(error)))?;
    match row {
        Some((_, tip)) if tip == *head => Ok(()),
        Some((_, tip)) if tip.position >= head.position => Err(damage(dir, head.position, Fault::HeadDisagrees)),
        Some((_, tip)) => Err(damage(dir, next(&tip), Fault::Lost { until: head.position })),
        None => Err(damage(dir, Position(1), Fault::Lost { until: head.position })),
    }
}

/// Says whether a walk came as far as HEAD: a broken page may hide rows from the walk that a direct look still finds.
///
/// # Errors
/// What the walk did not find.
pub(super) fn reached(dir: &Path, tip: &Tip, head: &Found) -> Result<(), Damage> {
    match head {
        Found::At(head, _) if head.position > tip.position => {
            Err(damage(dir, next(tip), Fault::Lost { until: head.position }))
        }
        Found::At(..) | Found::Missing | Found::Damaged => Ok(()),
    }
}

/// Says at once that everything is lost when HEAD records events and there is no database, or an empty file: SQLite
/// would start a new one in its place, and remove the WAL that is left of the old.
///
/// # Errors
/// All is lost.
pub(super) fn present(dir: &Path, head: &Found) -> Result<(), Damage> {
    let bytes = std::fs::metadata(sqlite::path(dir)).map_or(0, |file| file.len());
    if bytes == 0 && super::rebuild::is_broken_off(dir) {
        return Err(damage(dir, Position(1), Fault::RepairBrokenOff));
    }
    if bytes == 0 { reached(dir, &Tip::genesis(), head) } else { Ok(()) }
}

/// The position behind `tip`.
fn next(tip: &Tip) -> Position {
    Position(tip.position.0.saturating_add(1))
}

fn damage(dir: &Path, position: Position, fault: Fault) -> Damage {
    Damage { dir: dir.to_owned(), position, fault }
}
