//! The time scale of the score: what the policy says, or what is usual in this fleet. Keeps routing in step with it.

use crate::dispatcher::Core;

impl Core {
    pub(crate) fn configure_routing(&mut self) {
        let scale = self.time_scale();
        self.soft.routing.configure(&self.state.policy(), &self.state.city.zones, scale);
    }

    /// The configured time scale, or the median of the kitchens' averages, or a second before anything was cooked.
    fn time_scale(&self) -> u64 {
        if let Some(scale) = self.state.policy.as_ref().and_then(|policy| policy.time_scale_ms) {
            return scale;
        }
        let mut averages: Vec<u32> =
            self.state.kitchens.iter().map(|kitchen| kitchen.avg_ms).filter(|avg| *avg > 0).collect();
        averages.sort_unstable();
        averages.get(averages.len() / 2).map_or(1_000, |median| u64::from(*median))
    }

    /// Follows the median once it has moved by more than a twentieth, so that the index is rarely rebuilt.
    pub(crate) fn rescale(&mut self) {
        let (old, new) = (self.soft.routing.scale_ms(), self.time_scale());
        if old.abs_diff(new) * 20 > old {
            self.configure_routing();
        }
    }
}
