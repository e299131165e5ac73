//! The book over whole ledgers: what a key is answered after its order was forgotten, by whoever leads then.

use std::path::Path;

use balancer_core::event::Accepted;
use balancer_core::input::Operator;
use balancer_core::{Event, Recorded, limits};
use protocol::city::ZoneNo;
use protocol::{Epoch, FencingToken, OrderId, OrderState, Position, Priority};

use super::*;
use crate::projection::tests::write;
use crate::recovery::{self, Replayed};

/// An hour.
const WINDOW: Duration = Duration::from_secs(3_600);
const TERM: KeyTerm = KeyTerm { window: WINDOW, begun: WallTime(0) };
/// Orders that end after those that a test is about, so that memory forgets them.
const OTHERS: u64 = limits::CLOSED_KEPT as u64;

pub(crate) fn note(key: &str, number: u64) -> Note {
    Note {
        key: Fingerprint::of(key),
        body: number * 3,
        order: OrderId(number),
        placed_at: WallTime(number + 1),
        position: Position(number + 2),
        token: FencingToken { epoch: Epoch(1), counter: number },
        kitchen: number.is_multiple_of(2).then_some(balancer_core::KitchenNo(number as u32)),
        attempt: 3,
        state: OrderState::Completed,
    }
}

/// A day in which orders come and are called off at once, `each_ms` apart.
struct Day {
    events: Vec<Recorded>,
    orders: u64,
    at: u64,
}

impl Day {
    fn new() -> Self {
        let begin = Recorded { at: WallTime(0), event: Event::EpochStarted { epoch: Epoch(1) } };
        Self { events: vec![begin], orders: 0, at: 1_000_000 }
    }

    fn order(&mut self, key: &str) -> OrderId {
        self.orders += 1;
        let order = OrderId(self.orders);
        let accepted = Accepted {
            order,
            items: Vec::new(),
            zone: ZoneNo(0),
            customer: None,
            priority: Priority::Normal,
            key: Some(key.into()),
            stages: 1,
            rush: false,
        };
        for event in [Event::Accepted(Box::new(accepted)), Event::Cancelled { order, by: Operator::default() }] {
            self.events.push(Recorded { at: WallTime(self.at), event });
        }
        order
    }

    fn others(&mut self, count: u64) {
        for _ in 0..count {
            let key = format!("other-{}", self.orders);
            self.order(&key);
        }
    }

    /// Writes what is new.
    fn write(&mut self, dir: &Path) {
        write(&mut Journal::open(dir).expect("opened"), &std::mem::take(&mut self.events), 4_000);
    }

    fn now(&self) -> WallTime {
        WallTime(self.at)
    }
}

/// Whoever leads after a start.
fn leader(dir: &Path, now: WallTime) -> Book {
    let Replayed { notes, .. } = recovery::replay(dir).expect("replayed");
    Book::open(dir, notes, WINDOW, now).expect("opened")
}

/// The order that a key belongs to, with a look at the disk if the book wants one.
fn find(book: &mut Book, key: &str, now: WallTime) -> Option<OrderId> {
    let print = Fingerprint::of(key);
    match book.known(&print, TERM, now) {
        Known::New => None,
        Known::Old(note) => Some(note.order),
        Known::Ask(contents) => {
            let found = contents.find(&print).expect("readable");
            assert!(found.is_some() || contents.is_complete(), "nobody may say that {key} is new");
            found.filter(|note| note.is_fresh(TERM, now)).map(|note| note.order)
        }
        Known::Full(wait) => panic!("full for {wait:?}"),
    }
}

fn catch_up(book: &Book) {
    super::catch_up(&book.shelf(), &Pace::endless());
}

#[test]
fn a_key_is_the_same_order_after_any_number_of_others_and_after_restarts() {
    let dir = tempfile::tempdir().expect("dir");
    let mut day = Day::new();
    let first = day.order("mine");
    day.others(OTHERS + 1);
    day.write(dir.path());
    let now = day.now();

    let mut book = leader(dir.path(), day.now());
    assert_eq!(find(&mut book, "mine", now), Some(first), "from memory");
    assert_eq!(find(&mut book, "never", now), None);

    recovery::make_snapshot(dir.path(), &book.shelf()).expect("made");
    book.tidy(TERM, now);
    assert_eq!(book.counts(), (0, 2), "memory has let go of what the disk has");
    assert_eq!(find(&mut book, "mine", now), Some(first), "from the disk");

    let mut book = leader(dir.path(), day.now());
    assert!(book.is_complete());
    assert_eq!(find(&mut book, "mine", now), Some(first), "after a restart, before the filters are read");
    catch_up(&book);
    assert_eq!(find(&mut book, "mine", now), Some(first), "and with them");
    assert!(matches!(book.known(&Fingerprint::of("never"), TERM, now), Known::New), "no disk is asked");

    let second = day.order("yours");
    day.others(OTHERS);
    day.write(dir.path());
    let mut book = leader(dir.path(), day.now());
    assert_eq!(find(&mut book, "yours", now), Some(second), "forgotten since the snapshot");
    assert_eq!(find(&mut book, "mine", now), Some(first), "and before it");
}

#[test]
fn a_key_is_let_go_when_its_time_is_over() {
    let dir = tempfile::tempdir().expect("dir");
    let mut day = Day::new();
    let first = day.order("mine");
    day.others(OTHERS + 1);
    day.write(dir.path());
    let mut book = leader(dir.path(), day.now());
    recovery::make_snapshot(dir.path(), &book.shelf()).expect("made");
    book.tidy(TERM, day.now());
    day.at += 3_599_999;
    assert_eq!(find(&mut book, "mine", day.now()), Some(first));
    day.at += 1;
    assert_eq!(find(&mut book, "mine", day.now()), None);

    let again = day.order("mine");
    day.others(OTHERS);
    day.write(dir.path());
    recovery::make_snapshot(dir.path(), &book.shelf()).expect("made");
    book.tidy(TERM, day.now());
    assert_eq!(find(&mut book, "mine", day.now()), Some(again), "the younger of two");
    assert_eq!(volume::names(dir.path()).len(), 1, "the file of the others is gone");
    let mut book = leader(dir.path(), day.now());
    assert!(book.is_complete(), "what is out of its time is not missing");
    assert_eq!(find(&mut book, "mine", day.now()), Some(again));
}

#[test]
fn keys_that_are_missing_or_damaged_are_read_from_the_ledger_and_never_called_new() {
    let dir = tempfile::tempdir().expect("dir");
    let mut day = Day::new();
    let first = day.order("mine");
    day.others(OTHERS + 1);
    day.write(dir.path());
    recovery::make_snapshot(dir.path(), &leader(dir.path(), day.now()).shelf()).expect("made");
    let (path, _) = volume::names(dir.path()).pop().expect("one");
    let now = day.now();

    std::fs::remove_file(&path).expect("removed"); // as an older release left it
    let mut book = leader(dir.path(), day.now());
    let known = book.known(&Fingerprint::of("mine"), TERM, now);
    assert!(matches!(known, Known::Ask(contents) if !contents.is_complete()), "nobody knows yet");
    catch_up(&book);
    assert_eq!(find(&mut book, "mine", now), Some(first));
    assert!(book.is_complete());

    let (path, _) = volume::names(dir.path()).pop().expect("one");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[4_096 + 3] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let mut book = leader(dir.path(), day.now());
    let Known::Ask(contents) = book.known(&Fingerprint::of("mine"), TERM, now) else { panic!("asks the disk") };
    assert!(contents.find(&Fingerprint::of("mine")).is_err(), "damage is no answer");
    catch_up(&book);
    assert_eq!(find(&mut book, "mine", now), Some(first), "read again");

    let (path, _) = volume::names(dir.path()).pop().expect("one");
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[30] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let mut book = leader(dir.path(), day.now());
    assert!(!book.is_complete(), "its title is damaged");
    catch_up(&book);
    assert_eq!(find(&mut book, "mine", now), Some(first));
}

#[test]
fn a_follower_lets_go_of_what_the_leader_has_written_and_leads_with_the_rest() {
    let dir = tempfile::tempdir().expect("dir");
    let mut day = Day::new();
    let first = day.order("mine");
    day.others(2 * OTHERS + 10);
    day.write(dir.path());
    let leads = leader(dir.path(), day.now());
    let mut follower = crate::standby::Followed::begin(dir.path()).expect("followed");
    recovery::make_snapshot(dir.path(), &leads.shelf()).expect("made");
    let second = day.order("yours");
    day.others(OTHERS + 1);
    day.write(dir.path());
    follower.catch_up().expect("followed");
    assert!(follower.notes.notes.len() <= OTHERS as usize + 10, "{} notes", follower.notes.notes.len());
    let mut book = Book::open(dir.path(), follower.notes, WINDOW, day.now()).expect("opened");
    assert!(book.is_complete());
    let now = day.now();
    assert_eq!((find(&mut book, "mine", now), find(&mut book, "yours", now)), (Some(first), Some(second)));
}

#[test]
fn a_full_book_says_when_there_is_room_again() {
    let mut book = Book::empty();
    for number in 0..NOTES_MAX as u64 {
        let key = Fingerprint([number.to_be_bytes(), number.to_le_bytes()].concat().try_into().expect("16"));
        book.add(Position(number), Note { key, placed_at: WallTime(1_000), ..note("", number) });
    }
    let now = WallTime(1_000 + 3_000_000);
    let known = book.known(&Fingerprint::of("new"), TERM, now);
    assert!(matches!(known, Known::Full(wait) if wait == Duration::from_secs(600)), "{known:?}");
    book.tidy(TERM, WallTime(1_000 + 3_600_000));
    assert!(matches!(book.known(&Fingerprint::of("new"), TERM, WallTime(1_000 + 3_600_000)), Known::New));
}
