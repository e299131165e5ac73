//! Wall time: for people and for records, never for a decision.
//!
//! Decisions use a monotonic [`std::time::Duration`] that the caller passes in; this type is only displayed and stored.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01 UTC; RFC 3339 in JSON, a number in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

impl WallTime {
    /// What this machine's clock says.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Milliseconds from `earlier` to here, 0 if the clock went back.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    fn timestamp(self) -> jiff::Timestamp {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
    }

    /// The time of day in UTC, `12:41:07.311`.
    #[must_use]
    pub fn clock(self) -> String {
        let ms = self.0 % 86_400_000;
        format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl FromStr for WallTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let timestamp: jiff::Timestamp = text.parse()?;
        Ok(Self(u64::try_from(timestamp.as_millisecond()).unwrap_or(0)))
    }
}

thread_local! {
    /// The time that was put into words last, `2026-11-27T12:41:07.311Z`.
    static SAID_LAST: Cell<(Option<WallTime>, [u8; 24])> = const { Cell::new((None, [0; 24])) };
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        // Times in answers come in crowds: all orders of a batch were accepted in the same millisecond.
        let (known, text) = SAID_LAST.get();
        if known == Some(*self)
            && let Ok(text) = std::str::from_utf8(&text)
        {
            return serializer.serialize_str(text);
        }
        let text = self.to_string();
        if let Ok(bytes) = text.as_bytes().try_into() {
            SAID_LAST.set((Some(*self), bytes));
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_the_same_way_again_and_after_another() {
        let times = [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001, 0, 1_700_000_000_000, u64::MAX, u64::MAX];
        for time in times.map(WallTime) {
            assert_eq!(serde_json::to_string(&time).expect("json"), format!("\"{time}\""));
        }
    }

    #[test]
    fn json_is_rfc_3339_with_milliseconds() {
        let time = WallTime(1_788_000_000_123);
        let json = serde_json::to_string(&time).expect("json");
        assert_eq!(json, "\"2026-08-29T10:40:00.123Z\"");
        assert_eq!(serde_json::from_str::<WallTime>(&json).expect("json"), time);
        assert_eq!(time.clock(), "10:40:00.123");
    }
}
