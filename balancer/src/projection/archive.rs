//! Looking things up in the projection, and in the journal where the projection has not come to yet.
//!
//! Owns read-only look-ups and a bounded wait. Reads the disk: never on the thread that decides.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use protocol::api::{ActionPage, HistoryEvent, OrderView};
use protocol::{Epoch, KitchenId, OrderId, OrderState, Position, WallTime};
use rusqlite::{Connection, OpenFlags, params};

use super::fold::{Fold, OrderRow};
use super::{Trouble, store};
use crate::ledger::Journal;
use crate::recovery;

/// How long a look-up waits for the projection to come to a position.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// Rows of the journal that one look-up reads behind the projection; beyond that it says what it has.
const ROWS_MAX: usize = 20_000;

/// The projection at one position.
#[derive(Debug)]
pub(crate) struct Archive {
    db: Connection,
    dir: PathBuf,
    /// Where it is.
    pub(crate) position: Position,
}

/// Which orders of a list are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// From this id on.
    pub(crate) from: OrderId,
    /// Below this id.
    pub(crate) below: OrderId,
    /// In this state.
    pub(crate) state: Option<OrderState>,
    /// In this kitchen.
    pub(crate) kitchen: Option<KitchenId>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// One order's page and events.
#[derive(Debug)]
pub(crate) struct Found {
    /// The order.
    pub(crate) order: Option<OrderView>,
    /// Its events, oldest first.
    pub(crate) events: Vec<HistoryEvent>,
    /// Up to where the journal was looked at.
    pub(crate) position: Position,
}

/// An order and its events up to `wanted`; none when the projection cannot be read.
pub(crate) fn find(dir: &Path, id: OrderId, wanted: Position) -> Option<Found> {
    let archive = Archive::reach(dir, wanted)?;
    let found = archive.find(id, wanted);
    found.inspect_err(|error| tracing::warn!(%error, "history cannot be read")).ok()
}

/// A page of what operators did before a position, of a ledger whose end is `wanted`; none when the projection cannot be
/// read.
pub(crate) fn actions(dir: &Path, before: Position, limit: usize, wanted: Position) -> Option<ActionPage> {
    let page = Archive::reach(dir, wanted.min(before))?.actions(before, limit, wanted);
    page.inspect_err(|error| tracing::warn!(%error, "what operators did cannot be read")).ok()
}

impl Archive {
    /// Opens it once it has come to `wanted`, or as it is after a bounded wait.
    pub(crate) fn reach(dir: &Path, wanted: Position) -> Option<Self> {
        let until = Instant::now() + WAIT_MAX;
        loop {
            match Self::open(dir) {
                Ok(archive) if archive.position >= wanted || Instant::now() >= until => return Some(archive),
                Err(_) if Instant::now() >= until => return None,
                Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn open(dir: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open_with_flags(store::path(dir), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.execute_batch("BEGIN")?; // all look-ups see one position
        let position = store::position(&db)?;
        Ok(Self { db, dir: dir.to_owned(), position })
    }

    fn find(&self, id: OrderId, wanted: Position) -> Result<Found, Trouble> {
        let mut events = self.events(id)?;
        let (row, position) = match self.position >= wanted {
            true => (store::order(&self.db, id)?, self.position),
            false => {
                let (row, more, position) = self.tail(id, wanted)?;
                events.extend(more);
                (row, position)
            }
        };
        Ok(Found { order: row.map(|row| row.view), events, position })
    }

    /// Folds what the journal says of the order behind the projection.
    fn tail(&self, id: OrderId, wanted: Position) -> Result<(Option<OrderRow>, Vec<HistoryEvent>, Position), Trouble> {
        let mut fold = Fold::of(id, store::city(&self.db)?, store::kitchens(&self.db)?);
        if let Some(row) = store::order(&self.db, id)? {
            fold.orders.insert(id, row);
        }
        let reached = self.fold_tail(&mut fold, wanted)?;
        let events = std::mem::take(&mut fold.events).into_iter().map(|(_, event)| event).collect();
        Ok((fold.orders.remove(&id), events, reached))
    }

    /// Folds what stands behind the projection, up to `wanted` or as far as one look-up reads; says how far that was.
    fn fold_tail(&self, fold: &mut Fold, wanted: Position) -> Result<Position, Trouble> {
        let (mut rows, mut reached) = (0, self.position);
        let _ = Journal::reader(&self.dir)?.rows_from(self.position, |row| {
            rows += 1;
            if row.first > wanted || rows > ROWS_MAX {
                return ControlFlow::Break(());
            }
            let recorded = recovery::decode(&row).unwrap_or_default();
            reached = row.last();
            let _: Result<(), std::convert::Infallible> = fold.row(row.first, row.epoch, &recorded, |_| Ok(None));
            ControlFlow::Continue(())
        })?;
        Ok(reached)
    }

    fn actions(&self, before: Position, limit: usize, wanted: Position) -> Result<ActionPage, Trouble> {
        let (mut actions, mut position) = (Vec::new(), self.position);
        if position < wanted && position < before {
            let mut fold = Fold::of_operators(store::city(&self.db)?, store::kitchens(&self.db)?);
            position = self.fold_tail(&mut fold, wanted)?;
            actions.extend(fold.actions.into_iter().rev().filter(|action| action.position < before));
        }
        // One more than fits says whether there is a next page.
        if let Some(more) = (limit + 1).checked_sub(actions.len()) {
            actions.extend(store::actions(&self.db, before, more)?);
        }
        let more = actions.len() > limit;
        actions.truncate(limit);
        let next = actions.last().filter(|_| more).map(|last| last.position);
        Ok(ActionPage { actions, next, position })
    }

    fn events(&self, id: OrderId) -> rusqlite::Result<Vec<HistoryEvent>> {
        let sql =
            "SELECT position, epoch, at_ms, event, detail FROM order_events WHERE order_id = ?1 ORDER BY position";
        let mut select = self.db.prepare(sql)?;
        let rows = select.query_map([id.0.cast_signed()], |row| {
            Ok(HistoryEvent {
                position: Position(store::number(row, 0)?),
                epoch: Epoch(row.get(1)?),
                at: WallTime(store::number(row, 2)?),
                event: row.get(3)?,
                detail: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    /// Ended orders, newest first.
    pub(crate) fn list(&self, filter: &Filter) -> rusqlite::Result<Vec<OrderView>> {
        let sql = "SELECT view FROM orders WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3)
                   AND (?4 IS NULL OR kitchen = ?4) AND ended_ms IS NOT NULL ORDER BY id DESC LIMIT ?5";
        let mut select = self.db.prepare(sql)?;
        let below = i64::try_from(filter.below.0).unwrap_or(i64::MAX);
        let (state, kitchen) = (filter.state.map(OrderState::word), filter.kitchen.as_ref().map(KitchenId::as_str));
        let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
        let rows = select.query_map(params![filter.from.0.cast_signed(), below, state, kitchen, limit], |row| {
            serde_json::from_str(&row.get::<_, String>(0)?).map_err(|error| store::unreadable(0, error))
        })?;
        rows.collect()
    }
}
