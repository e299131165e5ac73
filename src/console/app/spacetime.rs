//! One order in space and time: where it was, what was done there, and what a move or a loss cost.
//!
//! Owns the reading of an order's history: spans of waiting, leasing, cooking and loss, a lane for each place. Rows of the
//! history are joined with the order's hops by the fencing token, which stands in every text that concerns a lease. What
//! cannot be read is left out, never guessed.

use protocol::api::{HistoryEvent, HopKind, OrderView};
use protocol::{FencingToken, WallTime};

use crate::console::untrusted::Untrusted;

/// What an order does in a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// At the balancer, without a kitchen.
    Waits,
    /// In a kitchen, not being cooked.
    Held,
    /// A stage, counted from 1.
    Cooks(u8),
    /// Cooked, and lost with the kitchen: done again elsewhere.
    Wasted(u8),
}

/// A time in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The lane.
    pub lane: usize,
    /// From.
    pub from: WallTime,
    /// To; the end of the picture if it goes on.
    pub to: WallTime,
    /// What.
    pub doing: Doing,
}

/// How a stay in a place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The order is done.
    Completed,
    /// It went elsewhere.
    Moved,
    /// The kitchen or its lease was lost.
    Lost,
    /// The attempt failed.
    Failed,
    /// It was called off or set aside.
    Stopped,
}

/// A mark at the end of a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The lane.
    pub lane: usize,
    /// When.
    pub at: WallTime,
    /// How.
    pub end: End,
}

/// A change of place worth a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// When.
    pub at: WallTime,
    /// `handover kitchen_1 -> kitchen_3`.
    pub what: Untrusted,
    /// `drain, 3.2 s of cooking kept, pause 41 ms`.
    pub cost: Untrusted,
    /// How it came there.
    pub kind: HopKind,
}

/// An order's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Places, in the sequence in which it came there; the balancer first.
    pub lanes: Vec<Untrusted>,
    /// Spans.
    pub spans: Vec<Span>,
    /// Ends of stays.
    pub marks: Vec<Mark>,
    /// Moves, losses and tries.
    pub turns: Vec<Turn>,
    /// Where the picture begins.
    pub from: WallTime,
    /// Where it ends.
    pub to: WallTime,
}

/// Reads the way of an order; `now` is the balancer's clock, for an order that is still open.
#[must_use]
pub fn way(order: &OrderView, history: &[HistoryEvent], now: WallTime) -> Way {
    let first = history.first().map_or(order.placed_at, |event| event.at.min(order.placed_at));
    let last = history.last().map_or(order.placed_at, |event| event.at);
    let end = order.completed_at.unwrap_or_else(|| now.max(last));
    let mut reader = Reader::new(order, (first, end));
    for event in history {
        reader.take(event);
    }
    reader.finish(order.state.is_open())
}

/// Where the order is while the history is read.
#[derive(Debug, Clone, Copy)]
struct Here {
    lane: usize,
    since: WallTime,
    /// The stage being cooked; 0: none.
    stage: u8,
}

struct Reader<'a> {
    order: &'a OrderView,
    way: Way,
    here: Here,
    /// Of the last loss: how long the stage had been cooked.
    wasted_ms: u64,
    ended: bool,
}

impl<'a> Reader<'a> {
    fn new(order: &'a OrderView, (from, end): (WallTime, WallTime)) -> Self {
        let way = Way { lanes: vec![Untrusted::new("balancer")], from, to: end, ..Way::default() };
        Self { order, way, here: Here { lane: 0, since: from, stage: 0 }, wasted_ms: 0, ended: false }
    }

    fn take(&mut self, event: &HistoryEvent) {
        let (at, detail) = (event.at, event.detail.as_str());
        match event.event.as_str() {
            "leased" => self.leased(at, detail),
            "started" => self.cook(at, stage(detail).unwrap_or(1)),
            "stage_done" => self.stage_done(at, stage(detail).unwrap_or(self.here.stage)),
            "lease_lost" => self.lost(at),
            "attempt_failed" => self.leave(at, End::Failed),
            "completed" => self.stop(at, End::Completed),
            "cancelled" | "dead_lettered" => self.stop(at, End::Stopped),
            // Requests, refusals and confirmations move nothing.
            _ => {}
        }
    }

    fn leased(&mut self, at: WallTime, detail: &str) {
        let token = token(detail);
        let hop = self.order.hops.iter().find(|hop| Some(hop.token) == token);
        let place = hop.map(|hop| hop.kitchen.to_string()).or_else(|| target(detail)).unwrap_or_default();
        if place.is_empty() {
            return;
        }
        let before = self.here.lane;
        if before != 0 {
            self.leave(at, End::Moved);
        }
        self.close(at);
        let lane = self.lane(&place);
        self.ended = false;
        self.here = Here { lane, since: at, stage: 0 };
        let Some(hop) = hop.filter(|hop| hop.kind != HopKind::Dispatch) else { return };
        let from = self.came_from(hop.token, before);
        let mut cost: Vec<String> = hop.reason.iter().cloned().collect();
        cost.extend(kept(detail).map(|ms| format!("{} of cooking kept", seconds(ms))));
        if hop.kind == HopKind::Recover && self.wasted_ms > 0 {
            cost.push(format!("{} of cooking lost", seconds(self.wasted_ms)));
        }
        cost.extend(
            hop.pause_ms
                .map(|ms| format!("{} {}", if hop.kind == HopKind::Recover { "gap" } else { "pause" }, seconds(ms))),
        );
        self.wasted_ms = 0;
        let what = format!("{} {from} -> {place}", hop.kind.word());
        let (what, cost) = (Untrusted::new(&what), Untrusted::new(&cost.join(", ")));
        self.way.turns.push(Turn { at, what, cost, kind: hop.kind });
    }

    /// The place of the hop before, or the lane it was in.
    fn came_from(&self, token: FencingToken, lane: usize) -> String {
        let at = self.order.hops.iter().position(|hop| hop.token == token);
        let before = at.and_then(|at| at.checked_sub(1)).and_then(|at| self.order.hops.get(at));
        before.map_or_else(
            || self.way.lanes.get(lane).map_or_else(String::new, |lane| lane.fit(32)),
            |hop| hop.kitchen.to_string(),
        )
    }

    fn cook(&mut self, at: WallTime, stage: u8) {
        self.close(at);
        (self.here.since, self.here.stage) = (at, stage);
    }

    fn stage_done(&mut self, at: WallTime, stage: u8) {
        self.here.stage = stage;
        self.close(at);
        let more = stage < self.order.stage.of;
        (self.here.since, self.here.stage) = (at, if more { stage + 1 } else { 0 });
    }

    fn lost(&mut self, at: WallTime) {
        if self.here.stage > 0 {
            self.wasted_ms = at.ms_since(self.here.since);
            self.span(at, Doing::Wasted(self.here.stage));
            (self.here.since, self.here.stage) = (at, 0);
        }
        self.leave(at, End::Lost);
    }

    /// The stay here is over, and the order waits at the balancer.
    fn leave(&mut self, at: WallTime, end: End) {
        self.close(at);
        if self.here.lane != 0 {
            self.way.marks.push(Mark { lane: self.here.lane, at, end });
        }
        self.here = Here { lane: 0, since: at, stage: 0 };
    }

    fn stop(&mut self, at: WallTime, end: End) {
        self.close(at);
        self.way.marks.push(Mark { lane: self.here.lane, at, end });
        self.here = Here { lane: 0, since: at, stage: 0 };
        self.ended = true;
    }

    /// Ends the running span.
    fn close(&mut self, at: WallTime) {
        let doing = match (self.here.lane, self.here.stage) {
            (0, _) => Doing::Waits,
            (_, 0) => Doing::Held,
            (_, stage) => Doing::Cooks(stage),
        };
        if !self.ended {
            self.span(at, doing);
        }
        self.here.since = at;
    }

    fn span(&mut self, to: WallTime, doing: Doing) {
        let Here { lane, since, .. } = self.here;
        if to > since {
            self.way.spans.push(Span { lane, from: since, to, doing });
        }
    }

    fn lane(&mut self, place: &str) -> usize {
        let place = Untrusted::new(place);
        if let Some(at) = self.way.lanes.iter().position(|lane| *lane == place) {
            return at;
        }
        self.way.lanes.push(place);
        self.way.lanes.len() - 1
    }

    fn finish(mut self, open: bool) -> Way {
        if open {
            self.close(self.way.to);
        }
        self.way
    }
}

/// The first fencing token in a text.
fn token(text: &str) -> Option<FencingToken> {
    let trimmed = |word: &str| word.trim_matches([':', ',', '.']).parse().ok();
    text.split_whitespace().find_map(trimmed)
}

/// The number behind `stage`.
fn stage(text: &str) -> Option<u8> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == "stage")?;
    words.next()?.parse().ok()
}

/// The kitchen before `with token`, where no hop names it.
fn target(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "with")?;
    at.checked_sub(1).and_then(|at| words.get(at)).map(|word| (*word).to_owned())
}

/// Milliseconds of cooking that a handover carried over.
fn kept(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.windows(4).position(|four| four[1..] == ["ms", "of", "cooking"])?;
    words[at].parse().ok()
}

fn seconds(ms: u64) -> String {
    crate::console::view::text::ms(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::tests::fixture::{NOON, history, order};

    #[test]
    fn a_loss_is_wasted_cooking_a_gap_and_another_lane() {
        let history = history();
        let way = way(&order(812), &history.events, WallTime(NOON + 60_000));
        let lanes: Vec<String> = way.lanes.iter().map(|lane| lane.fit(20)).collect();
        assert_eq!(lanes, ["balancer", "kitchen_3", "kitchen_1"]);
        let doing: Vec<(usize, Doing)> = way.spans.iter().map(|span| (span.lane, span.doing)).collect();
        assert!(doing.contains(&(1, Doing::Wasted(1))), "{doing:?}");
        assert_eq!(doing.last(), Some(&(2, Doing::Cooks(2))));
        assert_eq!(way.marks[0].end, End::Lost);
        assert_eq!(way.turns.len(), 1);
        assert_eq!(way.turns[0].what.fit(60), "recover kitchen_3 -> kitchen_1");
        assert!(way.turns[0].cost.fit(80).contains("gap 2.1 s"), "{}", way.turns[0].cost.fit(80));
    }

    #[test]
    fn spans_follow_each_other_without_a_hole() {
        let way = way(&order(812), &history().events, WallTime(NOON + 60_000));
        for pair in way.spans.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{pair:?}");
        }
        assert_eq!(way.spans.first().map(|span| span.from), Some(way.from));
        assert_eq!(way.spans.last().map(|span| span.to), Some(way.to));
    }

    #[test]
    fn texts_of_any_kind_are_read_or_left_out() {
        assert_eq!(token("3.1042: lease_expired").map(|token| token.counter), Some(1_042));
        assert_eq!(token("under 3.7, cooked in 12 ms").map(|token| token.counter), Some(7));
        assert_eq!(stage("at stage 2 under 3.1"), Some(2));
        assert_eq!(target("a -> b with token 3.4: drain, 3 ms").as_deref(), Some("b"));
        assert_eq!(kept("handed over from a to b with token 3.4: drain, 3200 ms of cooking kept"), Some(3_200));
        for rubbish in ["", "stage", "with", "\u{1b}[2J with token", "ms of cooking"] {
            let _ = (token(rubbish), stage(rubbish), target(rubbish), kept(rubbish));
        }
    }
}
