//! Why a kitchen was chosen: the factors of the best, and who was out and why, from the same numbers the choice used.

use protocol::city::ZoneNo;
use protocol::{Item, OrderId, WallTime};

use super::{Candidate, Routing, Slot, Unfit, unfit};
use crate::event::KitchenNo;
use crate::limits::EXPLAINED_MAX;
use crate::soft::Decision;

impl Routing {
    /// Writes down a decision before its effects change the numbers. Reuses the old decision's memory: this runs for
    /// every order.
    pub(crate) fn explain(
        &self,
        into: &mut Option<Decision>,
        (order, chosen, at): (OrderId, KitchenNo, WallTime),
        weights: protocol::api::Weights,
        (items, zone): (&[Item], ZoneNo),
        avoided: &[KitchenNo],
    ) {
        let algorithm = self.algorithm;
        let decision = into.get_or_insert_with(|| Decision {
            order,
            at,
            algorithm,
            weights,
            chosen,
            candidates: Vec::new(),
            more_candidates: 0,
            excluded: Vec::new(),
            more_excluded: 0,
        });
        (decision.order, decision.at, decision.algorithm) = (order, at, algorithm);
        (decision.weights, decision.chosen) = (weights, chosen);
        (decision.more_candidates, decision.more_excluded) = (0, 0);
        decision.candidates.clear();
        decision.excluded.clear();
        for number in 0..self.slots.len() {
            self.explain_one(decision, number, (items, zone), avoided);
        }
        // The chosen one stands on the page even if another rule than the score chose it, or nobody else could take it.
        decision.excluded.retain(|(kitchen, _)| *kitchen != chosen);
        if !decision.candidates.iter().any(|candidate| candidate.kitchen == chosen) {
            decision.candidates.pop();
            decision.candidates.push(self.candidate(chosen.index(), items, zone));
        }
    }

    fn explain_one(
        &self,
        decision: &mut Decision,
        number: usize,
        (items, zone): (&[Item], ZoneNo),
        avoided: &[KitchenNo],
    ) {
        let Some(slot) = self.slots.get(number) else { return };
        let before = avoided.iter().any(|kitchen| kitchen.index() == number).then_some(Unfit::FailedBefore);
        if let Some(why) = unfit(&slot.facts).or(before) {
            if decision.excluded.len() < EXPLAINED_MAX {
                decision.excluded.push((KitchenNo(number as u32), why));
            } else {
                decision.more_excluded += 1;
            }
            return;
        }
        let full = decision.candidates.len() == EXPLAINED_MAX;
        if full {
            decision.more_candidates += 1;
            let best_possible = slot.own + self.rest(slot, items, zone);
            if decision.candidates.last().is_some_and(|last| last.score >= best_possible) {
                return;
            }
            decision.candidates.pop();
        }
        let candidate = self.candidate(number, items, zone);
        let place = decision.candidates.partition_point(|better| better.score >= candidate.score);
        decision.candidates.insert(place, candidate);
    }

    fn candidate(&self, number: usize, items: &[Item], zone: ZoneNo) -> Candidate {
        let slot: &Slot = &self.slots[number];
        let term = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Candidate {
            kitchen: KitchenNo(number as u32),
            score: slot.own + self.rest(slot, items, zone),
            load: term(slot.load),
            specialty: term(slot.facts.specialties.term(items)),
            time: term(slot.time),
            distance: term(self.distance(zone, slot.facts.zone)),
        }
    }
}
