//! A cut keeps what is whole, gives account of the rest, and leaves the old files where they are.

use std::fs;

use protocol::Position;

use super::*;
use crate::ledger::{Journal, OpenError, Tip, verify, write_snapshot};
use crate::projection::tests::{recorded, write};

/// The day in rows of four events, and the ends of its rows.
fn ledger(dir: &Path) -> Vec<Tip> {
    let mut journal = Journal::open(dir).expect("open");
    let mut tips = vec![journal.tip()];
    for events in recorded().chunks(4) {
        write(&mut journal, events, 4);
        tips.push(journal.tip());
    }
    journal.close().expect("close");
    tips
}

/// Changes a byte of the row that begins at `position`.
fn damage(dir: &Path, position: u64) {
    let db = rusqlite::Connection::open(dir.join("ledger.db")).expect("open");
    let sql = "UPDATE journal SET body = x'00' || substr(body, 2) WHERE position = ?1";
    assert_eq!(db.execute(sql, [position.cast_signed()]).expect("update"), 1);
}

#[test]
fn everything_before_the_damage_is_kept_and_the_rest_accounted_for() {
    let dir = tempfile::tempdir().expect("dir");
    let tips = ledger(dir.path());
    write_snapshot(dir.path(), &tips[1], b"before").expect("snapshot");
    write_snapshot(dir.path(), &tips[3], b"behind").expect("snapshot");
    damage(dir.path(), 9);
    assert!(verify(dir.path(), |_| ()).is_err());

    let plan = plan(dir.path(), Position(8)).expect("possible");
    let text = plan.to_string();
    assert!(text.contains("damaged at position 9") && text.contains("2 rows up to position 8"), "{text}");
    let all = recorded().len() as u64;
    assert_eq!((plan.dropped.events, plan.dropped.readable), (all - 8, 0), "behind the damage nothing can be trusted");
    let repaired = plan.carry_out(dir.path()).expect("repaired");

    assert_eq!((repaired.position, repaired.verified.events), (Position(8), 8));
    assert_eq!(repaired.verified.accepted, 4, "o1 to o4; o5 stood behind");
    assert!(repaired.kept.iter().all(|path| path.exists()), "{:?}", repaired.kept);
    assert!(repaired.kept.iter().any(|path| path.to_string_lossy().contains("ledger.db.damaged-")));
    assert_eq!(repaired.removed, [dir.path().join("snapshot-12.bin")]);
    assert!(dir.path().join("snapshot-4.bin").exists());
    assert!(!dir.path().join("repair.tmp").exists());

    let mut journal = Journal::open(dir.path()).expect("opens again");
    assert_eq!(journal.tip(), tips[2]);
    write(&mut journal, &recorded()[8..], 4);
    assert_eq!(journal.tip(), *tips.last().expect("some"), "the same events make the same chain");
}

#[test]
fn a_sound_end_is_named_by_its_orders() {
    let dir = tempfile::tempdir().expect("dir");
    ledger(dir.path());
    let plan = plan(dir.path(), Position(4)).expect("possible");
    assert_eq!(plan.dropped.first, (1..=5).map(OrderId).collect::<Vec<_>>());
    assert_eq!((plan.dropped.accepted, plan.dropped.completions), (5, 0));
    assert!(plan.to_string().contains("5 acknowledged orders: o1, o2, o3, o4, o5"), "{plan}");
}

#[test]
fn a_row_is_not_torn_and_more_than_is_whole_is_not_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let tips = ledger(dir.path());
    let last = tips.last().expect("some").position;
    let text = |to| plan(dir.path(), Position(to)).expect_err("refused").to_string();
    assert!(text(6).contains("take 4, the end of the row before, or 8"), "{}", text(6));
    assert!(text(last.0 + 1).contains(&format!("whole only up to position {last}")), "{}", text(last.0 + 1));
    damage(dir.path(), 9);
    assert!(text(12).contains("whole only up to position 8"), "{}", text(12));
    assert!(text(12).contains("damaged at position 9"), "{}", text(12));
    assert_eq!(fs::read_dir(dir.path()).expect("list").flatten().filter(is_aside).count(), 0, "nothing was moved");
}

fn is_aside(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().contains(".damaged-")
}

#[test]
fn a_running_ledger_is_refused_and_so_is_none() {
    let dir = tempfile::tempdir().expect("dir");
    let missing = plan(dir.path(), Position(1)).expect_err("empty");
    assert!(matches!(missing, RepairError::Rebuild(RebuildError::Open(OpenError::Missing { .. }))), "{missing}");
    let journal = Journal::open(dir.path()).expect("open");
    let in_use = plan(dir.path(), Position(1)).expect_err("in use");
    assert!(matches!(in_use, RepairError::Rebuild(RebuildError::Open(OpenError::InUse { .. }))), "{in_use}");
    drop(journal);
}

#[test]
fn an_exchange_that_was_broken_off_is_refused_by_a_start_and_finished_by_a_second_repair() {
    let dir = tempfile::tempdir().expect("dir");
    let tips = ledger(dir.path());
    damage(dir.path(), 9);
    plan(dir.path(), Position(8)).expect("possible").carry_out(dir.path()).expect("repaired");
    // As after a crash between the last two renames: the new database still lies in the draft.
    let draft = dir.path().join("repair.tmp");
    fs::create_dir_all(&draft).expect("created");
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::rename(dir.path().join(name), draft.join(name));
    }
    assert!(matches!(Journal::open(dir.path()), Err(OpenError::Damaged(_))), "not taken for an empty directory");
    plan(dir.path(), Position(8)).expect("possible").carry_out(dir.path()).expect("finished");
    assert_eq!(Journal::open(dir.path()).expect("opens").tip(), tips[2]);
}
