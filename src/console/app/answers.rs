//! What came back: answers to pages, to what the console asked by itself, and to what an operator wanted.
//!
//! Owns the way from an answer into the model. Never asks anything, but for the policy that a change waits for.

use std::time::Duration;

use super::{App, Asked, Effects, Sound, refusal};
use crate::console::actions;
use crate::console::link::{Answer, Request, Sent};

impl App {
    pub(super) fn answer(&mut self, asked: &Asked, outcome: Result<Answer, String>, effects: &mut Effects) {
        for page in &mut self.pages {
            effects.dirty |= page.take(&asked.request, &outcome);
        }
        if let Some(order) = &mut self.ledger.order {
            effects.dirty |= order.take(&asked.request, &outcome);
        }
        match outcome {
            outcome if asked.request == Request::Supervisor => self.heard_keeper(outcome, effects),
            Ok(Answer::Done(text)) => {
                self.say(Sound::Good, &text, effects);
                self.tell_of(asked);
                self.offer_undo(asked);
                if let Request::Kill(kitchen) = &asked.request {
                    let at = self.live.at;
                    self.live.audit.done(at, "kill", kitchen.as_str(), &text, asked.reason.as_deref());
                }
            }
            Ok(Answer::Placed { receipt, replayed }) => self.placed(asked, &receipt, replayed, effects),
            Err(why) if asked.request.is_change() => {
                self.say(Sound::Bad, &why, effects);
                self.not_placed(asked, &why);
                let command = asked.request.action().map_or("", |id| actions::get(id).name);
                let subject = asked.request.subject();
                self.live.audit.refused(self.live.at, command, &subject, &why, asked.reason.as_deref());
            }
            Err(why) if asked.request == Request::Policy && self.tuning.take().is_some() => {
                self.say(Sound::Bad, &format!("the policy is not known: {why}"), effects);
            }
            Ok(Answer::Migrations(migrations)) => effects.dirty |= self.live.fill_moves(&migrations.migrations),
            Ok(Answer::Actions(page)) => self.take_acts(&page, effects),
            Err(why) if matches!(asked.request, Request::Actions { .. }) => self.miss_acts(&why, effects),
            Ok(Answer::Kitchen(view)) => effects.dirty |= self.live.remark(&view, self.now) && self.frozen.is_none(),
            Ok(Answer::Policy(policy)) => {
                self.policy = Some(*policy);
                self.go_on_tuning(effects);
            }
            Ok(
                Answer::Order(_) | Answer::Explain(_) | Answer::History(_) | Answer::Orders(_) | Answer::Supervisor(_),
            )
            | Err(_) => {}
        }
    }

    /// A request could not even be queued.
    pub fn unsent(&mut self, sent: &Sent, now: Duration) -> Effects {
        let mut effects = Effects::default();
        let outcome = Err(refusal::NOT_SENT.to_owned());
        self.now = self.now.max(now);
        if let Some(asked) = self.pending.remove(&sent.id) {
            self.answer(&asked, outcome, &mut effects);
        }
        effects
    }
}
