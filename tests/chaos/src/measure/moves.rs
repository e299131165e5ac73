//! Moves out of draining kitchens, as the ledger has them: pauses, the stage each went on at, and whether a kitchen was
//! called drained while it still held something.

use std::collections::BTreeMap;

use crate::dump::Row;

/// Folds a dump.
#[derive(Debug, Default)]
pub struct Moves {
    holders: BTreeMap<u64, String>,
    /// Stages done, of every open order.
    done: BTreeMap<u64, u32>,
    /// Orders that were handed over and have not begun yet.
    handed: BTreeMap<u64, u64>,
    /// Moved before they were begun: how long nobody had them, in milliseconds.
    pub reassigned: Vec<u64>,
    /// Moved in mid-cooking: how long nobody cooked them, in milliseconds.
    pub handed_over: Vec<u64>,
    /// Handovers that went on at the stage after the last one done.
    pub resumed: u64,
    /// Cooking time that was kept, in milliseconds.
    pub saved_ms: u64,
    /// Orders recovered at a drain's deadline.
    pub at_deadline: u64,
    /// Kitchens that became empty.
    pub drained: u64,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl Moves {
    /// Takes the next row.
    pub fn row(&mut self, row: &Row) {
        match (row.event.as_str(), row.order) {
            ("leased", Some(order)) => self.leased(order, row),
            ("started", Some(order)) => self.started(order, row),
            ("stage_done", Some(order)) => _ = self.done.insert(order, row.stage.map_or(0, |stage| stage + 1)),
            ("handed_over", _) => self.handed_over.extend(row.pause_ms),
            ("lease_lost" | "attempt_failed", Some(order)) => {
                _ = self.holders.remove(&order);
                self.handed.remove(&order);
                self.at_deadline += u64::from(row.cause.as_deref() == Some("drain_deadline"));
            }
            ("completed" | "cancelled" | "dead_lettered", Some(order)) => {
                self.holders.remove(&order);
                self.done.remove(&order);
                self.handed.remove(&order);
            }
            ("drained", _) => self.is_drained(row),
            _ => {}
        }
    }

    fn leased(&mut self, order: u64, row: &Row) {
        let Some(kitchen) = row.kitchen.clone() else { return };
        match row.kind.as_deref() {
            Some("reassign") => self.reassigned.extend(row.pause_ms),
            Some("handover") => _ = self.handed.insert(order, row.saved_ms.unwrap_or(0)),
            _ => {}
        }
        self.holders.insert(order, kitchen);
    }

    fn started(&mut self, order: u64, row: &Row) {
        let Some(saved) = self.handed.remove(&order) else { return };
        let done = self.done.get(&order).copied().unwrap_or(0);
        if row.stage == Some(done) {
            self.resumed += 1;
            self.saved_ms += saved;
        } else {
            let at = row.stage;
            self.wrong
                .push(format!("position {}: o{order} has {done} stages done and went on at {at:?}", row.position));
        }
    }

    fn is_drained(&mut self, row: &Row) {
        self.drained += 1;
        let Some(kitchen) = row.kitchen.as_deref() else { return };
        let held = self.holders.values().filter(|holder| *holder == kitchen).count();
        if held > 0 {
            self.wrong.push(format!("position {}: {kitchen} is called drained and holds {held} orders", row.position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event: &str, order: u64, stage: Option<u32>) -> Row {
        Row { event: event.into(), order: Some(order), stage, ..Row::default() }
    }

    fn leased(order: u64, kitchen: &str, kind: &str) -> Row {
        let (kind, kitchen) = (Some(kind.to_owned()), Some(kitchen.to_owned()));
        Row { kind, kitchen, saved_ms: Some(300), ..row("leased", order, None) }
    }

    fn drained(kitchen: &str) -> Row {
        Row { event: "drained".into(), kitchen: Some(kitchen.into()), ..Row::default() }
    }

    #[test]
    fn a_handover_goes_on_at_its_stage_or_is_wrong() {
        let mut moves = Moves::default();
        for order in [1, 2] {
            moves.row(&leased(order, "k1", "dispatch"));
            moves.row(&row("started", order, Some(0)));
            moves.row(&row("stage_done", order, Some(0)));
            moves.row(&leased(order, "k2", "handover"));
        }
        moves.row(&row("started", 1, Some(1)));
        moves.row(&row("started", 2, Some(0)));
        assert_eq!((moves.resumed, moves.saved_ms, moves.wrong.len()), (1, 300, 1));
    }

    #[test]
    fn drained_is_wrong_while_an_order_is_there() {
        let mut moves = Moves::default();
        moves.row(&leased(1, "k1", "dispatch"));
        moves.row(&drained("k1"));
        assert_eq!(moves.wrong.len(), 1);
        moves.row(&leased(1, "k2", "reassign"));
        moves.row(&drained("k1"));
        assert_eq!((moves.wrong.len(), moves.drained), (1, 2));
    }
}
