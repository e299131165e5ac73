//! Effects that wait to be drained, and the joining of what became superfluous before it left.
//!
//! Owns their sequence. Never says anything of its own.
//!
//! An order with short stages goes from started to completed within one call, and `Completed` says all that its
//! `Started` and `StageDone`s would: they are taken back, so one message leaves instead of several. Each slot knows the
//! slot of the same order before it (a list through the vector), so taking back needs no search and no allocation.

use protocol::link::AgentMessage;

use super::Effect;

/// Effects in the sequence in which they were decided.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
    /// Grows with each drain, so that a trail into drained slots is recognised as old.
    drained: u64,
}

#[derive(Debug)]
struct Slot {
    effect: Option<Effect>,
    before: Option<usize>,
}

/// Where the progress messages of one order wait, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trail {
    drained: u64,
    last: Option<usize>,
}

impl Outbox {
    pub(super) fn push(&mut self, effect: Effect) {
        self.slots.push(Slot { effect: Some(effect), before: None });
    }

    /// Adds a message that a later one of the same order may make superfluous.
    pub(super) fn push_progress(&mut self, trail: &mut Trail, message: AgentMessage) {
        let before = self.waiting(*trail);
        *trail = Trail { drained: self.drained, last: Some(self.slots.len()) };
        self.slots.push(Slot { effect: Some(Effect::Send(message)), before });
    }

    /// Takes back every message of this trail that has not left.
    pub(super) fn supersede(&mut self, trail: Trail) {
        let mut next = self.waiting(trail);
        while let Some(slot) = next.and_then(|index| self.slots.get_mut(index)) {
            slot.effect = None;
            next = slot.before;
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.drained += 1;
        self.slots.drain(..).filter_map(|slot| slot.effect)
    }

    fn waiting(&self, trail: Trail) -> Option<usize> {
        trail.last.filter(|_| trail.drained == self.drained)
    }
}
