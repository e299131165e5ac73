//! What each kitchen is, in words that many readers share.
//!
//! Owns one card a kitchen, written when an agent has registered, not when somebody asks: names and dishes of 10,000
//! kitchens take ten milliseconds, a pointer to each a tenth of one. Never holds a figure.

use std::sync::Arc;

use balancer_core::State;
use protocol::feed::KitchenInfo;

use crate::views;

/// By number.
#[derive(Default)]
pub(crate) struct Cards(Vec<(u64, Arc<KitchenInfo>)>);

impl Cards {
    /// Writes those of agents that have registered since.
    pub(super) fn follow(&mut self, state: &State) {
        for (index, kitchen) in state.kitchens().iter().enumerate() {
            match self.0.get_mut(index) {
                Some((session, _)) if *session == kitchen.session => {}
                Some(known) => *known = (kitchen.session, Arc::new(views::info(state, index))),
                None => self.0.push((kitchen.session, Arc::new(views::info(state, index)))),
            }
        }
    }

    /// All that are written.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<KitchenInfo>> {
        self.0.iter().map(|(_, card)| card)
    }
}
