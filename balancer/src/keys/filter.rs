//! A filter in front of the disk: says of most new keys that they are new, in one look at one line of memory.
//!
//! A blocked Bloom filter: a fingerprint has one block of 512 bits, and one bit in each of its eight words. With 16 bits a
//! key about one new key in a thousand is asked of the disk in vain; no old one is ever denied. Bits are set by one
//! thread while another looks: a fingerprint may be asked for once the call that added it has returned.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::note::Fingerprint;

/// Words of a block: a line of memory.
const WORDS: usize = 8;
/// Keys of a block at full use: 16 bits each.
const BLOCK_KEYS: usize = 32;

/// The filter.
#[derive(Debug)]
pub(super) struct Filter {
    words: Box<[AtomicU64]>,
    blocks: u64,
}

impl Filter {
    /// For so many keys.
    pub(super) fn new(keys: usize) -> Self {
        let blocks = keys.div_ceil(BLOCK_KEYS).max(1);
        let words = (0..blocks * WORDS).map(|_| AtomicU64::new(0)).collect();
        Self { words, blocks: blocks as u64 }
    }

    pub(super) fn add(&self, key: &Fingerprint) {
        for (word, bit) in self.block(key).iter().zip(bits(key)) {
            word.fetch_or(bit, Relaxed);
        }
    }

    pub(super) fn may_have(&self, key: &Fingerprint) -> bool {
        self.block(key).iter().zip(bits(key)).all(|(word, bit)| word.load(Relaxed) & bit != 0)
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.words.len() * size_of::<AtomicU64>()
    }

    fn block(&self, key: &Fingerprint) -> &[AtomicU64] {
        let at = ((u128::from(key.place()) * u128::from(self.blocks)) >> 64) as usize * WORDS;
        &self.words[at..at + WORDS]
    }
}

/// One bit of each word.
fn bits(key: &Fingerprint) -> impl Iterator<Item = u64> {
    let rest = key.rest();
    (0..WORDS).map(move |word| 1 << (rest >> (6 * word) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_denied_and_few_are_suspected_wrongly() {
        let filter = Filter::new(50_000);
        let key = |number: u32| Fingerprint::of(&format!("key-{number}"));
        (0..50_000).for_each(|number| filter.add(&key(number)));
        assert!((0..50_000).all(|number| filter.may_have(&key(number))));
        let wrong = (50_000..150_000).filter(|number| filter.may_have(&key(*number))).count();
        assert!(wrong < 300, "{wrong} of 100,000");
    }
}
