//! A start without a usable snapshot replays the journal, and comes to the same state.

use super::*;
use crate::keys::Book;
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
        ("of an older layout", with(LAYOUT_BEFORE_WINDOWS - 1, &whole), Position(0)),
        ("cut short", with(LAYOUT, &whole[..whole.len() / 2]), Position(0)),
        ("nonsense", with(LAYOUT, &[0xff; 64]), Position(0)),
        ("of another position", with(LAYOUT, &other), Position(0)),
        ("empty", Vec::new(), Position(0)),
    ];
    for (what, body, from) in snapshots {
        let path = write_snapshot(dir.path(), &half, &body).expect("written");
        let Replayed { state: replayed, snapshot: begun, .. } = replay(dir.path()).expect("replayed");
        assert_eq!((begun, replayed == state), (from, true), "{what}");
        let mut bytes = std::fs::read(&path).expect("read");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).expect("write");
        let Replayed { state: replayed, snapshot: begun, .. } = replay(dir.path()).expect("replayed");
        assert_eq!((begun, replayed == state), (Position(0), true), "{what}, and damaged");
    }
}

#[test]
fn a_snapshot_of_the_release_before_is_used() {
    let dir = tempfile::tempdir().expect("dir");
    let mut journal = Journal::open(dir.path()).expect("open");
    let events = recorded();
    write(&mut journal, &events[..20], 4);
    let half = journal.tip();
    write(&mut journal, &events[20..], 4);
    let before = state_of(&events[..20]);
    let whole = postcard::to_allocvec(&before).expect("plain data");
    let new = (0_u8, before.last_at(), None::<u64>, before.key_term().begun); // no ordered move was under way
    let new = postcard::to_allocvec(&new).expect("plain data");
    assert!(whole.ends_with(&new), "what is new stands behind what was there");
    let body = [&[LAYOUT_BEFORE_WINDOWS], &whole[..whole.len() - new.len()]].concat();
    write_snapshot(dir.path(), &half, &body).expect("written");
    let Replayed { state, snapshot, .. } = replay(dir.path()).expect("replayed");
    assert_eq!(snapshot, half.position);
    // When the reign began is not in it; the next one begins with an event of its own.
    let wanted = state_of(&events);
    assert_eq!((state.proof(), state.last_at()), (wanted.proof(), wanted.last_at()));
    assert!(state.orders() == wanted.orders() && state.kitchens() == wanted.kitchens());
}

#[test]
fn a_snapshot_that_was_made_is_used() {
    let dir = tempfile::tempdir().expect("dir");
    let events = recorded();
    write(&mut Journal::open(dir.path()).expect("open"), &events, 4);
    let last = Position(events.len() as u64);
    let shelf = Book::open(dir.path(), Notes::default(), Duration::from_secs(60), WallTime(0)).expect("opened").shelf();
    assert_eq!(make_snapshot(dir.path(), &shelf).expect("made"), last);
    let Replayed { state: replayed, snapshot: begun, .. } = replay(dir.path()).expect("replayed");
    assert_eq!((begun, replayed == state_of(&events)), (last, true));
}
