//! A start without a usable snapshot replays the journal, and comes to the same state.

use super::*;
use crate::ledger::write_snapshot;
use crate::projection::tests::{recorded, state_of, write};

#[test]
fn whatever_is_wrong_with_a_snapshot_the_journal_gives_the_same_state() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let events = recorded();
    write(&mut journal, &events[..20], 4);
    let half = journal.tip();
    let whole = postcard::to_allocvec(&state_of(&events[..20])).expect("plain data");
    write(&mut journal, &events[20..], 4);
    let state = state_of(&events);

    let with = |layout: u8, body: &[u8]| [&[layout], body].concat();
    let other = postcard::to_allocvec(&state_of(&events[..16])).expect("plain data");
    let snapshots: [(&str, Vec<u8>, Position); 6] = [
        ("good", with(LAYOUT, &whole), half.position),
        ("of an older layout", with(LAYOUT - 1, &whole), Position(0)),
        ("cut short", with(LAYOUT, &whole[..whole.len() / 2]), Position(0)),
        ("nonsense", with(LAYOUT, &[0xff; 64]), Position(0)),
        ("of another position", with(LAYOUT, &other), Position(0)),
        ("empty", Vec::new(), Position(0)),
    ];
    for (what, body, from) in snapshots {
        let path = write_snapshot(dir.path(), &half, &body).expect("written");
        let (replayed, begun) = replay(dir.path()).expect("replayed");
        assert_eq!((begun, replayed == state), (from, true), "{what}");
        let mut bytes = std::fs::read(&path).expect("read");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).expect("write");
        let (replayed, begun) = replay(dir.path()).expect("replayed");
        assert_eq!((begun, replayed == state), (Position(0), true), "{what}, and damaged");
    }
}

#[test]
fn a_snapshot_that_was_made_is_used() {
    let dir = tempfile::tempdir().expect("dir");
    let events = recorded();
    write(&mut Journal::open(dir.path()).expect("open"), &events, 4);
    let last = Position(events.len() as u64);
    assert_eq!(make_snapshot(dir.path()).expect("made"), last);
    let (replayed, begun) = replay(dir.path()).expect("replayed");
    assert_eq!((begun, replayed == state_of(&events)), (last, true));
}
