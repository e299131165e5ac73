//! Group commit: turns that wait together are one row, in order; a failure ends it.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::ledger::{
    AppendError, Durable, Encode, Health, LedgerHandle, ROW_BYTES, ROW_EVENTS, SLOW_AFTER, Stopped, Store, Turn, spawn,
};

/// Events that encode as so many copies of one byte.
struct Dishes {
    count: u32,
    bytes: usize,
}

impl Encode for Dishes {
    fn events(&self) -> u32 {
        self.count
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.bytes, b'd');
    }
}

fn turn(epoch: u32, count: u32, after: u32) -> Turn<Dishes, u32> {
    Turn { epoch: Epoch(epoch), events: Dishes { count, bytes: count as usize }, after }
}

/// A store that shows each row and then waits to be told whether the append succeeds.
struct Gated {
    last: Position,
    shown: Sender<Row>,
    verdict: Receiver<Result<(), AppendError>>,
}

impl Store for Gated {
    fn last(&self) -> Position {
        self.last
    }

    fn append(&mut self, row: &Row) -> Result<(), AppendError> {
        self.shown.send(row.clone()).expect("the test listens");
        self.verdict.recv().expect("the test answers")?;
        self.last = row.last();
        Ok(())
    }

    fn close(self) -> Result<(), AppendError> {
        Ok(())
    }
}

/// A ledger thread over a [`Gated`] store, with the test's ends of everything.
struct Kitchen {
    handle: LedgerHandle<Dishes, u32>,
    rows: Receiver<Row>,
    verdict: Sender<Result<(), AppendError>>,
    durable: Receiver<Durable<u32>>,
    failure: Receiver<AppendError>,
}

fn kitchen() -> Kitchen {
    let ((shown, rows), (verdict, verdicts)) = (channel(), channel());
    let ((on_durable, durable), (on_failure, failure)) = (channel(), channel());
    let store = Gated { last: Position(0), shown, verdict: verdicts };
    let handle = spawn(
        store,
        move |batch| on_durable.send(batch).expect("the test listens"),
        move |error| on_failure.send(error).expect("the test listens"),
    );
    Kitchen { handle: handle.expect("thread"), rows, verdict, durable, failure }
}

impl Kitchen {
    /// Sends `first`, and while its append is under way the others.
    fn send(&self, first: Turn<Dishes, u32>, others: Vec<Turn<Dishes, u32>>) {
        self.handle.send(first).expect("runs");
        self.rows.recv().expect("the first row");
        for turn in others {
            self.handle.send(turn).expect("runs");
        }
        self.verdict.send(Ok(())).expect("waits");
        assert_eq!(self.durable.recv().expect("durable").after.len(), 1);
    }

    /// Lets the next row pass and gives it with what became durable.
    fn commit(&self) -> (Row, Durable<u32>) {
        let row = self.rows.recv().expect("row");
        self.verdict.send(Ok(())).expect("waits");
        (row, self.durable.recv().expect("durable"))
    }
}

#[test]
fn turns_that_come_during_a_sync_are_one_row() {
    let kitchen = kitchen();
    kitchen.send(turn(1, 2, 0), vec![turn(1, 1, 1), turn(1, 3, 2), turn(1, 1, 3)]);
    let (row, durable) = kitchen.commit();
    assert_eq!((row.first, row.count, row.body.len()), (Position(3), 5, 5));
    assert_eq!((durable.position, durable.events, durable.bytes), (Position(7), 5, 5));
    assert_eq!(durable.after, [1, 2, 3]);
    assert_eq!(kitchen.handle.backlog(), 0);
    kitchen.handle.close().expect("closes");
}

#[test]
fn turns_without_events_keep_their_place() {
    let kitchen = kitchen();
    kitchen.send(turn(1, 1, 0), vec![turn(0, 0, 1), turn(1, 1, 2), turn(9, 0, 3), turn(1, 1, 4), turn(0, 0, 5)]);
    let (row, durable) = kitchen.commit();
    assert_eq!((row.epoch, row.count), (Epoch(1), 2));
    assert_eq!(durable.after, [1, 2, 3, 4, 5]);

    kitchen.handle.send(turn(0, 0, 6)).expect("runs");
    let durable = kitchen.durable.recv().expect("needs no append");
    assert_eq!((durable.position, durable.events, durable.after), (Position(3), 0, vec![6]));
    kitchen.handle.close().expect("closes");
}

#[test]
fn a_row_has_one_epoch() {
    let kitchen = kitchen();
    kitchen.send(turn(1, 1, 0), vec![turn(1, 1, 1), turn(2, 1, 2), turn(2, 1, 3), turn(3, 1, 4)]);
    for (epoch, after) in [(1, vec![1]), (2, vec![2, 3]), (3, vec![4])] {
        let (row, durable) = kitchen.commit();
        assert_eq!((row.epoch, durable.after), (Epoch(epoch), after));
    }
}

#[test]
fn a_row_is_bounded_in_events_and_bytes() {
    let kitchen = kitchen();
    let large = |after| Turn { events: Dishes { count: 1, bytes: ROW_BYTES / 2 }, ..turn(1, 1, after) };
    let many = vec![turn(1, ROW_EVENTS - 1, 1), turn(1, 2, 2), large(3), large(4), turn(1, 1, 5)];
    kitchen.send(turn(1, 1, 0), many);
    assert_eq!(kitchen.commit().1.after, [1]);
    assert_eq!(kitchen.commit().1.after, [2, 3, 4]);
    assert_eq!(kitchen.commit().1.after, [5]);
    let huge = turn(1, ROW_EVENTS + 7, 6);
    kitchen.handle.send(huge).expect("runs");
    assert_eq!(kitchen.commit().0.count, ROW_EVENTS + 7, "a turn is never torn");
}

#[test]
fn a_failed_append_ends_it() {
    let kitchen = kitchen();
    kitchen.send(turn(1, 1, 0), vec![turn(1, 1, 1)]);
    kitchen.rows.recv().expect("second row");
    kitchen.handle.send(turn(1, 1, 2)).expect("still runs");
    kitchen.verdict.send(Err(AppendError::AfterFailure)).expect("waits");
    assert!(matches!(kitchen.failure.recv(), Ok(AppendError::AfterFailure)));
    assert!(kitchen.durable.recv().is_err(), "nothing more is told");
    assert!(kitchen.rows.recv().is_err(), "nothing more is written");
    assert_eq!(kitchen.handle.send(turn(1, 1, 3)), Err(Stopped));
    assert_eq!(kitchen.handle.close(), Err(Stopped));
}

fn full() -> AppendError {
    AppendError::Full { position: Position(2), path: "ledger.db".into() }
}

#[test]
fn a_full_disk_is_tried_again_with_the_same_row_and_told_meanwhile() {
    let kitchen = kitchen();
    kitchen.send(turn(1, 1, 0), vec![turn(1, 2, 1)]);
    assert_eq!(kitchen.handle.health(), Health::Fine);
    let first = kitchen.rows.recv().expect("second row");
    let mut since = None;
    for _ in 0..3 {
        kitchen.verdict.send(Err(full())).expect("waits");
        assert_eq!(kitchen.rows.recv().expect("tried again"), first);
        let Health::Full { since: now } = kitchen.handle.health() else { panic!("{:?}", kitchen.handle.health()) };
        assert_eq!(*since.get_or_insert(now), now, "since the first refusal");
    }
    assert!(kitchen.durable.try_recv().is_err(), "nothing is told before it is durable");
    kitchen.verdict.send(Ok(())).expect("waits");
    let durable = kitchen.durable.recv().expect("durable");
    assert_eq!((durable.position, durable.after), (Position(3), vec![1]));
    assert_eq!(kitchen.handle.health(), Health::Fine);
    kitchen.handle.close().expect("closes");
}

#[test]
fn closing_on_a_full_disk_does_not_wait_for_space() {
    let kitchen = kitchen();
    kitchen.handle.send(turn(1, 1, 0)).expect("runs");
    kitchen.rows.recv().expect("row");
    let Kitchen { handle, rows, verdict, durable, failure } = kitchen;
    let closing = std::thread::spawn(move || handle.close());
    // However often it is tried before the close is heard of: it ends.
    verdict.send(Err(full())).expect("waits");
    while rows.recv().is_ok() {
        verdict.send(Err(full())).expect("waits");
    }
    assert_eq!(closing.join().expect("no panic"), Err(Stopped));
    assert!(matches!(failure.recv(), Ok(AppendError::Full { .. })));
    assert!(durable.recv().is_err(), "nothing was told");
}

#[test]
fn an_append_that_takes_long_is_slow() {
    let kitchen = kitchen();
    kitchen.handle.send(turn(1, 1, 0)).expect("runs");
    kitchen.rows.recv().expect("row");
    let began = std::time::Instant::now();
    while kitchen.handle.health() == Health::Fine {
        assert!(began.elapsed() < SLOW_AFTER * 10, "never called slow");
        std::thread::yield_now();
    }
    assert!(matches!(kitchen.handle.health(), Health::Slow { .. }));
    kitchen.verdict.send(Ok(())).expect("waits");
    kitchen.durable.recv().expect("durable");
    assert_eq!(kitchen.handle.health(), Health::Fine);
}

#[test]
fn closing_writes_what_was_sent() {
    let dir = tempfile::tempdir().expect("dir");
    let (on_durable, durable) = channel();
    let journal = Journal::open(dir.path()).expect("open");
    let failed = |error| panic!("{error}");
    let handle = spawn(journal, move |batch: Durable<u32>| on_durable.send(batch).expect("the test listens"), failed);
    let handle = handle.expect("thread");
    for after in 0..1_000 {
        handle.send(turn(1, 1, after)).expect("runs");
    }
    handle.close().expect("closes");
    let after: Vec<u32> = durable.iter().flat_map(|batch| batch.after).collect();
    assert_eq!(after, (0..1_000).collect::<Vec<_>>());
    let journal = Journal::open(dir.path()).expect("the lock is free");
    assert_eq!(journal.last(), Position(1_000));
}
