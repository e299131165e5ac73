//! The one door out: whether anything may leave, and what is under way.
//!
//! Owns requests without an answer. Refuses changes in read-only mode, in a recording and without a link; never asks a person
//! (`propose.rs` does, before).

use super::undo::{self, Inverse};
use super::{App, Effects, Link, Sound};
use crate::console::link::{Request, Sent};

/// The most requests without an answer; the oldest are forgotten.
const PENDING: usize = 256;

/// A request under way, and what would take it back.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) reason: Option<String>,
    pub(super) inverse: Inverse,
}

impl App {
    /// Whether requests can be sent.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link == Link::Live
    }

    /// Whether changing actions are off, and why.
    #[must_use]
    pub fn off(&self) -> Option<&'static str> {
        if self.setup.read_only {
            Some("read-only")
        } else if self.replay.is_some() {
            Some("this is a recording")
        } else if !self.is_linked() {
            Some("no link")
        } else {
            None
        }
    }

    /// The one door out. Refuses changes in read-only mode and everything without a link.
    pub(super) fn send(&mut self, request: Request, reason: Option<String>, effects: &mut Effects) {
        if request.is_change()
            && let Some(why) = self.off()
        {
            self.say(Sound::Bad, &format!("not sent: {why}"), effects);
            return;
        }
        if !self.is_linked() || self.replay.is_some() {
            return;
        }
        let id = self.next_request;
        self.next_request += 1;
        if self.pending.len() >= PENDING
            && let Some(oldest) = self.pending.keys().min().copied()
        {
            self.pending.remove(&oldest);
        }
        let mut inverse = undo::inverse(&self.live, self.policy.as_ref(), &request);
        if matches!(request, Request::SetPolicy(_))
            && self.live.audit.policy_changes_after(self.policy_at) > usize::from(self.policy_is_ours)
        {
            inverse = Inverse::None(undo::OVERTAKEN);
        }
        if matches!(request, Request::Policy | Request::SetPolicy(_)) {
            (self.policy_at, self.policy_is_ours) = (self.live.position, request != Request::Policy);
        }
        if let (Request::SetPolicy(change), Some(before)) = (&request, &self.policy) {
            // What a later change would have to bring back; every question asks the balancer again before.
            self.policy = Some(undo::applied(before, change));
        }
        self.pending.insert(id, Asked { request: request.clone(), reason: reason.clone(), inverse });
        effects.send.push(Sent { id, request, reason });
    }

    /// Requests without an answer, in their sequence.
    #[cfg(test)]
    #[must_use]
    pub fn waiting(&self) -> Vec<(u64, Request)> {
        let mut waiting: Vec<_> = self.pending.iter().map(|(id, asked)| (*id, asked.request.clone())).collect();
        waiting.sort_by_key(|(id, _)| *id);
        waiting
    }
}
