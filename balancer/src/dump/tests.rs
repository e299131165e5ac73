//! A dump says everything, in names, and stops where the ledger is no longer whole.

use super::*;
use crate::ledger::Journal;
use crate::projection::tests::{recorded, write};

fn dumped(dir: &Path, first: u64, last: u64) -> (Vec<Value>, Result<u64, DumpError>) {
    let mut bytes = Vec::new();
    let outcome = run(dir, (Position(first), Position(last)), &mut bytes);
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect(), outcome)
}

#[test]
fn each_event_is_a_line_with_its_position_and_names() {
    let dir = tempfile::tempdir().expect("dir");
    let events = recorded();
    write(&mut Journal::open(dir.path()).expect("open"), &events, 4);
    let (lines, outcome) = dumped(dir.path(), 1, u64::MAX);
    assert_eq!(outcome.expect("whole"), events.len() as u64);
    for (line, (event, position)) in lines.iter().zip(events.iter().zip(1_u64..)) {
        assert_eq!(line["position"], position);
        assert_eq!(line["event"], event.event.word());
        assert_eq!(line["at"], json!(event.at));
    }
    let find = |word: &str| lines.iter().find(|line| line["event"] == word).expect("there");
    let accepted = find("accepted");
    assert_eq!((&accepted["order"], &accepted["key"]), (&json!("o1"), &json!("k1")));
    assert!(accepted["items"][0]["dish"].is_string() && accepted["zone"].is_string(), "{accepted}");
    let moved = lines.iter().find(|line| line["kind"] == "reassign").expect("a move");
    assert_eq!(
        (&moved["from"], &moved["kitchen"], &moved["token"]),
        (&json!("kitchen_1"), &json!("kitchen_2"), &json!("1.5"))
    );
    assert_eq!(find("kitchen_registered")["kitchen"], "kitchen_1");
}

#[test]
fn a_range_knows_the_names_given_before_it() {
    let dir = tempfile::tempdir().expect("dir");
    write(&mut Journal::open(dir.path()).expect("open"), &recorded(), 4);
    let (lines, outcome) = dumped(dir.path(), 10, 12);
    assert_eq!(outcome.expect("whole"), 3);
    let positions: Vec<u64> = lines.iter().filter_map(|line| line["position"].as_u64()).collect();
    assert_eq!(positions, [10, 11, 12]);
    assert_eq!(lines[0]["kitchen"], "kitchen_1", "{}", lines[0]);
}

#[test]
fn what_is_whole_is_printed_before_damage_is_told() {
    let dir = tempfile::tempdir().expect("dir");
    write(&mut Journal::open(dir.path()).expect("open"), &recorded(), 4);
    let db = rusqlite::Connection::open(dir.path().join("ledger.db")).expect("open");
    db.execute("UPDATE journal SET body = x'00' WHERE position = 9", []).expect("update");
    let (lines, outcome) = dumped(dir.path(), 1, u64::MAX);
    assert_eq!(lines.len(), 8);
    assert!(outcome.expect_err("damaged").to_string().contains("position 9"));
}
