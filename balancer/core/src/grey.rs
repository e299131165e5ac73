//! Grey kitchens: alive, heard, and far slower than the others, or failing, or with no progress at all.
//!
//! Pace is cooking time over planned time by the menu, as a moving sum, so it does not depend on the dishes; a kitchen is
//! *slow* when its pace is [`limits::SLOW_TIMES`] the median pace of the fleet. Commands do not keep to the menu, so the
//! plain cooking time must stand out as well. A kitchen is *stuck* when it broke a limit ([`crate::stages`]), or when
//! everything in it has stood still for many times what it should take. It is *failing* when it was ejected
//! ([`crate::outcomes`]). Each opens the breaker: nothing new ([`Unfit`](crate::routing::Unfit)) but a probe now and then,
//! and what waits there may go elsewhere. What closes it is the kitchen's own record, so that needs no other kitchen: a
//! normal result for a slow one, any result for a failing one, and for a stuck one a stage that ends; that it starts
//! something shows nothing.
//!
//! A slow kitchen still beats none: it takes the overflow, as many orders as it has idle stations, when orders wait and
//! nobody else has a place. A stuck or failing one does not. With fewer than [`limits::PACE_KITCHENS`] kitchens that have
//! cooked enough there is nothing to compare with, and nobody is slow.

use std::time::Duration;

use protocol::{Item, OrderId, Priority};

use crate::dispatcher::Core;
use crate::event::{Cause, KitchenNo, MoveReason};
use crate::input::Now;
use crate::limits;

/// How fast a kitchen cooks, and whether its breaker is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    /// Moving sums over about [`limits::PACE_ORDERS`] orders, in milliseconds.
    cooked: u64,
    planned: u64,
    samples: u32,
    /// The last time that anything went on in it.
    progress: Duration,
    open: Option<Breaker>,
}

/// What is wrong with a kitchen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Far slower than the others.
    Slow,
    /// Its attempts fail.
    Failing,
    /// It holds orders and cooks none.
    Stuck,
}

#[derive(Debug, Clone, Copy)]
struct Breaker {
    trouble: Trouble,
    /// How many times slower, in tenths.
    tenths: u32,
    probe_at: Duration,
    wait: Duration,
    probing: bool,
}

/// What is typical at present.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Typical {
    /// Median pace, in thousandths.
    pace: u64,
    /// Median cooking time of an order, in milliseconds.
    cooked: u64,
}

impl Pace {
    pub(crate) fn new(now: Duration) -> Self {
        Self { progress: now, ..Self::default() }
    }

    /// Nothing new but probes.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Open, and one order may come all the same.
    pub(crate) fn is_probing(&self) -> bool {
        self.open.is_some_and(|breaker| breaker.probing)
    }

    /// What is wrong, if anything is.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.open.map(|breaker| breaker.trouble)
    }

    /// How many times slower than the others, in tenths.
    pub(crate) fn tenths(&self) -> u32 {
        self.open.map_or(0, |breaker| breaker.tenths)
    }

    /// Something went on, or nobody could have seen it: the time without progress begins anew.
    pub(crate) fn touch(&mut self, now: Duration) {
        self.progress = now;
    }

    fn learn(&mut self, cooked_ms: u64, planned_ms: u64) {
        let kept = limits::PACE_ORDERS - 1;
        if self.samples >= limits::PACE_ORDERS {
            self.cooked = self.cooked * u64::from(kept) / u64::from(limits::PACE_ORDERS);
            self.planned = self.planned * u64::from(kept) / u64::from(limits::PACE_ORDERS);
        } else {
            self.samples += 1;
        }
        self.cooked += cooked_ms;
        self.planned += planned_ms;
    }

    /// In thousandths of the menu's time, once enough was cooked.
    fn pace(&self) -> Option<u64> {
        (self.samples >= limits::PACE_ORDERS).then(|| self.cooked * 1_000 / self.planned.max(1))
    }

    fn mean_ms(&self) -> u64 {
        self.cooked / u64::from(self.samples.max(1))
    }

    /// A worse trouble takes the place of a lesser one, never the other way round.
    fn open(&mut self, now: Duration, trouble: Trouble, tenths: u32) {
        match &mut self.open {
            Some(breaker) if breaker.trouble == Trouble::Stuck && trouble != Trouble::Stuck => {}
            Some(breaker) if breaker.trouble == Trouble::Failing && trouble == Trouble::Slow => {}
            Some(breaker) => (breaker.trouble, breaker.tenths) = (trouble, tenths),
            None => {
                let (wait, probing) = (limits::PROBE_AFTER, false);
                self.open = Some(Breaker { trouble, tenths, probe_at: now + wait, wait, probing });
            }
        }
    }
}

impl Core {
    /// Living kitchens with which something is wrong, and what.
    pub fn troubled(&self) -> impl Iterator<Item = (KitchenNo, Trouble)> {
        let living = self.soft.links.iter().zip(&self.state.kitchens).enumerate().filter(|(_, (_, one))| one.alive);
        living.filter_map(|(number, (link, _))| link.pace.trouble().map(|trouble| (KitchenNo(number as u32), trouble)))
    }

    /// Something went on with an order where it is cooked.
    pub(crate) fn progressed(&mut self, now: Now, id: OrderId) {
        let Some(number) = self.state.order(id).and_then(|order| order.kitchen) else { return };
        let link = self.soft.link_mut(number);
        link.pace.touch(now.mono);
        link.unstarted_since = None;
    }

    /// A stage of the order has ended where it is cooked, so its kitchen is not stuck.
    pub(crate) fn cooked_on(&mut self, id: OrderId) {
        let Some(number) = self.state.order(id).and_then(|order| order.kitchen) else { return };
        if self.soft.link(number).pace.trouble() == Some(Trouble::Stuck) {
            self.trust(number);
        }
    }

    /// Opens the breaker of a kitchen, for a reason that needs no comparison.
    pub(crate) fn distrust(&mut self, now: Now, number: KitchenNo, trouble: Trouble) {
        self.soft.link_mut(number).pace.open(now.mono, trouble, 0);
        self.refresh(number);
    }

    /// Closes it; what the kitchen's pace was before says nothing any more.
    pub(crate) fn trust(&mut self, number: KitchenNo) {
        let pace = &mut self.soft.link_mut(number).pace;
        *pace = Pace::new(pace.progress);
        self.refresh(number);
    }

    /// An order was completed: what its kitchen's pace is now.
    pub(crate) fn learn_pace(&mut self, id: OrderId, cooked_ms: u32) {
        let Some((number, planned)) = self.planned_here(id) else { return };
        let typical = self.soft.typical;
        let pace = &mut self.soft.link_mut(number).pace;
        let cooked = u64::from(cooked_ms);
        pace.learn(cooked, planned);
        let normal = typical.is_none_or(|typical| cooked * 1_000 < limits::NORMAL_TIMES * typical.pace * planned);
        if pace.trouble() == Some(Trouble::Slow) && normal {
            self.trust(number);
        }
    }

    /// Who completed it, and the menu's time for all of it; none when this attempt began at a checkpoint, so that the two
    /// times are not of the same work, or when the menu says next to nothing.
    fn planned_here(&self, id: OrderId) -> Option<(KitchenNo, u64)> {
        let order = self.state.order(id)?;
        let whole = |cause: &Cause| matches!(cause, Cause::Dispatch | Cause::Reassign { .. });
        if order.hops.len() != usize::from(order.attempt) || !order.hops.iter().all(|hop| whole(&hop.cause)) {
            return None;
        }
        let planned = self.planned_ms(&order.items);
        order.kitchen.filter(|_| planned >= limits::PLANNED_MIN_MS).map(|number| (number, planned))
    }

    /// The menu's time for these items: stage by stage the longest, as [`protocol::order::plan`] has it, without building
    /// the plan.
    fn planned_ms(&self, items: &[Item]) -> u64 {
        (0..).map_while(|stage| self.planned_stage_ms(items, stage)).sum()
    }

    /// The menu's time for one stage of these items, if there is one.
    pub(crate) fn planned_stage_ms(&self, items: &[Item], stage: usize) -> Option<u64> {
        let times = items.iter().filter_map(|item| {
            let stage = self.state.city.menu.dish(item.dish)?.stages.get(stage)?;
            Some(u64::from(stage.ms) * (3 + u64::from(item.quantity)) / 4)
        });
        times.max()
    }

    /// Opens the breakers of kitchens that are far slower than the others or stand still; once a second.
    pub(crate) fn look_at_pace(&mut self, now: Now) {
        self.soft.typical = self.typical_pace();
        for number in (0..self.soft.links.len()).map(|number| KitchenNo(number as u32)) {
            let link = self.soft.link(number);
            if !self.state.kitchen(number).alive || link.suspected {
                continue;
            }
            if let Some((trouble, tenths)) = self.soft.typical.and_then(|typical| self.compare(now, number, typical)) {
                let tenths = u32::try_from(tenths).unwrap_or(u32::MAX);
                self.soft.link_mut(number).pace.open(now.mono, trouble, tenths);
                self.refresh(number);
                self.unload(now, number, MoveReason::SlowKitchen);
            } else if link.pace.trouble() == Some(Trouble::Failing) {
                self.unload(now, number, MoveReason::EjectedKitchen);
            }
        }
    }

    /// What is wrong with a kitchen in comparison with the others, and by how much, in tenths.
    fn compare(&self, now: Now, number: KitchenNo, typical: Typical) -> Option<(Trouble, u64)> {
        let stuck = self.stuck(now, number, typical).map(|tenths| (Trouble::Stuck, tenths));
        stuck.or_else(|| slower(&self.soft.link(number).pace, typical).map(|tenths| (Trouble::Slow, tenths)))
    }

    /// The medians, if enough kitchens have cooked enough.
    fn typical_pace(&self) -> Option<Typical> {
        let living = self.state.kitchens.iter().zip(&self.soft.links).filter(|(kitchen, _)| kitchen.alive);
        let (mut paces, mut means): (Vec<u64>, Vec<u64>) =
            living.filter_map(|(_, link)| link.pace.pace().map(|pace| (pace, link.pace.mean_ms()))).unzip();
        if paces.len() < limits::PACE_KITCHENS {
            return None;
        }
        // The upper of two middles: half of a fleet is never slow against the other half.
        let middle = paces.len() / 2;
        Some(Typical { pace: *paces.select_nth_unstable(middle).1, cooked: *means.select_nth_unstable(middle).1 })
    }

    /// How many times longer than planned everything in it has stood still, in tenths.
    fn stuck(&self, now: Now, number: KitchenNo, typical: Typical) -> Option<u64> {
        let (kitchen, pace) = (self.state.kitchen(number), &self.soft.link(number).pace);
        let still = now.mono.saturating_sub(pace.progress);
        if kitchen.cooking.is_empty() || still < limits::STUCK_MIN {
            return None;
        }
        let orders = kitchen.cooking.iter().take(limits::STUCK_LOOKS).filter_map(|id| self.state.order(*id));
        let longest = orders.map(|order| self.planned_ms(&order.items)).max()?;
        let expected = longest * typical.pace.max(pace.pace().unwrap_or(0)) / 1_000;
        let still_ms = u64::try_from(still.as_millis()).unwrap_or(u64::MAX);
        // A command's time has little to do with the menu's: it must stand out against what orders take here, too.
        let expected = expected.max(typical.cooked).max(pace.mean_ms()).max(1);
        (still_ms >= limits::STUCK_TIMES * expected).then(|| still_ms * 10 / expected)
    }

    /// What waits in a grey kitchen goes elsewhere, a few at a time.
    fn unload(&mut self, now: Now, number: KitchenNo, reason: MoveReason) {
        if self.is_panicking() || !self.state.policy.as_ref().is_none_or(|policy| policy.migrate) {
            return;
        }
        let waiting = self.state.kitchen(number).waiting.iter().take(limits::UNLOAD_ORDERS);
        let waiting: Vec<OrderId> = waiting.copied().collect();
        waiting.into_iter().for_each(|id| self.move_anywhere(now, id, number, reason));
    }

    /// Lets a probe through where one is due, or where a slow station is better than the line; at every tick.
    pub(crate) fn probe_grey(&mut self, now: Now) {
        let overflows = !self.state.queue.is_empty() && self.soft.routing.open_places() == 0;
        for number in (0..self.soft.links.len()).map(|number| KitchenNo(number as u32)) {
            let Some(breaker) = self.soft.link(number).pace.open.filter(|breaker| !breaker.probing) else { continue };
            let kitchen = self.state.kitchen(number);
            let idle = kitchen.held() + self.soft.link(number).reserved < kitchen.stations;
            // A stuck one has to give up or end what it was given before it is tried again.
            let stuck = breaker.trouble == Trouble::Stuck;
            let due = now.mono >= breaker.probe_at && !(stuck && kitchen.held() > 0);
            if due {
                // By its score it would hardly be chosen: one free place is little.
                self.soft.probes.insert(number);
            } else if !overflows || !idle || breaker.trouble != Trouble::Slow {
                continue;
            }
            if let Some(breaker) = &mut self.soft.link_mut(number).pace.open {
                breaker.probing = true;
            }
            self.refresh(number);
        }
    }

    /// Where the next order goes as a probe, if one is due and this is no urgent one.
    pub(crate) fn probe_for(&mut self, priority: Priority) -> Option<KitchenNo> {
        if priority == Priority::High {
            return None;
        }
        let number = self.soft.probes.pop_first()?;
        if self.soft.routing.unfit(number).is_some() {
            // It has no room now: due again at the next tick.
            if let Some(breaker) = &mut self.soft.link_mut(number).pace.open {
                breaker.probing = false;
            }
            self.refresh(number);
            return None;
        }
        self.soft.link(number).pace.is_probing().then_some(number)
    }

    /// A grey kitchen was given its probe.
    pub(crate) fn probed(&mut self, now: Now, number: KitchenNo) {
        let Some(breaker) = self.soft.link_mut(number).pace.open.as_mut().filter(|breaker| breaker.probing) else {
            return;
        };
        breaker.probing = false;
        breaker.wait = (breaker.wait * 2).min(limits::PROBE_AFTER_MAX);
        breaker.probe_at = now.mono + breaker.wait;
        self.refresh(number);
    }
}

/// How many times slower than typical it is, in tenths, if that is too much.
fn slower(pace: &Pace, typical: Typical) -> Option<u64> {
    let (own, mean) = (pace.pace()?, pace.mean_ms());
    let usual = mean * typical.pace / own.max(1);
    let far = own >= limits::SLOW_TIMES * typical.pace && mean * 2 >= typical.cooked * 3;
    (far && mean - usual >= limits::SLOW_MIN_MS).then(|| own * 10 / typical.pace.max(1))
}
