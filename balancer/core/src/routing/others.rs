//! The policies to compare with: each looks at free places only, none at what the order is.

use super::{Routing, unfit};
use crate::random::Random;

impl Routing {
    /// Round robin: the next fit kitchen after the last choice.
    pub(super) fn next_in_turn(&self) -> Option<usize> {
        self.rotated().find(|number| unfit(&self.slots[*number].facts).is_none())
    }

    /// Smooth weighted round robin (as in nginx): everyone gains its capacity, the richest is chosen and pays the sum.
    pub(super) fn next_by_weight(&mut self) -> Option<usize> {
        let mut sum = 0;
        let mut richest: Option<usize> = None;
        for (number, slot) in self.slots.iter().enumerate() {
            if unfit(&slot.facts).is_some() {
                continue;
            }
            let weight = i64::from(slot.facts.capacity);
            sum += weight;
            self.turns[number] += weight;
            if richest.is_none_or(|best| self.turns[number] > self.turns[best]) {
                richest = Some(number);
            }
        }
        self.turns[richest?] -= sum;
        richest
    }

    /// Least connections: the largest share of free places.
    pub(super) fn least_held(&self) -> Option<usize> {
        let mut best: Option<usize> = None;
        for number in self.rotated() {
            if unfit(&self.slots[number].facts).is_some() {
                continue;
            }
            if best.is_none_or(|top| self.slots[number].load > self.slots[top].load) {
                best = Some(number);
            }
        }
        best
    }

    /// Power of two choices: two fit kitchens at random, the one with the larger share of free places.
    pub(super) fn better_of_two(&self, random: &mut Random) -> Option<usize> {
        let fit: Vec<usize> =
            (0..self.slots.len()).filter(|number| unfit(&self.slots[*number].facts).is_none()).collect();
        if fit.is_empty() {
            return None;
        }
        let (a, b) = (fit[random.below(fit.len())], fit[random.below(fit.len())]);
        Some(if self.slots[b].load > self.slots[a].load { b } else { a })
    }
}
