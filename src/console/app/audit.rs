//! Who changed what, when and why, and what was refused: the operators' side of the ledger.
//!
//! Owns at most 1,000 entries, read from the feed's events (a snapshot repeats the newest) and from what this console
//! asked for. Never the whole truth: what is older than the feed tells stands in the ledger only.

use std::collections::VecDeque;

use protocol::feed::{FeedEvent, Tone};
use protocol::{Position, WallTime};
use serde::{Deserialize, Serialize};

use crate::console::untrusted::Untrusted;

/// The most entries kept.
const ENTRIES: usize = 1_000;
/// Events that an operator caused; the text ends in `by WHO` or `by WHO: WHY`.
const BY_OPERATORS: [&str; 9] = [
    "kitchen_scheduling",
    "drain_started",
    "move_ordered",
    "requeued",
    "cancelled",
    "rush_started",
    "rush_ended",
    "policy_changed",
    "fault",
];
/// Events that say no to somebody.
const REFUSALS: [&str; 2] = ["stale_refused", "move_failed"];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: WallTime,
    /// Where in the ledger; absent for what never reached it.
    pub position: Option<Position>,
    /// Who.
    pub who: Untrusted,
    /// The kind of event, or the command.
    pub what: Untrusted,
    /// Which kitchen or order.
    pub subject: Untrusted,
    /// The rest.
    pub text: Untrusted,
    /// The reason given.
    pub why: Untrusted,
    /// Whether it was refused.
    pub refused: bool,
    /// How loud.
    pub tone: Tone,
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Audit {
    entries: VecDeque<Entry>,
    /// Entries ever added.
    pub added: u64,
}

impl Audit {
    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes an event if an operator caused it or it refuses something.
    pub fn note(&mut self, event: &FeedEvent) {
        let refused = REFUSALS.contains(&event.kind.as_str());
        let by = BY_OPERATORS.contains(&event.kind.as_str()).then(|| split(&event.text)).flatten();
        let (text, who, why) = match (by, refused) {
            (Some(parts), _) => parts,
            (None, true) => (event.text.as_str(), "balancer", ""),
            (None, false) => return,
        };
        self.push(Entry {
            at: event.at,
            position: Some(event.position),
            who: Untrusted::new(who),
            what: Untrusted::new(&event.kind),
            subject: Untrusted::new(&event.subject),
            text: Untrusted::new(text),
            why: Untrusted::new(why),
            refused,
            tone: event.tone,
        });
    }

    /// Takes what this console asked for and did not get.
    pub fn refused(&mut self, at: WallTime, command: &str, subject: &str, answer: &str, why: Option<&str>) {
        self.push(Entry {
            at,
            position: None,
            who: Untrusted::new("this console"),
            what: Untrusted::new(command),
            subject: Untrusted::new(subject),
            text: Untrusted::new(&format!("refused: {answer}")),
            why: Untrusted::new(why.unwrap_or_default()),
            refused: true,
            tone: Tone::Warn,
        });
    }

    /// Takes what this console did and the ledger does not name: who killed a process.
    pub fn done(&mut self, at: WallTime, command: &str, subject: &str, answer: &str, why: Option<&str>) {
        self.refused(at, command, subject, answer, why);
        if let Some(entry) = self.entries.back_mut() {
            (entry.refused, entry.tone, entry.text) = (false, Tone::Warn, Untrusted::new(answer));
        }
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == ENTRIES {
            self.entries.pop_front();
        }
        self.added += 1;
        self.entries.push_back(entry);
    }
}

/// The text before, who, and why; absent if nobody is named.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (before, by) = match text.strip_prefix("by ") {
        Some(by) => ("", by),
        None => text.split_once(" by ")?,
    };
    let (who, why) = by.split_once(": ").unwrap_or((by, ""));
    Some((before, who, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, text: &str) -> FeedEvent {
        FeedEvent {
            position: Position(7),
            at: WallTime(1),
            kind: kind.to_owned(),
            tone: Tone::Warn,
            subject: "k1".to_owned(),
            text: text.to_owned(),
            count: 1,
        }
    }

    #[test]
    fn who_what_and_why_are_taken_apart() {
        let mut audit = Audit::default();
        audit.note(&event("drain_started", "draining for at most 30 s by ada: oven check: 2"));
        audit.note(&event("rush_ended", "by bob"));
        audit.note(&event("rush_ended", "its time is over"));
        audit.note(&event("kitchen_lost", "lease_expired by nobody"));
        audit.note(&event("stale_refused", "late result refused"));
        let shown: Vec<_> = audit
            .newest()
            .map(|entry| [&entry.who, &entry.text, &entry.why].map(|text| text.fit(40)).join("|"))
            .collect();
        assert_eq!(shown, ["balancer|late result refused|", "bob||", "ada|draining for at most 30 s|oven check: 2"]);
    }
}
