//! The operator: cordons, drains, moves, cancels, tunes and starts rushes at random, and mends all of it in the end.

use std::time::Duration;

use balancer_core::Input;
use balancer_core::input::Operator;
use protocol::api::{Algorithm, PolicyView};
use protocol::city::ZoneNo;
use protocol::{KitchenId, OrderId};

use crate::balancer::Waits;
use crate::checker::ledger::{Line, Phase};
use crate::params::Scenario;
use crate::queue::{Heal, SECOND, Time, What};
use crate::world::World;

impl World {
    /// Does one thing, and comes again later.
    pub fn operate(&mut self) {
        if self.calm {
            return;
        }
        let gap = self.nemesis.exponential(self.params.operate_every as f64) as Time;
        self.queue.at(self.now + gap, What::Operate);
        if self.balancer.core.is_none() || self.balancer.paused {
            return;
        }
        let (by, kitchen) = (Operator::default(), self.any_kitchen());
        match self.nemesis.below(13) {
            0 => {
                self.stats.fault("cordon");
                self.ask(Waits::Operator, |request| Input::Cordon { request, kitchen, by });
            }
            1 | 2 => {
                self.stats.fault("uncordon");
                self.ask(Waits::Operator, |request| Input::Uncordon { request, kitchen, by });
            }
            3 => {
                self.stats.fault("drain");
                let deadline = Some(Duration::from_millis(self.nemesis.between(0, 8_000)));
                let force = self.nemesis.chance(0.5);
                self.ask(Waits::Operator, |request| Input::Drain { request, kitchen, deadline, force, by });
            }
            4 | 5 | 9 | 10 => self.migrate(by, kitchen),
            6 => {
                let Some(order) = self.recent_order(Phase::is_open) else { return };
                self.stats.fault("cancel");
                self.ask(Waits::Cancel(order), |request| Input::Cancel { request, order, by });
            }
            7 => {
                self.stats.fault("policy");
                let policy = Box::new(self.draw_policy());
                self.ask(Waits::Operator, |request| Input::SetPolicy { request, policy, by });
            }
            8 => self.rush(by),
            11 => self.set_free(by),
            _ => {
                self.stats.fault("rush-stop");
                self.ask(Waits::Operator, |request| Input::StopRush { request, by });
            }
        }
    }

    /// Moves an order, most often one that is being cooked and to where there is room; now and then somebody who takes part
    /// in the move dies on the way.
    fn migrate(&mut self, by: Operator, any: KitchenId) {
        let cooking = self.nemesis.chance(0.7);
        let wanted = |phase: Phase| if cooking { phase == Phase::Cooking } else { phase.is_open() };
        let Some(order) = self.recent_order(wanted) else { return };
        self.stats.fault("migrate");
        let kitchens = &self.checker.ledger.kitchens;
        let open = kitchens.iter().filter(|k| k.alive && k.schedulable == protocol::api::Schedulable::Open);
        let roomy = open.max_by_key(|k| k.stations.saturating_sub(k.held)).map(|k| k.actor);
        let target = roomy.filter(|_| self.nemesis.chance(0.7));
        let to = target.map_or(any, |actor| format!("k{actor}").parse().expect("a sound id"));
        let source = self.checker.ledger.line(order).and_then(|line| self.checker.ledger.kitchens.get(line.kitchen));
        let victims = [source.map(|kitchen| kitchen.actor), target, None];
        self.ask(Waits::Operator, |request| Input::Migrate { request, order, to, by });
        if self.params.scenario == Scenario::All && self.nemesis.chance(0.3) {
            let victim = victims[self.nemesis.below(victims.len())];
            let heal = match victim {
                Some(kitchen) => Heal::Kill { kitchen, process: self.kitchens[kitchen].process },
                None => Heal::KillLeader { process: self.balancer.process },
            };
            self.stats.fault("death-in-mid-move");
            let at = self.now + self.nemesis.between(0, 3 * SECOND / 2);
            self.queue.at(at, What::Heal(heal));
        }
    }

    /// One order out of quarantine; each is given one more chance, and no other.
    fn set_free(&mut self, by: Operator) {
        let aside = |line: &&Line| line.phase == Phase::DeadLettered && line.requeued == 0;
        let lines = self.checker.ledger.lines();
        let Some(order) = lines.iter().rev().find(aside).map(|line| line.accepted.order) else { return };
        self.stats.fault("release");
        self.ask(Waits::Operator, |request| Input::Release { request, order, by });
    }

    fn rush(&mut self, by: Operator) {
        self.stats.fault("rush");
        let rate = self.nemesis.real(0.5, 12.0);
        let lasts = Duration::from_millis(self.nemesis.between(1_000, 4_000));
        let zones = self.params.city.zones.len();
        let zone = self.nemesis.chance(0.5).then(|| ZoneNo(self.nemesis.below(zones) as u16));
        self.ask(Waits::Operator, |request| Input::StartRush { request, rate, lasts, zone, by });
    }

    fn any_kitchen(&mut self) -> KitchenId {
        let number = self.nemesis.below(self.kitchens.len());
        format!("k{number}").parse().expect("a sound id")
    }

    fn recent_order(&mut self, wanted: impl Fn(Phase) -> bool) -> Option<OrderId> {
        let lines = self.checker.ledger.lines();
        let recent = &lines[lines.len().saturating_sub(40)..];
        let open: Vec<OrderId> =
            recent.iter().filter(|line| wanted(line.phase)).map(|line| line.accepted.order).collect();
        if open.is_empty() { None } else { Some(open[self.nemesis.below(open.len())]) }
    }

    fn draw_policy(&mut self) -> PolicyView {
        let available = self.nemesis.real(0.2, 0.6);
        let calm = self.nemesis.real(available, 0.8);
        PolicyView {
            algorithm: Algorithm::ALL[self.nemesis.below(Algorithm::ALL.len())],
            time_scale_ms: self.nemesis.chance(0.5).then(|| self.nemesis.between(100, 5_000)),
            available_threshold: available,
            calm_threshold: calm,
            overload_threshold: self.nemesis.real(calm, 1.0),
            max_migrations_per_cycle: self.nemesis.between(0, 4) as u32,
            cycle_ms: self.nemesis.between(50, 1_000),
            min_stay_ms: self.nemesis.between(0, 1_000),
            max_hops: self.nemesis.between(0, 5) as u32,
            migrate: self.nemesis.chance(0.7),
            steal: self.nemesis.chance(0.7),
            handover: self.nemesis.chance(0.8),
            handover_max_wait_ms: self.nemesis.between(0, 3_000),
            max_wait_ms: [0, 2_000, 8_000, 60_000][self.nemesis.below(4)],
            ..PolicyView::default()
        }
    }

    /// In the liveness phase: every kitchen is opened again, as often as it takes.
    pub fn open_all(&mut self) {
        if self.balancer.core.is_none() || self.balancer.paused || self.now < self.next_opening {
            return;
        }
        self.next_opening = self.now + SECOND;
        let shut = |schedulable| {
            matches!(schedulable, protocol::api::Schedulable::Cordoned | protocol::api::Schedulable::Draining)
        };
        let closed: Vec<usize> =
            self.checker.ledger.kitchens.iter().filter(|k| shut(k.schedulable)).map(|k| k.actor).collect();
        for actor in closed {
            let kitchen = format!("k{actor}").parse().expect("a sound id");
            self.ask(Waits::Operator, |request| Input::Uncordon { request, kitchen, by: Operator::default() });
        }
    }
}
