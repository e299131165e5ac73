//! What keys cost, for `examples/keys.rs`: memory, a new key, an old one. Nothing of a running balancer uses it.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use balancer_core::event::Cause;
use balancer_core::state::{KeyTerm, Order};
use protocol::city::{DishNo, ZoneNo};
use protocol::{FencingToken, Item, OrderId, OrderState, Position, Priority, WallTime};

use super::volume::{self, Title};
use super::{Book, Fingerprint, Known, Note};
use crate::ledger::Chain;

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// Taking over an order that the core has forgotten: two fingerprints and a note.
    pub forget: Duration,
    /// A new key, in front of as many in memory.
    pub new_beside_memory: Duration,
    /// An old key that is in memory.
    pub old_in_memory: Duration,
    /// Resident memory of a note, in bytes.
    pub bytes_in_memory: u64,
    /// Writing a note to the disk, sorted and synced, and to a filter, on a thread of its own.
    pub write: Duration,
    /// A new key, in front of as many on the disk.
    pub new_beside_disk: Duration,
    /// New keys of a million that were asked of the disk in vain.
    pub in_vain: u64,
    /// An old key that is on the disk, on a thread that may wait (the file is in the page cache).
    pub old_on_disk: Duration,
    /// Bytes of a note on the disk, and of the filter in memory.
    pub bytes_on_disk: u64,
    /// See there.
    pub bytes_in_filter: u64,
    /// Reading the filters back after a start.
    pub read_filters: Duration,
}

const TERM: KeyTerm = KeyTerm { window: Duration::from_secs(3_600), begun: WallTime(0) };
const NOW: WallTime = WallTime(1_000_000);

fn order(number: u64) -> Order {
    Order {
        id: OrderId(number),
        state: OrderState::Completed,
        priority: Priority::Normal,
        zone: ZoneNo(1),
        stages_done: 3,
        stages: 3,
        attempt: 1,
        half_strikes: 0,
        moves: 0,
        kitchen: None,
        token: FencingToken::default(),
        refused: FencingToken::default(),
        placed_at: NOW,
        leased_at: NOW,
        ended_at: Some(NOW),
        position: Position(number),
        last: Position(number),
        items: vec![Item { dish: DishNo(1), quantity: 1 }, Item { dish: DishNo(2), quantity: 2 }],
        hops: Vec::new(),
        next_cause: Cause::Dispatch,
        customer: Some(format!("customer-{}", number % 5_000).into()),
        key: Some(key(number).into()),
        failure: None,
        stage_since: NOW,
        wasted_ms: 0,
        in_the_oven: false,
    }
}

fn key(number: u64) -> String {
    format!("0b5c7a52-8d1f-4c33-9f0e-{number:012x}")
}

fn each(count: u64, began: Instant) -> Duration {
    Duration::from_secs_f64(began.elapsed().as_secs_f64() / count.max(1) as f64)
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Measures so many keys, with files in `dir`.
///
/// # Errors
/// What the system said.
pub fn measure(dir: &Path, count: u64) -> std::io::Result<Measured> {
    let mut measured = Measured::default();
    let known = |book: &mut Book, number: u64| book.known(&Fingerprint::of(&key(number)), TERM, NOW);
    let mut book = Book::empty();
    let before = resident();
    let mut spent = Duration::ZERO;
    for number in 0..count {
        let order = order(number);
        let began = Instant::now();
        book.forgotten(Position(number), &order);
        spent += began.elapsed();
    }
    measured.forget = spent / u32::try_from(count).unwrap_or(u32::MAX);
    measured.bytes_in_memory = resident().saturating_sub(before) / count;
    let keys: Vec<String> = (count..2 * count).map(key).collect();
    let look = |book: &mut Book| {
        let began = Instant::now();
        let mut asked = 0;
        for key in &keys {
            asked += u64::from(!matches!(black_box(book.known(&Fingerprint::of(key), TERM, NOW)), Known::New));
        }
        (each(count, began), asked)
    };
    measured.new_beside_memory = look(&mut book).0;
    let began = Instant::now();
    let found = (0..count).filter(|number| matches!(known(&mut book, *number), Known::Old(_))).count();
    measured.old_in_memory = each(count, began);
    assert_eq!(found as u64, count, "every key is known");

    let mut notes: Vec<Note> = (0..count).filter_map(|number| Note::of(&order(number))).collect();
    let mut book = Book::empty();
    let shelf = book.shelf();
    let title = |from: u64, to: u64| {
        let (from, to, chain) = (Position(from), Position(to), Chain([0; 32]));
        Title { from, to, chain, began: NOW, newest: NOW, count: 0 }
    };
    let began = Instant::now();
    for (number, notes) in (0..).zip(notes.chunks_mut(500_000)) {
        shelf.put(volume::write(dir, title(number, number + 1), notes)?)?;
    }
    measured.write = each(count, began);
    let (new, asked) = look(&mut book);
    (measured.new_beside_disk, measured.in_vain) = (new, asked * 1_000_000 / count);
    let contents = shelf.contents();
    (measured.bytes_on_disk, measured.bytes_in_filter) =
        (contents.bytes() / count, contents.filter_bytes() as u64 / count);
    let looks = count.min(100_000);
    let began = Instant::now();
    for number in 0..looks {
        let found = contents.find(&Fingerprint::of(&key(number)))?;
        assert_eq!(found.map(|note| note.order), Some(OrderId(number)), "every key is known");
    }
    measured.old_on_disk = each(looks, began);
    let again = Arc::new(super::Shelf::of(dir));
    let began = Instant::now();
    again.read_filters(|| true);
    measured.read_filters = began.elapsed();
    Ok(measured)
}
