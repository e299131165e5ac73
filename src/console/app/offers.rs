//! What can be done to the selected thing: what the footer offers here.
//!
//! Owns the answer, read from the picture. Never refuses anything: a key that is not offered still says why it is in vain.

use protocol::OrderState;
use protocol::api::{Health, Schedulable};

use super::ground::is_over;
use super::{App, target};
use crate::console::actions::{Action, ActionId, Context};

impl App {
    /// Whether an action that applies here has anything to act on.
    #[must_use]
    pub fn offers(&self, action: &Action) -> bool {
        let order = || self.order_subject().and_then(|id| self.order_seen(id));
        let row = || self.subject().and_then(|id| self.city().kitchen(&id)).and_then(|kitchen| kitchen.row);
        let listed = matches!(self.context(), Context::Fleet | Context::Heat);
        match action.id {
            ActionId::Release => order().is_some_and(|order| order.state == OrderState::DeadLettered),
            ActionId::Cancel => order().is_none_or(|order| !is_over(order)),
            ActionId::Migrate => listed || order().is_none_or(|order| target::stays(order).is_none()),
            ActionId::Explain | ActionId::Line => self.order_subject().is_some(),
            ActionId::Kill => row().is_none_or(|row| row.health != Health::Dead),
            ActionId::Drain => row().is_none_or(|row| {
                row.health != Health::Dead && !matches!(row.schedulable, Schedulable::Draining | Schedulable::Retired)
            }),
            _ => true,
        }
    }

    /// The word in the footer: what the key would do now.
    #[must_use]
    pub fn hint(&self, action: &Action) -> &'static str {
        let row = || self.subject().and_then(|id| self.city().kitchen(&id)).and_then(|kitchen| kitchen.row);
        match action.id {
            ActionId::Cordon
                if row()
                    .is_some_and(|row| matches!(row.schedulable, Schedulable::Cordoned | Schedulable::Draining)) =>
            {
                "uncordon"
            }
            ActionId::Rush if self.city().rush().is_some() => "stop rush",
            _ => action.hint,
        }
    }
}
