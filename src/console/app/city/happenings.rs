//! What happened: events, counts and moves, each taken once.
//!
//! Owns the way from a frame into the lists. Never decides how loud an event is: the feed does.

use std::time::Duration;

use protocol::Position;
use protocol::api::MigrationView;
use protocol::feed::{FeedEvent, Frame, Tone};

use super::{Change, City};

impl City {
    pub(super) fn happenings(&mut self, frame: &Frame, known_to: Position, now: Duration, change: &mut Change) {
        // A snapshot repeats the newest events; those that were seen before the link was lost are not news.
        let is_news = |event: &&FeedEvent| frame.snapshot.is_none() || event.position > known_to;
        let news: Vec<&FeedEvent> = frame.events.iter().filter(is_news).collect();
        change.visible |= !news.is_empty() || !frame.moves.is_empty() || frame.dropped > 0;
        change.visible |= frame.collapsed.values().any(|count| *count > 0);
        change.urgent |= news.iter().any(|event| event.tone == Tone::Bad);
        // The counts hold the notable events of the same kind too; each is shown once.
        let mut collapsed = frame.collapsed.clone();
        for event in &news {
            if let Some(count) = collapsed.get_mut(&event.kind) {
                *count = count.saturating_sub(u64::from(event.count));
            }
        }
        change.visible |= self.events.count(frame.at, &collapsed);
        for event in news {
            self.events.note(event);
            self.audit.note(event);
            self.watch_event(event, frame.snapshot.is_none());
        }
        self.events.dropped += frame.dropped;
        for moved in &frame.moves {
            self.moves.note(moved, now);
            self.watch_move(moved);
        }
    }

    /// Takes migrations of before this console looked; says whether anything looks different.
    pub fn fill_moves(&mut self, older: &[MigrationView]) -> bool {
        let (ids, kitchens) = (&self.ids, &self.kitchens);
        self.moves.fill(older, |id| ids.get(id).and_then(|at| kitchens.get(*at)).map(|kitchen| kitchen.no))
    }
}
