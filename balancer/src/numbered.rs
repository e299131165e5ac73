//! Hash maps by numbers that need no more hashing: this process counts them itself, or they are a hash already.
//!
//! Owns the hash: one multiplication. Nobody outside chooses such a number, so there is nothing to be hashed against; the
//! standard hash costs five times as much, several times an order. Never for anything as a client names it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from such numbers.
pub(crate) type Numbered<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Spreads a number over all bits: the table takes its place from the low ones and its tag from the high ones.
#[derive(Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a number is one word")
    }

    fn write_u64(&mut self, number: u64) {
        // Knuth, The Art of Computer Programming 3, 6.4: 2^64 over the golden ratio.
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
