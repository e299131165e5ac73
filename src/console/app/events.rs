//! The ring of notable events, and the counts of the rest.
//!
//! Owns at most 2,000 lines, in the sequence of their times. What the feed only counts is no line: it is a figure of the last
//! ten seconds (`9 771 routine in 10 s`). Equal notable events in a row are one line with a count.

use std::collections::{BTreeMap, VecDeque};

use protocol::feed::{FeedEvent, Tone};
use protocol::{Position, WallTime};
use serde::{Deserialize, Serialize};

use crate::console::untrusted::Untrusted;

/// The most lines kept.
pub const LINES: usize = 2_000;

/// Seconds of [`Events::routine`].
const ROUTINE_S: u64 = 10;
/// How far up a line is put among those of later times.
const NEAR: usize = 64;

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
    /// Events that are only counted, the most frequent kinds first: in recordings of before.
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
    /// What was only counted: seconds of the balancer's clock, and how many in each.
    #[serde(default)]
    routine: VecDeque<(u64, u64)>,
}

impl Events {
    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().rev()
    }

    /// How many were only counted in the last ten seconds.
    #[must_use]
    pub fn routine(&self) -> u64 {
        self.routine.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
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

    /// Adds counts; says whether [`Events::routine`] is another figure.
    pub fn count(&mut self, at: WallTime, collapsed: &BTreeMap<String, u64>) -> bool {
        let before = self.routine();
        let second = at.0 / 1_000;
        // A clock that was set back leaves nothing from the future behind.
        self.routine.retain(|(then, _)| *then <= second && then + ROUTINE_S > second);
        let total: u64 = collapsed.values().fold(0, |sum, count| sum.saturating_add(*count));
        self.seen = self.seen.saturating_add(total);
        match self.routine.back_mut() {
            _ if total == 0 => {}
            Some((then, count)) if *then == second => *count = count.saturating_add(total),
            Some(_) | None => self.routine.push_back((second, total)),
        }
        self.routine() != before
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
        // What the console says itself stands at its frame's time, and the frame's events happened before. Only so far up,
        // because a clock that was set back must not hide what is new.
        let later = self.lines.iter().rev().take(NEAR).take_while(|known| line.at < known.at).count();
        let later = if later == NEAR { 0 } else { later };
        self.lines.insert(self.lines.len() - later, line);
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
    fn what_is_only_counted_is_a_figure_of_ten_seconds_and_no_line() {
        let mut events = Events::default();
        let counts = BTreeMap::from([("accepted".to_owned(), 5), ("leased".to_owned(), 7)]);
        for second in 1..=3 {
            assert!(events.count(WallTime(second * 1_000), &counts));
        }
        events.note(&event("cordoned", "k1"));
        assert_eq!((events.len(), events.routine(), events.seen), (1, 36, 37));
        assert!(!events.count(WallTime(10_999), &BTreeMap::new()));
        assert!(events.count(WallTime(12_000), &BTreeMap::new()));
        assert_eq!(events.routine(), 12);
    }

    #[test]
    fn lines_stand_in_the_sequence_of_their_times() {
        let mut events = Events::default();
        for (kind, at) in [("a", 1_000), ("c", 3_000), ("b", 2_000)] {
            events.note(&FeedEvent { at: WallTime(at), ..event(kind, "k1") });
        }
        let times: Vec<u64> = events.newest().map(|line| line.at.0).collect();
        assert_eq!(times, [3_000, 2_000, 1_000]);
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
