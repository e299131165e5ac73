//! An order's events, read back from the ledger: what was true, not what is remembered.

use std::ops::ControlFlow;
use std::path::Path;

use protocol::api::HistoryEvent;
use protocol::{OrderId, Position};

use crate::ledger::{Journal, ReadError};
use crate::{notable, recovery};

/// Rows that one request reads at most: of an order that was here through more than that the projection knows.
const ROWS_MAX: usize = 20_000;

/// The events about an order between two positions; `names` are the kitchens' by number. None when they are too far apart
/// to read all between them. Reads the disk: not for the thread that decides.
pub(crate) fn read(
    dir: &Path,
    names: &[String],
    order: OrderId,
    (first, last): (Position, Position),
) -> Result<Option<Vec<HistoryEvent>>, ReadError> {
    let mut reader = Journal::reader(dir)?;
    let mut found = Vec::new();
    let mut rows = 0;
    let _ = reader.rows_from(Position(first.0.saturating_sub(1)), |row| {
        rows += 1;
        if row.first > last || rows > ROWS_MAX {
            return ControlFlow::Break(());
        }
        for (index, recorded) in recovery::decode(&row).unwrap_or_default().into_iter().enumerate() {
            if recorded.event.order() == Some(order) {
                found.push(HistoryEvent {
                    position: Position(row.first.0 + index as u64),
                    epoch: row.epoch,
                    at: recorded.at,
                    event: recorded.event.word().into(),
                    detail: notable::detail(names, &recorded.event),
                });
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok((rows <= ROWS_MAX).then_some(found))
}
