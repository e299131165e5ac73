//! The ring of notable events, and the counts of the rest.
//!
//! Owns at most 2,000 lines. What the feed only counts is one line as long as nothing notable comes between
//! (`×9 771 accepted, leased, completed`), and equal notable events in a row are one line with a count.

use std::collections::{BTreeMap, VecDeque};

use protocol::feed::{FeedEvent, Tone};
use protocol::{Position, WallTime};
use serde::{Deserialize, Serialize};

use crate::console::untrusted::Untrusted;

/// The most lines kept.
pub const LINES: usize = 2_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When the last of it happened.
    pub at: WallTime,
    /// How many.
    pub count: u64,
    /// How loud.
    pub tone: Tone,
    /// What.
    pub body: Body,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// One event, or equal ones.
    Event {
        /// Where the last of it stands; absent for what the console says itself.
        position: Option<Position>,
        /// `kitchen_lost`, ...
        kind: Untrusted,
        /// Which kitchen or order.
        subject: Untrusted,
        /// The rest.
        text: Untrusted,
    },
    /// Events that are only counted, the most frequent kinds first.
    Collapsed(Vec<(Untrusted, u64)>),
}

/// The ring.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Events {
    lines: VecDeque<Line>,
    /// Notable and counted, since the console began.
    pub seen: u64,
    /// Notable ones that did not fit into a frame.
    pub dropped: u64,
    /// Lines ever added, for "behind".
    pub added: u64,
}

impl Events {
    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().rev()
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a notable event.
    pub fn note(&mut self, event: &FeedEvent) {
        self.seen += u64::from(event.count);
        let body = Body::Event {
            position: Some(event.position),
            kind: Untrusted::new(&event.kind),
            subject: Untrusted::new(&event.subject),
            text: Untrusted::new(&event.text),
        };
        self.add(Line { at: event.at, count: u64::from(event.count), tone: event.tone, body });
    }

    /// Adds a line of the console's own.
    pub fn say(&mut self, at: WallTime, tone: Tone, kind: &str, text: &str) {
        let (kind, text) = (Untrusted::new(kind), Untrusted::new(text));
        self.add(Line {
            at,
            count: 1,
            tone,
            body: Body::Event { position: None, kind, subject: Untrusted::default(), text },
        });
    }

    /// Adds counts.
    pub fn count(&mut self, at: WallTime, collapsed: &BTreeMap<String, u64>) {
        let total: u64 = collapsed.values().fold(0, |sum, count| sum.saturating_add(*count));
        if total == 0 {
            return;
        }
        self.seen = self.seen.saturating_add(total);
        if let Some(Line { at: last, count, body: Body::Collapsed(kinds), .. }) = self.lines.back_mut() {
            *last = at;
            *count = count.saturating_add(total);
            merge(kinds, collapsed);
            return;
        }
        let mut kinds = Vec::new();
        merge(&mut kinds, collapsed);
        self.push(Line { at, count: total, tone: Tone::Info, body: Body::Collapsed(kinds) });
    }

    fn add(&mut self, line: Line) {
        if let Some(last) = self.lines.back_mut()
            && last.tone == line.tone
            && same(&last.body, &line.body)
        {
            last.at = line.at;
            last.count += line.count;
            last.body = line.body;
            return;
        }
        self.push(line);
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.added += 1;
        self.lines.push_back(line);
    }
}

/// Whether two lines say the same, apart from where and when.
fn same(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (
            Body::Event { kind, subject, text, .. },
            Body::Event { kind: other_kind, subject: other_subject, text: other_text, .. },
        ) => kind == other_kind && subject == other_subject && text == other_text,
        (Body::Collapsed(_), Body::Collapsed(_) | Body::Event { .. }) | (Body::Event { .. }, Body::Collapsed(_)) => {
            false
        }
    }
}

/// The most kinds in one line; a balancer has a handful.
const KINDS: usize = 32;

fn merge(kinds: &mut Vec<(Untrusted, u64)>, more: &BTreeMap<String, u64>) {
    for (kind, count) in more.iter().filter(|(_, count)| **count > 0) {
        let kind = Untrusted::new(kind);
        if let Some((_, sum)) = kinds.iter_mut().find(|(known, _)| *known == kind) {
            *sum = sum.saturating_add(*count);
        } else if kinds.len() < KINDS {
            kinds.push((kind, *count));
        }
    }
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, subject: &str) -> FeedEvent {
        let (kind, subject) = (kind.to_owned(), subject.to_owned());
        FeedEvent {
            position: Position(1),
            at: WallTime(1),
            kind,
            tone: Tone::Info,
            subject,
            text: String::new(),
            count: 1,
        }
    }

    #[test]
    fn counts_in_a_row_are_one_line() {
        let mut events = Events::default();
        for _ in 0..3 {
            events.count(WallTime(1), &BTreeMap::from([("accepted".to_owned(), 5), ("leased".to_owned(), 7)]));
        }
        events.note(&event("cordoned", "k1"));
        events.count(WallTime(2), &BTreeMap::from([("accepted".to_owned(), 1)]));
        assert_eq!(events.len(), 3);
        let oldest = events.newest().last().expect("a line");
        assert_eq!(oldest.count, 36);
        assert_eq!(
            oldest.body,
            Body::Collapsed(vec![(Untrusted::new("leased"), 21), (Untrusted::new("accepted"), 15)])
        );
        assert_eq!(events.seen, 38);
    }

    #[test]
    fn equal_events_in_a_row_are_counted_and_the_ring_is_bounded() {
        let mut events = Events::default();
        events.note(&event("stale_refused", "o1"));
        events.note(&event("stale_refused", "o1"));
        assert_eq!((events.len(), events.newest().next().map(|line| line.count)), (1, Some(2)));
        for n in 0..3_000 {
            events.note(&event("recovered", &format!("o{n}")));
        }
        assert_eq!(events.len(), LINES);
    }
}
