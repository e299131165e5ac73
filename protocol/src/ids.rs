//! Names of things, each a type of its own, so that what must not be swapped cannot be.
//!
//! Owns how an id is written and read. Never says what an id refers to: that is the ledger's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::short;

/// An id that could not be read, with what would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {wanted}")]
pub struct BadId {
    given: String,
    wanted: &'static str,
}

impl BadId {
    fn new(given: &str, wanted: &'static str) -> Self {
        Self { given: crate::text::clean(given, 40), wanted }
    }
}

/// An order, numbered from 1 in the sequence of acceptance; written `o42`.
///
/// A smaller id was accepted earlier, so ids sort by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OrderId(pub u64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}", self.0)
    }
}

impl FromStr for OrderId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let number = text.strip_prefix('o').and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| BadId::new(text, "an order id: an `o` and a number, like o42"))
    }
}

/// The number of a leader's reign: each takeover raises it, so a late leader can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where in the ledger: the first event has position 1, and there are no gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The right to complete an order: whoever shows a token lower than the newest is refused.
///
/// Ordered first by epoch, then by counter; written `epoch.counter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FencingToken {
    /// The reign in which the lease was given.
    pub epoch: Epoch,
    /// Grows with each lease, over all orders, and never starts again.
    pub counter: u64,
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

impl FromStr for FencingToken {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let parts = text.split_once('.').and_then(|(epoch, counter)| {
            Some(Self { epoch: Epoch(epoch.parse().ok()?), counter: counter.parse().ok()? })
        });
        parts.ok_or_else(|| BadId::new(text, "a fencing token: epoch.counter, like 3.1042"))
    }
}

/// The longest kitchen id, in bytes: it must fit in a table column and in a metric label.
pub const KITCHEN_ID_MAX: usize = 32;

/// A kitchen as operators name it: 1 to 32 of `a-z A-Z 0-9 _ - .`; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KitchenId(Arc<str>);

impl KitchenId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KitchenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for KitchenId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let fits = (1..=KITCHEN_ID_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if fits && clean {
            Ok(Self(text.into()))
        } else {
            Err(BadId::new(text, "a kitchen id: 1 to 32 of a-z A-Z 0-9 _ - ."))
        }
    }
}

/// Text in JSON and TOML, the parts themselves in compact binary frames and journal rows.
macro_rules! serde_as_text {
    ($type:ty, $compact:ty, $from:expr, $into:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    short::serialize(self, serializer)
                } else {
                    let into: fn(&$type) -> $compact = $into;
                    into(self).serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    let from: fn($compact) -> Result<$type, BadId> = $from;
                    <$compact>::deserialize(deserializer).and_then(|raw| from(raw).map_err(serde::de::Error::custom))
                }
            }
        }
    };
}

serde_as_text!(OrderId, u64, |raw| Ok(OrderId(raw)), |id| id.0);
serde_as_text!(FencingToken, (Epoch, u64), |(epoch, counter)| Ok(FencingToken { epoch, counter }), |token| (
    token.epoch,
    token.counter
));
serde_as_text!(KitchenId, String, |raw| raw.parse(), |id| id.as_str().to_owned());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written() {
        assert_eq!(OrderId(42).to_string().parse(), Ok(OrderId(42)));
        let token = FencingToken { epoch: Epoch(3), counter: 1042 };
        assert_eq!(token.to_string(), "3.1042");
        assert_eq!("3.1042".parse(), Ok(token));
        assert_eq!(serde_json::to_string(&token).expect("json"), "\"3.1042\"");
        let bytes = postcard::to_stdvec(&token).expect("postcard");
        assert_eq!(postcard::from_bytes::<FencingToken>(&bytes).expect("postcard"), token);
    }

    #[test]
    fn a_newer_epoch_beats_any_counter() {
        let old = FencingToken { epoch: Epoch(1), counter: 900 };
        let new = FencingToken { epoch: Epoch(2), counter: 3 };
        assert!(new > old);
    }

    #[test]
    fn bad_ids_are_refused_with_what_would_be_right() {
        let error = "kitchen 1\u{1b}[2J".parse::<KitchenId>().expect_err("a control character");
        assert!(error.to_string().contains("1 to 32 of"), "{error}");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
        assert!("42".parse::<OrderId>().is_err());
        assert!("".parse::<KitchenId>().is_err());
        assert!("k".repeat(33).parse::<KitchenId>().is_err());
    }
}
