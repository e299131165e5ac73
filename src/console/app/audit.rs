//! Who changed what, when and why, and what was refused: the operators' side of the ledger.
//!
//! Owns at most 1,000 entries, newest last: from the feed's events, from pages of the ledger, and from what this console
//! asked for. Owns how far down the pages were read; never asks itself (`background.rs` does).
//!
//! - An act is one position and one subject, so what both the feed and a page tell stands here once.
//! - A page that does not reach up to where the city was when it was asked for is asked for again, and so is one that failed:
//!   only a balancer that knows no pages is not.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::api::{ActionPage, ActionView};
use protocol::feed::{FeedEvent, Tone};
use protocol::{Position, WallTime};
use serde::{Deserialize, Serialize};

use crate::console::untrusted::Untrusted;

/// The most entries kept.
const ENTRIES: usize = 1_000;
/// A page that was not whole is asked for again after this: what the balancer asks for while it reads up.
const AGAIN: Duration = Duration::from_secs(5);
/// Each failure doubles the pause, up to this.
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// The code of an answer from a balancer that knows no pages, and from what stands before one.
const UNKNOWN: [&str; 2] = ["not_found", "http_404"];
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
    /// Entries ever added on top.
    pub added: u64,
    #[serde(skip)]
    paging: Paging,
    /// Where the city was when the page was asked for.
    #[serde(skip)]
    wanted: Position,
    /// Up to where the last page looked, if that was not far enough.
    #[serde(skip)]
    reached: Option<Position>,
    /// Failures in a row.
    #[serde(skip)]
    failures: u32,
    /// How far down an earlier connection had read, and up to where that had no gap.
    #[serde(skip)]
    read: Option<(Paging, Position)>,
}

/// How far down the ledger's pages were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Paging {
    /// Not at all under this connection.
    #[default]
    Unasked,
    /// The page before this position is on its way; none: the newest.
    Asking(Option<Position>),
    /// The same page, which was not whole or failed, again at this time.
    Again(Option<Position>, Duration),
    /// The next page is the one before this position.
    Next(Position),
    /// To the beginning of the ledger.
    All,
    /// The balancer does not tell; it may be an older one.
    Refused,
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

    /// What is to be said where there are none: how far the ledger was read decides what that means.
    #[must_use]
    pub fn emptiness(&self) -> &'static str {
        match self.paging {
            Paging::All => "nobody has acted since the ledger begins",
            Paging::Unasked | Paging::Asking(_) => "reading the ledger",
            Paging::Again(..) => "the ledger is not read yet; it is asked again",
            Paging::Next(_) => "nobody has acted in what was read of the ledger",
            Paging::Refused => "nobody has acted since the feed's memory begins; older: in the ledger",
        }
    }

    /// What may be missing in the list, in words; absent where nothing is known to be.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        match (self.reached, self.paging) {
            (Some(position), _) => Some(format!("read up to position {position}")),
            (None, Paging::Again(..)) => Some("older: not read yet".to_owned()),
            (None, Paging::Refused) => Some("since the feed's memory begins".to_owned()),
            (None, Paging::Unasked | Paging::Asking(_) | Paging::Next(_) | Paging::All) => None,
        }
    }

    /// Which page is wanted, and from when on: the newest first, and the next one when `at_the_end` says that the last entry is
    /// looked at.
    pub fn wants(&self, at_the_end: impl FnOnce() -> bool) -> Option<(Option<Position>, Duration)> {
        match self.paging {
            Paging::Unasked => Some((None, Duration::ZERO)),
            Paging::Again(before, at) => Some((before, at)),
            Paging::Next(before) if self.len() < ENTRIES && at_the_end() => Some((Some(before), Duration::ZERO)),
            Paging::Asking(_) | Paging::Next(_) | Paging::All | Paging::Refused => None,
        }
    }

    /// The page that was wanted is on its way; the city is at `position`.
    pub fn asked(&mut self, position: Position) {
        self.wanted = position;
        self.paging = match self.paging {
            Paging::Next(before) => Paging::Asking(Some(before)),
            Paging::Again(before, _) => Paging::Asking(before),
            Paging::Unasked | Paging::Asking(_) | Paging::All | Paging::Refused => Paging::Asking(None),
        };
    }

    /// No page came, and why: a refusal with its code at the end, or words of the link.
    pub fn failed(&mut self, why: &str, now: Duration) {
        let Paging::Asking(before) = self.paging else { return };
        if super::refusal::code(why).is_some_and(|code| UNKNOWN.contains(&code)) {
            self.paging = Paging::Refused;
            return;
        }
        let pause = AGAIN.saturating_mul(1 << self.failures.min(10)).min(AGAIN_MAX);
        self.failures += 1;
        self.paging = Paging::Again(before, now + pause);
    }

    /// Another connection: what happened between the two is not known yet.
    pub fn ask_anew(&mut self) {
        (self.reached, self.failures) = (None, 0);
        let before = match std::mem::take(&mut self.paging) {
            Paging::Asking(Some(before)) | Paging::Again(Some(before), _) => Paging::Next(before),
            reached @ (Paging::Next(_) | Paging::All) => reached,
            Paging::Unasked | Paging::Asking(None) | Paging::Again(None, _) | Paging::Refused => return,
        };
        self.read = self.read.map(|(_, to)| (before, to));
    }

    /// Takes a page of the ledger; says whether anything is new.
    pub fn fill(&mut self, page: &ActionPage, now: Duration) -> bool {
        // What was asked for under an earlier connection says nothing of how far this one has read.
        if let Paging::Asking(before) = self.paging {
            self.turn(before, page, now);
        }
        let new = page.actions.iter().filter(|action| self.place(ledger_entry(action))).count();
        new > 0
    }

    /// Where reading goes on after a page.
    fn turn(&mut self, before: Option<Position>, page: &ActionPage, now: Duration) {
        self.failures = 0;
        if page.position < before.map_or(self.wanted, |before| before.min(self.wanted)) {
            self.reached = Some(page.position);
            self.paging = Paging::Again(before, now + AGAIN);
            return;
        }
        self.reached = None;
        self.paging = page.next.map_or(Paging::All, Paging::Next);
        if before.is_some() {
            return;
        }
        // Down to where an earlier connection had read there is no need to read again.
        let joins = |to: Position| page.next.is_none_or(|oldest| oldest <= to);
        if let Some((reached, _)) = self.read.filter(|(_, to)| joins(*to)) {
            self.paging = reached;
        }
        self.read = Some((self.paging, page.position));
    }

    /// How often the policy was changed behind a position, as far as it was told.
    #[must_use]
    pub fn policy_changes_after(&self, position: Position) -> usize {
        let later = self.entries.iter().rev().filter(|entry| entry.position.is_some_and(|at| at > position));
        later.filter(|entry| entry.what.matches("policy_changed")).count()
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
        let placed = self.place(Entry {
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
        self.added += u64::from(placed);
    }

    /// Takes what this console asked for and did not get.
    pub fn refused(&mut self, at: WallTime, command: &str, subject: &str, answer: &str, why: Option<&str>) {
        let text = format!("refused: {answer}");
        self.own(at, (command, subject), (&text, "this console", why.unwrap_or_default()), true);
    }

    /// Takes what this console did and the ledger does not name: who killed a process. The supervisor says in whose name.
    pub fn done(&mut self, at: WallTime, command: &str, subject: &str, answer: &str, why: Option<&str>) {
        let told = split(answer).unwrap_or((answer, "this console", why.unwrap_or_default()));
        self.own(at, (command, subject), told, false);
    }

    fn own(
        &mut self,
        at: WallTime,
        (command, subject): (&str, &str),
        (text, who, why): (&str, &str, &str),
        refused: bool,
    ) {
        let [who, what, subject, text, why] = [who, command, subject, text, why].map(Untrusted::new);
        let placed = self.place(Entry { at, position: None, who, what, subject, text, why, refused, tone: Tone::Warn });
        self.added += u64::from(placed);
    }

    /// Puts an entry where it belongs, unless it is here already or older than all that there is room for.
    fn place(&mut self, entry: Entry) -> bool {
        let same = |known: &Entry| known.position == entry.position && known.subject == entry.subject;
        if entry.position.is_some() && self.entries.iter().any(same) {
            return false;
        }
        let is_newer = |known: &Entry| match (known.position, entry.position) {
            (Some(known), Some(position)) => known > position,
            (_, None) => false,
            (None, Some(_)) => known.at > entry.at,
        };
        let newer = self.entries.iter().rev().take_while(|known| is_newer(known)).count();
        let mut index = self.entries.len() - newer;
        if self.entries.len() == ENTRIES {
            if index == 0 {
                return false;
            }
            self.entries.pop_front();
            index -= 1;
        }
        self.entries.insert(index, entry);
        true
    }
}

fn ledger_entry(action: &ActionView) -> Entry {
    let who = if action.operator.is_empty() { "somebody" } else { &action.operator };
    Entry {
        at: action.at,
        position: Some(action.position),
        who: Untrusted::new(who),
        what: Untrusted::new(&action.kind),
        subject: Untrusted::new(&action.subject),
        text: Untrusted::new(split(&action.text).map_or(action.text.as_str(), |(text, ..)| text)),
        why: Untrusted::new(&action.reason),
        refused: false,
        tone: action.tone,
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

    const NOW: Duration = Duration::from_secs(9);

    fn event(position: u64, kind: &str, text: &str) -> FeedEvent {
        FeedEvent {
            position: Position(position),
            at: WallTime(position),
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
        audit.note(&event(1, "drain_started", "draining for at most 30 s by ada: oven check: 2"));
        audit.note(&event(2, "rush_ended", "by bob"));
        audit.note(&event(3, "rush_ended", "its time is over"));
        audit.note(&event(4, "kitchen_lost", "lease_expired by nobody"));
        audit.note(&event(5, "stale_refused", "late result refused"));
        audit.done(WallTime(6), "kill", "k1", "k1 is killed (pid 7) by cyd: smoke", Some("smoke"));
        let shown: Vec<_> = audit
            .newest()
            .map(|entry| [&entry.who, &entry.text, &entry.why].map(|text| text.fit(40)).join("|"))
            .collect();
        let drain = "ada|draining for at most 30 s|oven check: 2";
        assert_eq!(shown, ["cyd|k1 is killed (pid 7)|smoke", "balancer|late result refused|", "bob||", drain]);
    }

    fn page(positions: impl DoubleEndedIterator<Item = u64>, next: Option<u64>, position: u64) -> ActionPage {
        let action = |position| ActionView {
            position: Position(position),
            epoch: protocol::Epoch(1),
            at: WallTime(position),
            operator: "ada".to_owned(),
            reason: String::new(),
            kind: "cancelled".to_owned(),
            tone: Tone::Info,
            subject: "k1".to_owned(),
            text: "cancelled by ada".to_owned(),
        };
        let actions = positions.rev().map(action).collect();
        ActionPage { actions, next: next.map(Position), position: Position(position) }
    }

    fn positions(audit: &Audit) -> Vec<u64> {
        audit.newest().filter_map(|entry| entry.position).map(|position| position.0).collect()
    }

    fn ask(audit: &mut Audit) -> Option<Option<Position>> {
        audit.wants(|| true).inspect(|_| audit.asked(Position(0))).map(|(before, _)| before)
    }

    #[test]
    fn the_feed_and_the_pages_tell_an_act_once_and_in_its_place() {
        let mut audit = Audit::default();
        audit.note(&event(20, "rush_ended", "by bob"));
        assert_eq!((ask(&mut audit), ask(&mut audit)), (Some(None), None), "once");
        assert!(audit.fill(&page(18..=20, Some(18), 25), NOW));
        audit.note(&event(20, "rush_ended", "by bob"));
        audit.note(&event(26, "rush_ended", "by bob"));
        assert_eq!(positions(&audit), [26, 20, 19, 18]);
        assert_eq!(audit.added, 2, "older ones do not push a selection down");
        assert_eq!(audit.wants(|| false), None, "only when somebody looks");
        assert_eq!(ask(&mut audit), Some(Some(Position(18))));
        assert!(audit.fill(&page(3..=3, None, 25), NOW));
        assert_eq!((positions(&audit).last(), ask(&mut audit)), (Some(&3), None));
    }

    #[test]
    fn after_a_gap_the_newest_page_is_asked_for_and_the_older_ones_only_if_it_does_not_join() {
        for (next, then) in [(30, Some(Some(Position(7)))), (50, Some(Some(Position(50))))] {
            let mut audit = Audit::default();
            ask(&mut audit);
            audit.fill(&page(7..=9, Some(7), 40), NOW);
            audit.ask_anew();
            assert_eq!(ask(&mut audit), Some(None));
            audit.fill(&page(next..=next + 2, Some(next), 60), NOW);
            assert_eq!(ask(&mut audit), then);
        }
        let mut older = Audit::default();
        ask(&mut older);
        older.failed("there is nothing at /actions (not_found)", NOW);
        assert_eq!(ask(&mut older), None, "a balancer that does not know the page is asked once");
        older.ask_anew();
        assert_eq!(ask(&mut older), Some(None));
    }

    fn wanted_at(audit: &mut Audit, position: u64) -> Option<(Option<Position>, Duration)> {
        audit.wants(|| true).inspect(|_| audit.asked(Position(position)))
    }

    #[test]
    fn a_page_that_does_not_reach_up_to_the_city_is_asked_for_again() {
        let mut audit = Audit::default();
        wanted_at(&mut audit, 50);
        assert!(audit.fill(&page(7..=9, None, 40), NOW));
        assert_eq!(audit.missing().as_deref(), Some("read up to position 40"));
        assert_eq!(wanted_at(&mut audit, 55), Some((None, NOW + AGAIN)));
        assert!(audit.fill(&page(44..=45, Some(44), 55), NOW));
        assert_eq!((audit.missing(), positions(&audit)), (None, vec![45, 44, 9, 8, 7]));
        // An older page need not know the newest.
        assert_eq!(wanted_at(&mut audit, 90), Some((Some(Position(44)), Duration::ZERO)));
        audit.fill(&page(7..=9, None, 60), NOW);
        assert_eq!((audit.missing(), wanted_at(&mut audit, 90)), (None, None));
    }

    #[test]
    fn a_page_that_failed_is_asked_for_again_each_time_a_little_later() {
        let mut audit = Audit::default();
        let mut pauses = Vec::new();
        for why in ["the table is being brought up to date (history_behind)", "not sent: the link is busy or gone", ""]
        {
            wanted_at(&mut audit, 50);
            audit.failed(why, NOW);
            pauses.push(audit.wants(|| true).map(|(_, at)| (at - NOW).as_secs()));
        }
        assert_eq!((pauses, audit.is_empty()), (vec![Some(5), Some(10), Some(20)], true));
        assert_eq!(audit.missing().as_deref(), Some("older: not read yet"));
        wanted_at(&mut audit, 50);
        audit.fill(&page(7..=9, None, 50), NOW);
        assert_eq!((audit.missing(), audit.wants(|| true)), (None, None));
    }

    #[test]
    fn an_answer_to_an_earlier_connection_does_not_end_the_reading_of_this_one() {
        let mut audit = Audit::default();
        wanted_at(&mut audit, 50);
        audit.ask_anew();
        assert!(audit.fill(&page(7..=9, None, 50), NOW));
        assert_eq!(audit.wants(|| true), Some((None, Duration::ZERO)));
    }

    #[test]
    fn the_oldest_make_room_and_nothing_older_comes_in() {
        let mut audit = Audit::default();
        ask(&mut audit);
        audit.fill(&page(5_000..=5_999, Some(5_000), 7_000), NOW);
        assert_eq!(ask(&mut audit), None, "there is no room for more");
        audit.note(&event(6_500, "rush_ended", "by bob"));
        let known = positions(&audit);
        assert_eq!((known.len(), known.first(), known.last()), (1_000, Some(&6_500), Some(&5_001)));
        assert!(!audit.fill(&page(1..=1, None, 7_000), NOW));
    }
}
