//! A ledger without damage: what was appended is read, by whom and from where.

use std::fs;
use std::ops::ControlFlow;

use super::*;
use crate::ledger::{AppendError, Fault, OpenError, Tip, sqlite, verify};

#[test]
fn what_was_appended_is_read_back_and_survives_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let written = [row(1, 1, 3), row(4, 1, 1), row(5, 2, 10)];
    let journal = filled(dir.path(), &written);
    assert_eq!((journal.last(), journal.epoch()), (Position(14), Epoch(2)));
    assert_eq!(read_from(dir.path(), 0).expect("beside the writer"), written);
    let tip = journal.tip();
    journal.close().expect("close");

    let mut journal = Journal::open(dir.path()).expect("again");
    assert_eq!(journal.tip(), tip);
    journal.append(&row(15, 2, 1)).expect("goes on");
    drop(journal);
    let verified = verify(dir.path(), |_| ()).expect("whole");
    assert_eq!((verified.rows, verified.events, verified.last), (4, 15, Position(15)));
}

#[test]
fn an_empty_ledger_opens_again() {
    let dir = tempfile::tempdir().expect("dir");
    for _ in 0..3 {
        let journal = Journal::open(&dir.path().join("data")).expect("open");
        assert_eq!(journal.tip(), Tip::genesis());
    }
    assert_eq!(verify(&dir.path().join("data"), |_| ()).expect("whole").rows, 0);
}

#[test]
fn a_row_that_does_not_follow_is_refused_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &[row(1, 2, 3)]);
    for wrong in [row(5, 2, 1), row(3, 2, 1), row(4, 1, 1), row(4, 2, 0)] {
        let error = journal.append(&wrong).expect_err("does not follow");
        assert!(matches!(error, AppendError::DoesNotFollow(_)), "{error}");
    }
    journal.append(&row(4, 2, 1)).expect("this one does");
    assert_eq!(read_from(dir.path(), 0).expect("read").len(), 2);
}

#[test]
fn a_second_writer_is_refused_by_the_pid_of_the_first() {
    let dir = tempfile::tempdir().expect("dir");
    let first = filled(dir.path(), &rows(1));
    let error = Journal::open(dir.path()).expect_err("in use");
    assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
    drop(first);
    Journal::open(dir.path()).expect("free");
}

#[test]
fn reading_starts_at_any_position() {
    let dir = tempfile::tempdir().expect("dir");
    let written = [row(1, 1, 3), row(4, 1, 1), row(5, 2, 10)];
    let _journal = filled(dir.path(), &written);
    for (after, first) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (9, 2), (14, 3)] {
        assert_eq!(read_from(dir.path(), after).expect("read"), written[first..], "after {after}");
    }
    let error = read_from(dir.path(), 15).expect_err("ahead of the ledger");
    assert!(matches!(error, ReadError::Beyond { last: Position(14), .. }), "{error}");
}

#[test]
fn a_follower_sees_each_row_once_and_may_break_off() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &rows(1_500));
    let mut reader = Journal::reader(dir.path()).expect("reader");
    let broken = reader.rows_from(Position(0), |row| {
        if row.first.0 == 700 { ControlFlow::Break(row.first) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(broken.expect("read"), ControlFlow::Break(Position(700)));

    let mut seen = Vec::new();
    let mut at = Position(700);
    for round in 0..3 {
        journal.append(&row(1_501 + round, 1, 1)).expect("append");
        let each = |row: Row| {
            seen.push(row.first.0);
            ControlFlow::<()>::Continue(())
        };
        let ControlFlow::Continue(next) = reader.rows_from(at, each).expect("read") else { panic!("not broken off") };
        at = next;
    }
    assert_eq!(seen, (701..=1_503).collect::<Vec<_>>());
    assert_eq!(reader.tip().expect("tip"), journal.tip());
}

#[test]
fn the_chain_is_known_at_the_ends_of_rows_only() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = filled(dir.path(), &[row(1, 1, 3)]);
    let reader = Journal::reader(dir.path()).expect("reader");
    assert_eq!(reader.chain_at(Position(3)).expect("read"), Some(journal.tip().chain));
    assert_eq!(reader.chain_at(Position(0)).expect("read"), Some(Tip::genesis().chain));
    assert_eq!(reader.chain_at(Position(2)).expect("read"), None);
    assert_eq!(reader.chain_at(Position(4)).expect("read"), None);
}

#[test]
fn there_is_nothing_to_read_where_nothing_was_written() {
    let dir = tempfile::tempdir().expect("dir");
    let error = Journal::reader(dir.path()).expect_err("empty directory");
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert!(!sqlite::path(dir.path()).exists());
}

#[test]
fn the_file_of_another_program_is_refused_and_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let other = rusqlite::Connection::open(sqlite::path(dir.path())).expect("open");
    other.execute_batch("CREATE TABLE recipes(name TEXT)").expect("table");
    drop(other);
    let before = fs::read(sqlite::path(dir.path())).expect("read");
    let error = Journal::open(dir.path()).expect_err("foreign");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(fs::read(sqlite::path(dir.path())).expect("read") == before, "changed");

    fs::write(sqlite::path(dir.path()), "a shopping list, longer than the header of a database".repeat(9))
        .expect("write");
    let error = Journal::open(dir.path()).expect_err("no database");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    filled(dir.path(), &rows(1)).database().pragma_update(None, "user_version", 2).expect("pragma");
    let error = Journal::open(dir.path()).expect_err("newer");
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_full_disk_refuses_a_row_that_may_then_be_appended_again() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &rows(1));
    let limit = |journal: &Journal, pages: i64| {
        journal.database().pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).expect("pragma");
    };
    let pages: i64 = journal.database().pragma_query_value(None, "page_count", |row| row.get(0)).expect("pragma");
    limit(&journal, pages);
    let large = Row { body: vec![7; 100_000], ..row(2, 1, 1) };
    for _ in 0..3 {
        let error = journal.append(&large).expect_err("no space");
        assert!(matches!(error, AppendError::Full { position: Position(2), .. }), "{error}");
        assert_eq!(verify(dir.path(), |_| ()).expect("whole").last, Position(1));
    }
    limit(&journal, 1_000_000);
    journal.append(&large).expect("there is space again");
    drop(journal);
    assert_eq!(verify(dir.path(), |_| ()).expect("whole").last, Position(2));
    assert_eq!(Journal::open(dir.path()).expect("a restart goes on").last(), Position(2));
}

#[test]
fn after_a_failed_append_nothing_more_is_written() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &rows(1));
    journal.database().execute_batch("ALTER TABLE journal RENAME TO gone").expect("rename");
    let error = journal.append(&row(2, 1, 1)).expect_err("no table");
    assert!(matches!(error, AppendError::Database { position: Position(2), .. }), "{error}");
    journal.database().execute_batch("ALTER TABLE gone RENAME TO journal").expect("rename");
    let error = journal.append(&row(2, 1, 1)).expect_err("failed before");
    assert!(matches!(error, AppendError::AfterFailure), "{error}");
    drop(journal);
    assert_eq!(Journal::open(dir.path()).expect("a restart goes on").last(), Position(1));
}

#[test]
fn the_wal_is_bounded() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let mut reader = Journal::reader(dir.path()).expect("reader");
    let wal = sqlite::path(dir.path()).with_extension("db-wal");
    let mut largest = 0;
    for first in 1..=60 {
        journal.append(&Row { body: vec![7; 1 << 20], ..row(first, 1, 1) }).expect("append");
        largest = largest.max(fs::metadata(&wal).expect("wal").len());
        let each = |_| ControlFlow::<()>::Continue(());
        let _ = reader.rows_from(Position(first - 1), each).expect("a reader beside it does not hold the wal");
    }
    assert!(largest < 24 << 20, "the wal grew to {largest} bytes");
}

#[test]
fn a_fault_names_the_position() {
    let error = Fault::Gap { expected: Position(4), found: Position(6) };
    assert_eq!(error.to_string(), "expected position 4, found 6");
}
