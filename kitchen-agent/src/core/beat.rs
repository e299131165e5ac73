//! The rhythm: greeting a balancer, heartbeats, and what their answers renew.
//!
//! Owns the memory of which heartbeat was sent when and named what, and when a balancer that answers none is left. Never
//! stops an order for silence before its fence ([`super::lease`]), which this file only moves.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::OrderId;
use protocol::link::{AgentMessage, HEARTBEAT_LEASES_MAX, LeaseName, Welcome};

use super::{Agent, Effect, Link};

/// The most heartbeats remembered: all that are younger than a fence, even of the largest kitchen (34 parts, 4 times a
/// fence). One that is forgotten renews nothing, which is safe.
const BEATS_MAX: usize = 512;
/// So many heartbeats without an answer, and a fence of silence: the balancer is not heard any more. The count is for a
/// process that was stopped meanwhile: it asks anew first.
const DEAF_BEATS: u32 = 3;
/// The fastest rhythm a balancer can ask for: below it a wrong number would keep the processor busy.
const BEAT_MIN: Duration = Duration::from_millis(10);

/// Heartbeats of this session that can still renew something.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// The number of the last one; 0 stands for the hello.
    pub(super) seq: u64,
    greeted: Option<Duration>,
    sent: BTreeMap<u64, Beat>,
    /// When the balancer was last heard to answer on this connection.
    heard: Duration,
    /// Heartbeats since then.
    unanswered: u32,
    /// When the last of those that decide has had its time for an answer.
    doubted_until: Duration,
    due: Duration,
}

#[derive(Debug)]
struct Beat {
    at: Duration,
    named: Vec<LeaseName>,
}

impl Beats {
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// When heartbeat `seq` (0: the hello) was sent; none if it was never sent or is older than a fence.
    pub(super) fn sent_at(&self, seq: u64) -> Option<Duration> {
        if seq == 0 { self.greeted } else { self.sent.get(&seq).map(|beat| beat.at) }
    }

    fn record(&mut self, at: Duration, named: Vec<LeaseName>) -> u64 {
        self.seq += 1;
        self.sent.insert(self.seq, Beat { at, named });
        self.seq
    }

    fn forget_older_than(&mut self, fence: Duration, now: Duration) {
        while let Some(oldest) = self.sent.first_entry()
            && oldest.get().at + fence <= now
        {
            oldest.remove();
        }
        while self.sent.len() > BEATS_MAX {
            self.sent.pop_first();
        }
    }
}

impl Agent {
    pub(super) fn greet(&mut self, now: Duration) {
        self.link = Link::Greeting;
        self.beats.greeted = Some(now);
        // Words on the old connection count for nothing.
        self.given_back.clear();
        self.send(AgentMessage::Hello(Box::new(self.config.hello())));
    }

    /// Let in: names what it holds, then tells again what the last connection may have swallowed.
    pub(super) fn welcome(&mut self, now: Duration, welcome: Welcome) {
        self.link = Link::Welcomed;
        self.timing = welcome.timing;
        self.city = Some(welcome.city);
        self.answered(now);
        self.beat(now);
        self.repeat_progress();
        self.repeat_reports(now, Duration::ZERO);
    }

    pub(super) fn beat_when_due(&mut self, now: Duration) {
        if self.connected() && self.beats.due <= now {
            self.beat(now);
            self.repeat_reports(now, millis(self.timing.lease_ms));
        }
    }

    /// Ends a connection on which nothing is heard although this kitchen speaks. By then every lease in hand is past its
    /// fence; the balancer gives all of them elsewhere at this word, so whatever were left is dropped.
    pub(super) fn end_if_deaf(&mut self, now: Duration) {
        if self.deaf_at().is_none_or(|at| at > now) {
            return;
        }
        let held: Vec<OrderId> = self.held.keys().copied().collect();
        held.into_iter().for_each(|order| self.stop(order));
        self.send(AgentMessage::Deaf);
        self.outbox.push(Effect::HangUp);
        self.cut_off();
    }

    /// When [`Agent::end_if_deaf`] has something to do, unless the balancer is heard before or a heartbeat is due.
    pub(super) fn deaf_at(&self) -> Option<Duration> {
        let silent = self.connected() && self.beats.unanswered >= DEAF_BEATS;
        silent.then(|| self.beats.doubted_until.max(self.beats.heard + self.fence()))
    }

    fn answered(&mut self, now: Duration) {
        (self.beats.heard, self.beats.unanswered) = (now, 0);
    }

    /// One heartbeat, in as many parts as it takes to name everything held.
    fn beat(&mut self, now: Duration) {
        self.beats.due = now + millis(self.timing.heartbeat_ms).max(BEAT_MIN);
        self.beats.forget_older_than(self.fence(), now);
        self.beats.unanswered = self.beats.unanswered.saturating_add(1);
        if self.beats.unanswered == DEAF_BEATS {
            self.beats.doubted_until = self.beats.due;
        }
        let held: Vec<LeaseName> = self.leases().map(|(lease, ..)| lease).collect();
        if held.is_empty() {
            self.beat_part(now, Vec::new());
        }
        for part in held.chunks(HEARTBEAT_LEASES_MAX) {
            self.beat_part(now, part.to_vec());
        }
    }

    fn beat_part(&mut self, now: Duration, held: Vec<LeaseName>) {
        let seq = self.beats.record(now, held.clone());
        self.send(AgentMessage::Heartbeat { seq, held });
    }

    /// Moves the fence of each lease that the answered heartbeat named, by the time it was *sent*.
    pub(super) fn renewed(&mut self, now: Duration, seq: u64, lost: &[LeaseName]) {
        self.answered(now);
        for &lease in lost {
            self.stop_lost(lease);
        }
        let fence = self.fence();
        let Some(beat) = self.beats.sent.get_mut(&seq) else { return };
        let at = beat.at;
        let named = std::mem::take(&mut beat.named);
        for lease in named {
            self.move_fence(lease, at + fence);
        }
    }

    pub(super) fn fence(&self) -> Duration {
        millis(self.timing.fence_ms)
    }
}

pub(super) fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
