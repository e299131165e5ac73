//! Flips every single bit of a 64 KiB ledger, in the database and in the WAL, and counts what was noticed.
//!
//! `cargo run --release -p balancer --example flips [STRIDE]`: about twenty minutes with a stride of 1, three with 7.

#![allow(missing_docs, reason = "the names say it")]

mod sweep;

use std::time::Instant;

use sweep::{Place, sweep};

fn main() {
    let stride = std::env::args().nth(1).and_then(|stride| stride.parse().ok()).unwrap_or(1);
    for place in [Place::Database, Place::Wal] {
        let began = Instant::now();
        let outcome = sweep(place, stride);
        println!(
            "{place:?}: {} bits flipped, {} detected, {} harmless (the same rows and chain were read), {:.1} s",
            outcome.flipped,
            outcome.detected,
            outcome.harmless,
            began.elapsed().as_secs_f64()
        );
    }
}
