//! A part of the bit flips that `examples/flips` does in full: a stride that has no factor in common with bytes and pages.

#![allow(missing_docs, reason = "the names say it")]

#[path = "../examples/flips/sweep.rs"]
mod sweep;

use sweep::{Place, sweep};

/// A prime: all bits of a byte and all offsets of a page come up.
const STRIDE: usize = 211;

#[test]
fn a_flipped_bit_of_the_database_is_detected_or_harmless() {
    let outcome = sweep(Place::Database, STRIDE);
    println!("{outcome:?}");
    assert!(outcome.detected * 2 > outcome.flipped, "rows fill more than half of the pages: {outcome:?}");
}

#[test]
fn a_flipped_bit_of_the_wal_is_detected_or_harmless() {
    let outcome = sweep(Place::Wal, STRIDE);
    println!("{outcome:?}");
    assert!(outcome.detected > 0, "{outcome:?}");
}
