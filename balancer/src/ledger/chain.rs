//! The chain: each row's hash covers the row and the hash before it, so no byte can change or vanish unnoticed.
//!
//! Owns the formula and what may follow what. Never reads or writes a file.
//!
//! `chain(n) = BLAKE3_keyed(chain(n-1) || position || epoch || count || body)`, integers little-endian, and the key
//! and `chain(0)` derived from fixed texts, so that a hash of ours cannot be taken for one made elsewhere.

use std::fmt;
use std::sync::LazyLock;

use protocol::{Epoch, Position};

use super::{Fault, Row};

/// Key of every link, computed once.
static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| blake3::derive_key("Distributed Chef ledger v1 chain link", &[]));
/// The value before the first row.
static GENESIS: LazyLock<Chain> =
    LazyLock::new(|| Chain(blake3::derive_key("Distributed Chef ledger v1 chain genesis", &[])));

/// A value of the chain: stands for every byte of the ledger up to the end of one row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chain(pub [u8; 32]);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        blake3::Hash::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({self})")
    }
}

/// The end of a row, or of an empty ledger: what comes next must follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Position of the last event; 0 in an empty ledger.
    pub position: Position,
    /// Epoch of the last row; 0 in an empty ledger.
    pub epoch: Epoch,
    /// Chain value there.
    pub chain: Chain,
}

impl Tip {
    /// The end of an empty ledger.
    #[must_use]
    pub fn genesis() -> Self {
        Self { position: Position(0), epoch: Epoch(0), chain: *GENESIS }
    }

    /// The end of the ledger with `row` behind this tip.
    ///
    /// # Errors
    /// Why `row` may not follow: a gap, no events, or an older epoch.
    pub fn extend(&self, row: &Row) -> Result<Self, Fault> {
        let expected = Position(self.position.0.saturating_add(1));
        if row.first != expected {
            return Err(Fault::Gap { expected, found: row.first });
        }
        if row.count == 0 {
            return Err(Fault::NoEvents);
        }
        if row.epoch < self.epoch {
            return Err(Fault::EpochFell { from: self.epoch, to: row.epoch });
        }
        Ok(Self { position: row.last(), epoch: row.epoch, chain: self.link(row) })
    }

    /// The same for a row that was stored with the chain value `stored`.
    ///
    /// # Errors
    /// As [`Tip::extend`], and when the value is another.
    pub fn follow(&self, row: &Row, stored: Chain) -> Result<Self, Fault> {
        let next = self.extend(row)?;
        if next.chain == stored { Ok(next) } else { Err(Fault::Chain) }
    }

    fn link(&self, row: &Row) -> Chain {
        let mut hasher = blake3::Hasher::new_keyed(&KEY);
        hasher.update(&self.chain.0);
        hasher.update(&row.first.0.to_le_bytes());
        hasher.update(&row.epoch.0.to_le_bytes());
        hasher.update(&row.count.to_le_bytes());
        hasher.update(&row.body);
        Chain(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: u64, epoch: u32, count: u32) -> Row {
        Row { first: Position(first), epoch: Epoch(epoch), count, body: b"soup".to_vec() }
    }

    #[test]
    fn a_row_follows_without_gap_and_without_an_older_epoch() {
        let tip = Tip::genesis().extend(&row(1, 2, 3)).expect("follows");
        assert_eq!((tip.position, tip.epoch), (Position(3), Epoch(2)));
        assert!(tip.extend(&row(4, 2, 1)).is_ok());
        assert!(matches!(tip.extend(&row(5, 2, 1)), Err(Fault::Gap { expected: Position(4), found: Position(5) })));
        assert!(matches!(tip.extend(&row(3, 2, 1)), Err(Fault::Gap { .. })));
        assert!(matches!(tip.extend(&row(4, 1, 1)), Err(Fault::EpochFell { .. })));
        assert!(matches!(tip.extend(&row(4, 2, 0)), Err(Fault::NoEvents)));
    }

    #[test]
    fn every_part_of_a_row_changes_the_chain() {
        let genesis = Tip::genesis();
        let chain = |row: &Row| genesis.extend(row).expect("follows").chain;
        let base = chain(&row(1, 1, 1));
        assert_ne!(base, genesis.chain);
        assert_ne!(base, chain(&row(1, 2, 1)));
        assert_ne!(base, chain(&row(1, 1, 2)));
        assert_ne!(base, chain(&Row { body: b"soup ".to_vec(), ..row(1, 1, 1) }));
    }

    /// Pins the formula: a change of it is a change of format, and needs a new format number in sqlite.rs.
    #[test]
    fn the_formula_is_the_one_on_disk() {
        let tip = Tip::genesis().extend(&row(1, 1, 1)).expect("follows");
        assert_eq!(tip.chain.to_string(), "a84d18bcf006f0b4439e17bb2de7a0b872baab86529f065785b273f4da2964b2");
    }
}
