//! Damage: whatever bit flips or tail goes missing is reported, or the rows are the same.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::*;
use crate::ledger::{Damage, Fault, OpenError, sqlite, verify};

/// Copies the files of `dir` as a kill -9 would leave them.
fn crashed(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("dir");
    for entry in fs::read_dir(dir).expect("list") {
        let entry = entry.expect("entry");
        if entry.path().extension().is_none_or(|extension| extension != "db-shm") {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copy");
        }
    }
    copy
}

fn wal(dir: &Path) -> PathBuf {
    sqlite::path(dir).with_extension("db-wal")
}

fn refused(dir: &Path) -> Damage {
    match Journal::open(dir) {
        Err(OpenError::Damaged(damage)) => damage,
        Err(other) => panic!("refused for something else: {other}"),
        Ok(journal) => panic!("opened, up to {}", journal.last()),
    }
}

/// What verify and a full read say: the rows, if both call the ledger whole.
fn readable(dir: &Path) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    verify(dir, |row| rows.push(row.clone())).ok().map(|_| rows)
}

#[test]
fn every_flipped_bit_of_the_database_is_reported_or_harmless() {
    let dir = tempfile::tempdir().expect("dir");
    let written = rows(12);
    filled(dir.path(), &written).close().expect("close");
    let path = sqlite::path(dir.path());
    let whole = fs::read(&path).expect("read");
    let used = whole.iter().filter(|&&byte| byte != 0).count();
    let file = fs::File::options().write(true).open(&path).expect("open");
    let put = |at: usize, byte: u8| file.write_all_at(&[byte], at as u64).expect("write");
    let mut reported = 0;
    for byte in (0..whole.len()).filter(|&byte| whole[byte] != 0 || byte % 509 == 0) {
        for bit in 0..8 {
            put(byte, whole[byte] ^ (1 << bit));
            match readable(dir.path()) {
                Some(rows) => assert_eq!(rows, written, "byte {byte} bit {bit}"),
                None => reported += 1,
            }
        }
        put(byte, whole[byte]);
    }
    assert!(reported > used * 4, "only {reported} flips reported of {}", used * 8);
}

#[test]
fn every_flipped_bit_of_a_row_is_reported_at_its_position() {
    let dir = tempfile::tempdir().expect("dir");
    let written = rows(5);
    filled(dir.path(), &written).close().expect("close");
    let path = sqlite::path(dir.path());
    let whole = fs::read(&path).expect("read");
    let body = &written[2].body;
    let at = whole.windows(body.len()).position(|window| window == body).expect("body of row 3");
    for bit in at * 8..(at + body.len() + 32) * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).expect("write");
        let error = verify(dir.path(), |_| ()).expect_err("changed");
        let ReadError::Damaged(damage) = error else { panic!("{error}") };
        assert_eq!(damage.position, Position(3), "{damage}");
        assert!(matches!(damage.fault, Fault::Chain), "{damage}");
        assert!(matches!(read_from(dir.path(), 0), Err(ReadError::Damaged(_))));
    }
}

#[test]
fn a_wal_cut_short_behind_its_head_is_refused_and_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = filled(dir.path(), &rows(20));
    let length = fs::metadata(wal(dir.path())).expect("wal").len();
    for cut in [1, 16_384, 100_000, length] {
        let crash = crashed(dir.path());
        let file = fs::File::options().write(true).open(wal(crash.path())).expect("wal");
        file.set_len(length - cut).expect("cut");
        drop(file);
        let before = fs::read(wal(crash.path())).expect("wal");
        let damage = refused(crash.path());
        assert!(matches!(damage.fault, Fault::Lost { until: Position(20) }), "{damage}");
        assert!(damage.position <= Position(20), "{damage}");
        assert!(fs::read(wal(crash.path())).expect("wal") == before, "the evidence is kept");
    }
    let crash = crashed(dir.path());
    assert_eq!(Journal::open(crash.path()).expect("uncut").tip(), journal.tip());
}

#[test]
fn every_flipped_byte_of_the_wal_is_reported_or_harmless() {
    let dir = tempfile::tempdir().expect("dir");
    let written = rows(3);
    let _journal = filled(dir.path(), &written);
    let whole = fs::read(wal(dir.path())).expect("wal");
    let mut reported = 0;
    for byte in (0..whole.len()).filter(|&byte| whole[byte] != 0) {
        let crash = crashed(dir.path());
        let mut bytes = whole.clone();
        bytes[byte] ^= 1 << (byte % 8);
        fs::write(wal(crash.path()), &bytes).expect("write");
        match Journal::open(crash.path()).ok().and_then(|_| readable(crash.path())) {
            Some(rows) => assert_eq!(rows, written, "byte {byte}"),
            None => reported += 1,
        }
    }
    assert!(reported > 100, "only {reported} flips reported");
}

#[test]
fn a_refusal_says_what_is_lost_and_what_to_do() {
    let dir = tempfile::tempdir().expect("dir");
    drop(filled(dir.path(), &rows(3)));
    fs::remove_file(sqlite::path(dir.path())).expect("remove");
    let refused = Journal::open(dir.path()).expect_err("there was one");
    assert!(matches!(refused, OpenError::Traces { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("HEAD of position 3") && text.contains("--new-ledger"), "{text}");
    assert!(!sqlite::path(dir.path()).exists(), "nothing was put in its place");
}

#[test]
fn a_head_older_than_the_database_is_fine() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &rows(2));
    let old = fs::read(dir.path().join("HEAD")).expect("read");
    for first in 3..=9 {
        journal.append(&row(first, 1, 1)).expect("append");
    }
    let crash = crashed(dir.path());
    fs::write(crash.path().join("HEAD"), old).expect("write");
    assert_eq!(verify(crash.path(), |_| ()).expect("whole").last, Position(9));
    assert_eq!(Journal::open(crash.path()).expect("whole").tip(), journal.tip());
}

#[test]
fn a_changed_row_behind_an_old_head_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = filled(dir.path(), &rows(2));
    let old = fs::read(dir.path().join("HEAD")).expect("read");
    for first in 3..=9 {
        journal.append(&row(first, 1, 1)).expect("append");
    }
    journal.database().execute("UPDATE journal SET body = x'00' WHERE position = 5", []).expect("update");
    drop(journal);
    fs::write(dir.path().join("HEAD"), old).expect("write");
    let damage = refused(dir.path());
    assert!(matches!(damage.fault, Fault::Chain) && damage.position == Position(5), "{damage}");
}

#[test]
fn the_last_row_is_checked_against_its_predecessor() {
    let dir = tempfile::tempdir().expect("dir");
    let journal = filled(dir.path(), &rows(4));
    journal.database().execute("UPDATE journal SET body = x'00' WHERE position = 4", []).expect("update");
    drop(journal);
    let damage = refused(dir.path());
    assert!(matches!(damage.fault, Fault::Chain) && damage.position == Position(4), "{damage}");
}

#[test]
fn a_head_of_another_ledger_is_refused() {
    let (one, two) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    drop(filled(one.path(), &rows(3)));
    drop(filled(two.path(), &[row(1, 1, 3)]));
    fs::copy(two.path().join("HEAD"), one.path().join("HEAD")).expect("copy");
    let damage = refused(one.path());
    assert!(matches!(damage.fault, Fault::HeadDisagrees) && damage.position == Position(3), "{damage}");
    let error = verify(one.path(), |_| ()).expect_err("disagrees");
    assert!(matches!(error, ReadError::Damaged(Damage { fault: Fault::HeadDisagrees, .. })), "{error}");
}

#[test]
fn one_damaged_slot_of_head_is_tolerated_and_mended() {
    for slot in [0, 4096] {
        let dir = tempfile::tempdir().expect("dir");
        let tip = filled(dir.path(), &rows(3)).tip();
        let head = dir.path().join("HEAD");
        let mut bytes = fs::read(&head).expect("read");
        bytes[slot + 30] ^= 1;
        fs::write(&head, bytes).expect("write");
        assert_eq!(Journal::open(dir.path()).expect("the other slot").tip(), tip);

        let mut bytes = fs::read(&head).expect("read");
        bytes[4096 - slot + 30] ^= 1;
        fs::write(&head, bytes).expect("write");
        assert_eq!(Journal::open(dir.path()).expect("the mended slot").tip(), tip);
    }
}

#[test]
fn a_head_that_is_gone_or_damaged_is_refused_unless_the_ledger_is_empty() {
    let dir = tempfile::tempdir().expect("dir");
    let head = dir.path().join("HEAD");
    drop(Journal::open(dir.path()).expect("open"));
    fs::write(&head, "").expect("write");
    drop(filled(dir.path(), &rows(3)));

    fs::write(&head, [7; 5000]).expect("write");
    assert!(matches!(refused(dir.path()).fault, Fault::HeadDamaged));
    fs::remove_file(&head).expect("remove");
    let damage = refused(dir.path());
    assert!(matches!(damage.fault, Fault::HeadMissing) && damage.position == Position(3), "{damage}");
    assert!(verify(dir.path(), |_| ()).is_err());
}

#[test]
fn a_missing_row_is_found() {
    for (missing, position) in [(1, 1), (3, 3), (5, 5)] {
        let dir = tempfile::tempdir().expect("dir");
        let journal = filled(dir.path(), &rows(5));
        journal.database().execute("DELETE FROM journal WHERE position = ?1", [missing]).expect("delete");
        drop(journal);
        let ReadError::Damaged(damage) = verify(dir.path(), |_| ()).expect_err("missing") else { panic!("no damage") };
        assert_eq!(damage.position, Position(position), "{damage}");
    }
}
