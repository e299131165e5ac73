//! The tables of `projection.db`, and every statement that writes them.
//!
//! Owns the layout and the position. Synced only at SQLite's checkpoints: after a power loss it is older and whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::api::ActionView;
use protocol::city::City;
use protocol::{Epoch, OrderId, Position, WallTime};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::fold::{Fold, KitchenRow, OrderRow};
use crate::ledger::{Chain, Tip};

/// Name of the file.
const FILE: &str = "projection.db";
/// Number of the tables' layout; a file of another one is rebuilt.
pub(super) const LAYOUT: i64 = 2;
/// How long a writer waits for a reader that opens or closes.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE projection(
        one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, chain BLOB NOT NULL, city TEXT
    );
    CREATE TABLE orders(
        id INTEGER PRIMARY KEY, state TEXT NOT NULL, priority TEXT NOT NULL, zone TEXT NOT NULL, customer TEXT, key TEXT,
        kitchen TEXT, attempt INTEGER NOT NULL, stages_done INTEGER NOT NULL, stages INTEGER NOT NULL,
        placed_ms INTEGER NOT NULL, ended_ms INTEGER, wasted_ms INTEGER NOT NULL, stage_since_ms INTEGER NOT NULL,
        position INTEGER NOT NULL, last_position INTEGER NOT NULL, view TEXT NOT NULL
    );
    CREATE TABLE order_events(
        order_id INTEGER NOT NULL, position INTEGER NOT NULL, epoch INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        event TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (order_id, position)
    ) WITHOUT ROWID;
    CREATE TABLE kitchens(
        no INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, zone TEXT NOT NULL, capacity INTEGER NOT NULL,
        stations INTEGER NOT NULL, schedulable TEXT NOT NULL, alive INTEGER NOT NULL, completed INTEGER NOT NULL,
        failed INTEGER NOT NULL, lost_leases INTEGER NOT NULL
    );
    CREATE TABLE actions(
        position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, at_ms INTEGER NOT NULL, operator TEXT NOT NULL,
        reason TEXT NOT NULL, kind TEXT NOT NULL, tone TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL
    );";

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Deletes the file and its companions; what cannot be deleted is met again at the next open.
pub(super) fn remove(dir: &Path) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("{FILE}{end}")));
    }
}

/// Says whether an error means that the file itself is of no use.
pub(super) fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TypeMismatch};
    match error.sqlite_error_code() {
        Some(code) => [ConstraintViolation, DatabaseCorrupt, NotADatabase, TypeMismatch].contains(&code),
        None => !matches!(error, rusqlite::Error::SqliteFailure(..)),
    }
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Store {
    db: Connection,
    position: Position,
    chain: Chain,
}

impl Store {
    /// Opens the file, and makes it if there is none.
    pub(super) fn open(dir: &Path) -> rusqlite::Result<Self> {
        let mut db = Connection::open(path(dir))?;
        db.busy_timeout(BUSY)?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "NORMAL")?;
        let layout: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if layout == 0 {
            create(&mut db)?;
        } else if layout != LAYOUT {
            return Err(rusqlite::Error::InvalidQuery); // counts as damaged: it is rebuilt
        }
        let (position, chain) =
            db.query_row("SELECT position, chain FROM projection", [], |row| Ok((number(row, 0)?, row.get(1)?)))?;
        Ok(Self { db, position: Position(position), chain: Chain(chain) })
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn city(&self) -> rusqlite::Result<Option<City>> {
        city(&self.db)
    }

    pub(super) fn kitchens(&self) -> rusqlite::Result<Vec<KitchenRow>> {
        kitchens(&self.db)
    }

    pub(super) fn order(&self, id: OrderId) -> rusqlite::Result<Option<OrderRow>> {
        order(&self.db, id)
    }

    /// Writes a batch that ends at `end`; not if somebody else has written since.
    pub(super) fn write(&mut self, fold: &Fold, end: Tip) -> rusqlite::Result<bool> {
        let write = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let city = fold.city.as_ref().and_then(|city| serde_json::to_string(city).ok());
        let moved = write.execute(
            "UPDATE projection SET position = ?1, chain = ?2, city = ?3 WHERE position = ?4",
            params![integer(end.position), end.chain.0.as_slice(), city, integer(self.position)],
        )?;
        if moved != 1 {
            return Ok(false);
        }
        put(&write, fold)?;
        write.commit()?;
        (self.position, self.chain) = (end.position, end.chain);
        Ok(true)
    }
}

fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let write = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write.execute_batch(TABLES)?;
    write.execute("INSERT INTO projection VALUES (1, 0, ?1, NULL)", params![Tip::genesis().chain.0.as_slice()])?;
    write.pragma_update(None, "user_version", LAYOUT)?;
    write.commit()
}

fn put(write: &Transaction<'_>, fold: &Fold) -> rusqlite::Result<()> {
    let mut orders = write.prepare_cached(
        "INSERT OR REPLACE INTO orders VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    )?;
    for (id, row) in &fold.orders {
        let view = &row.view;
        orders.execute(params![
            id.0.cast_signed(),
            view.state.word(),
            if view.priority == protocol::Priority::High { "high" } else { "normal" },
            view.zone,
            view.customer,
            row.key,
            view.kitchen.as_ref().map(|kitchen| kitchen.as_str()),
            view.attempt,
            view.stage.done,
            view.stage.of,
            time(view.placed_at),
            view.completed_at.map(time),
            view.wasted_ms.cast_signed(),
            time(row.stage_since),
            integer(view.position),
            integer(row.last),
            serde_json::to_string(view).unwrap_or_default(),
        ])?;
    }
    let mut events = write.prepare_cached("INSERT OR REPLACE INTO order_events VALUES (?1,?2,?3,?4,?5,?6)")?;
    for (order, event) in &fold.events {
        let (at, position) = (time(event.at), integer(event.position));
        events.execute(params![order.0.cast_signed(), position, event.epoch.0, at, event.event, event.detail])?;
    }
    put_actions(write, &fold.actions)?;
    let mut kitchens =
        write.prepare_cached("INSERT OR REPLACE INTO kitchens VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)")?;
    for (no, row) in fold.kitchens.iter().enumerate() {
        kitchens.execute(params![
            i64::try_from(no).unwrap_or(i64::MAX),
            row.id,
            row.name,
            row.zone,
            row.capacity,
            row.stations,
            word(&row.schedulable),
            row.alive,
            row.completed.cast_signed(),
            row.failed.cast_signed(),
            row.lost_leases.cast_signed(),
        ])?;
    }
    Ok(())
}

fn put_actions(write: &Transaction<'_>, actions: &[ActionView]) -> rusqlite::Result<()> {
    let mut insert = write.prepare_cached("INSERT OR REPLACE INTO actions VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")?;
    for action in actions {
        insert.execute(params![
            integer(action.position),
            action.epoch.0,
            time(action.at),
            action.operator,
            action.reason,
            action.kind,
            word(&action.tone),
            action.subject,
            action.text,
        ])?;
    }
    Ok(())
}

/// A word of the contract, as it stands in JSON.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}

/// What operators did before a position, newest first.
pub(super) fn actions(db: &Connection, before: Position, limit: usize) -> rusqlite::Result<Vec<ActionView>> {
    let mut select = db.prepare("SELECT * FROM actions WHERE position < ?1 ORDER BY position DESC LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![integer(before), limit], |row| {
        let tone: String = row.get(6)?;
        Ok(ActionView {
            position: Position(number(row, 0)?),
            epoch: Epoch(row.get(1)?),
            at: WallTime(number(row, 2)?),
            operator: row.get(3)?,
            reason: row.get(4)?,
            kind: row.get(5)?,
            tone: serde_json::from_str(&format!("\"{tone}\"")).map_err(|error| unreadable(6, error))?,
            subject: row.get(7)?,
            text: row.get(8)?,
        })
    })?;
    rows.collect()
}

pub(super) fn position(db: &Connection) -> rusqlite::Result<Position> {
    db.query_row("SELECT position FROM projection", [], |row| number(row, 0)).map(Position)
}

pub(super) fn city(db: &Connection) -> rusqlite::Result<Option<City>> {
    let text: Option<String> = db.query_row("SELECT city FROM projection", [], |row| row.get(0))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

pub(super) fn kitchens(db: &Connection) -> rusqlite::Result<Vec<KitchenRow>> {
    let mut select = db.prepare_cached("SELECT * FROM kitchens ORDER BY no")?;
    let rows = select.query_map([], |row| {
        let schedulable: String = row.get(6)?;
        Ok(KitchenRow {
            id: row.get(1)?,
            name: row.get(2)?,
            zone: row.get(3)?,
            capacity: row.get(4)?,
            stations: row.get(5)?,
            schedulable: serde_json::from_str(&format!("\"{schedulable}\""))
                .unwrap_or(protocol::api::Schedulable::Open),
            alive: row.get(7)?,
            completed: number(row, 8)?,
            failed: number(row, 9)?,
            lost_leases: number(row, 10)?,
        })
    })?;
    rows.collect()
}

pub(super) fn order(db: &Connection, id: OrderId) -> rusqlite::Result<Option<OrderRow>> {
    let sql = "SELECT view, key, last_position, stage_since_ms FROM orders WHERE id = ?1";
    let mut select = db.prepare_cached(sql)?;
    let found = select
        .query_row([id.0.cast_signed()], |row| {
            let view = serde_json::from_str(&row.get::<_, String>(0)?).map_err(|error| unreadable(0, error))?;
            let (last, stage_since) = (Position(number(row, 2)?), WallTime(number(row, 3)?));
            Ok(OrderRow { view, key: row.get(1)?, last, stage_since })
        })
        .optional()?;
    Ok(found)
}

/// A text of ours that does not read back: the file is of no use.
pub(super) fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// Numbers of ours are never negative.
pub(super) fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn integer(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

fn time(time: WallTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
