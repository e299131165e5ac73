//! Turns: what was decided goes to the ledger, and what follows from it leaves once that is durable.
//!
//! Owns the sequence of both; decides nothing. What follows from no event leaves at once, whatever the disk does.

use balancer_core::input::RequestId;
use balancer_core::{Effect, Reply};
use protocol::Position;

use super::{After, Batch, ENTRY_BITS, Inner};
use crate::ledger::Turn;

impl Inner {
    pub(super) fn flush(&mut self) {
        self.now = None;
        let events = self.core.take_events();
        let moves = self.core.take_moves_asked();
        // Each event has a position of its own; the state is past them all.
        let before = self.core.state().position().0 - events.len() as u64;
        for (recorded, position) in events.iter().zip(before + 1..) {
            self.observe(recorded, Position(position));
        }
        self.feed.moves_asked(&moves);
        self.hold_back();
        let effects = std::mem::take(&mut self.held_back);
        let proof = (!events.is_empty()).then(|| self.core.state().proof());
        let (reads, frames) = (std::mem::take(&mut self.reads), std::mem::take(&mut self.frames));
        let after = After { effects, reads, frames, proof };
        if events.is_empty() && after.is_empty() {
            return;
        }
        if events.is_empty() && self.is_durable() && self.in_flight == 0 {
            self.let_go(after);
            return self.wake_agents();
        }
        let epoch = self.core.state().epoch();
        let Some(ledger) = &self.ledger else { return };
        self.in_flight += 1;
        if ledger.send(Turn { events: Batch(events), epoch, after }).is_err() {
            // Its thread has ended without a word: state ahead of its ledger must not live on.
            tracing::error!("the ledger takes nothing more: ending at once");
            std::process::abort();
        }
    }

    /// Keeps effects for the next turn; what follows from no event leaves now, whatever the disk does.
    pub(super) fn hold_back(&mut self) {
        let effects = self.core.take_effects();
        if self.in_flight == 0 {
            self.held_back.extend(effects);
            return;
        }
        let mut urgent = false;
        for effect in effects {
            match effect {
                Effect::TellNow(connection, message) => {
                    urgent = true;
                    self.post(connection, message);
                }
                Effect::Reply(request, Reply::Refused(why)) if why.is_at_the_door() => {
                    self.deliver(request, Reply::Refused(why));
                }
                Effect::Reply(..) | Effect::Tell(..) | Effect::Close(_) => self.held_back.push(effect),
            }
        }
        if urgent {
            self.wake_agents();
        }
    }

    pub(super) fn let_go(&mut self, after: After) {
        self.durable = after.proof.unwrap_or(self.durable);
        for effect in after.effects {
            match effect {
                Effect::Reply(request, reply) => self.deliver(request, reply),
                Effect::Tell(connection, message) | Effect::TellNow(connection, message) => {
                    self.post(connection, message);
                }
                Effect::Close(connection) => self.close(connection),
            }
        }
        for read in after.reads {
            // A reader that has gone away wants no answer.
            let _ = read.send(());
        }
        for frame in after.frames {
            self.metrics.feed_dropped += self.feed.send(frame);
        }
    }

    fn deliver(&mut self, request: RequestId, reply: Reply) {
        let (number, entry) = (request.0 >> ENTRY_BITS, request.0 & ((1 << ENTRY_BITS) - 1));
        let Some(waiter) = self.waiters.get_mut(&number) else { return };
        if let Some(place) = usize::try_from(entry).ok().and_then(|entry| waiter.replies.get_mut(entry)) {
            *place = Some(reply);
            waiter.left -= 1;
        }
        if waiter.left == 0
            && let Some(waiter) = self.waiters.remove(&number)
        {
            // A client that has gone away wants no answer; its order stands.
            let _ = waiter.sender.send(waiter.replies);
        }
    }
}
