//! What a ledger promises, tried from outside: journal, damage, group commit.
//!
//! Owns the helpers the three share.

mod damage;
mod group_commit;
mod journal;

use std::ops::ControlFlow;
use std::path::Path;

use protocol::{Epoch, Position};

use super::{Journal, ReadError, Row};

/// A row whose body tells its position.
pub(super) fn row(first: u64, epoch: u32, count: u32) -> Row {
    let body = format!("soup for table {first}").into_bytes();
    Row { first: Position(first), epoch: Epoch(epoch), count, body }
}

/// Rows of one event, as many as asked for, of about 60 bytes.
fn rows(count: u64) -> Vec<Row> {
    let body = |first| format!("{first:>40}").into_bytes();
    (1..=count).map(|first| Row { body: body(first), ..row(first, 1, 1) }).collect()
}

/// A journal in `dir` that holds `rows`.
fn filled(dir: &Path, rows: &[Row]) -> Journal {
    let mut journal = Journal::open(dir).expect("open");
    for row in rows {
        journal.append(row).expect("append");
    }
    journal
}

/// Every row behind `after`.
fn read_from(dir: &Path, after: u64) -> Result<Vec<Row>, ReadError> {
    let mut found = Vec::new();
    let each = |row| {
        found.push(row);
        ControlFlow::<()>::Continue(())
    };
    let _ = Journal::reader(dir)?.rows_from(Position(after), each)?;
    Ok(found)
}
