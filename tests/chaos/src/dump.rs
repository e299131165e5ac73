//! The ledger as `chef dump` prints it: one JSON object a line and event.
//!
//! Owns reading a line. Fields that are not needed here are ignored, so that a newer dump stays readable; a line that
//! has no position, epoch, time or event is an error, not a guess.

use std::io::{BufRead, BufReader, Read};

use color_eyre::eyre::{WrapErr, ensure, eyre};
use serde::Deserialize;

use crate::Result;
use crate::clock::{self, Ms};

/// A fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Of the leader that gave it.
    pub epoch: u64,
    /// Grows with each lease.
    pub counter: u64,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Where it stands.
    pub position: u64,
    /// Under which leader.
    pub epoch: u64,
    /// When.
    pub at: Ms,
    /// `accepted`, `leased`, ...
    pub event: String,
    /// The number of the order it is about.
    pub order: Option<u64>,
    /// The kitchen it is about.
    pub kitchen: Option<String>,
    /// Under which right.
    pub token: Option<Token>,
    /// The idempotency key, of an acceptance.
    pub key: Option<String>,
    /// Of a lease: `dispatch`, `reassign`, `recover`, `retry`, `handover`, `release`.
    pub kind: Option<String>,
    /// Why a lease or a kitchen was lost: `kitchen_silent`, `drain_deadline`, ...
    pub cause: Option<String>,
    /// The source of a move.
    pub from: Option<String>,
    /// Counted from 0.
    pub stage: Option<u32>,
    /// How long nobody had it.
    pub pause_ms: Option<u64>,
    /// Cooking time that a handover kept.
    pub saved_ms: Option<u64>,
    /// What a failed cooking command said.
    pub output: Option<String>,
    /// Failed and lost attempts of an order that is set aside.
    pub strikes: Option<u32>,
    /// Of an acceptance: nobody sent it, a rush made it.
    pub rush: bool,
    /// Whether a kitchen may be given orders from here on: `open`, `cordoned`, ...
    pub schedulable: Option<String>,
}

/// The line as it is written.
#[derive(Deserialize)]
struct Raw {
    position: u64,
    epoch: u64,
    at: String,
    event: String,
    order: Option<String>,
    kitchen: Option<String>,
    token: Option<String>,
    key: Option<String>,
    kind: Option<String>,
    cause: Option<String>,
    from: Option<String>,
    stage: Option<u32>,
    pause_ms: Option<u64>,
    saved_ms: Option<u64>,
    output: Option<String>,
    strikes: Option<u32>,
    #[serde(default)]
    rush: bool,
    schedulable: Option<String>,
}

impl Row {
    /// Reads one line.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self> {
        let raw: Raw = serde_json::from_str(line).wrap_err_with(|| line.chars().take(200).collect::<String>())?;
        let at = clock::parse(&raw.at).ok_or_else(|| eyre!("position {}: `{}` is no time", raw.position, raw.at))?;
        Ok(Self {
            position: raw.position,
            epoch: raw.epoch,
            at,
            event: raw.event,
            order: raw.order.as_deref().map(order).transpose()?,
            kitchen: raw.kitchen,
            token: raw.token.as_deref().map(token).transpose()?,
            key: raw.key,
            kind: raw.kind,
            cause: raw.cause,
            from: raw.from,
            stage: raw.stage,
            pause_ms: raw.pause_ms,
            saved_ms: raw.saved_ms,
            output: raw.output,
            strikes: raw.strikes,
            rush: raw.rush,
            schedulable: raw.schedulable,
        })
    }
}

/// `o17` as its number.
///
/// # Errors
/// It is no order.
pub fn order(text: &str) -> Result<u64> {
    let number = text.strip_prefix('o').and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| eyre!("`{text}` is no order"))
}

fn token(text: &str) -> Result<Token> {
    let parts = text.split_once('.').and_then(|(epoch, counter)| Some((epoch.parse().ok()?, counter.parse().ok()?)));
    let (epoch, counter) = parts.ok_or_else(|| eyre!("`{text}` is no token"))?;
    Ok(Token { epoch, counter })
}

/// Reads a whole dump, row by row: it may be larger than memory.
///
/// # Errors
/// A line is no event, or there is none at all.
pub fn read(from: impl Read, mut each: impl FnMut(&Row)) -> Result<u64> {
    let mut count = 0;
    for line in BufReader::new(from).lines() {
        let row = Row::parse(&line?).wrap_err_with(|| format!("line {} of the dump", count + 1))?;
        each(&row);
        count += 1;
    }
    ensure!(count > 0, "the dump is empty");
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_and_what_is_unknown_in_it_is_ignored() {
        let line = r#"{"position":9,"epoch":2,"at":"1970-01-01T00:00:02Z","event":"leased","order":"o3",
            "kitchen":"kitchen_1","token":"2.5","kind":"recover","cause":"lease_expired"}"#;
        let row = Row::parse(&line.replace('\n', "")).expect("a row");
        assert_eq!((row.position, row.epoch, row.at, row.order), (9, 2, 2_000, Some(3)));
        assert_eq!(row.token, Some(Token { epoch: 2, counter: 5 }));
        assert_eq!(row.kind.as_deref(), Some("recover"));
    }

    #[test]
    fn a_line_that_is_no_event_is_an_error_with_its_number() {
        let good = r#"{"position":1,"epoch":1,"at":"1970-01-01T00:00:02Z","event":"epoch_started"}"#;
        let bad = r#"{"position":2,"epoch":1,"at":"noon","event":"accepted"}"#;
        let error = read(format!("{good}\n{bad}\n").as_bytes(), |_| ()).expect_err("noon");
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        assert!(read(&b""[..], |_| ()).is_err());
        assert!(order("x1").is_err() && token("1-2").is_err());
    }
}
