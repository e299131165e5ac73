//! The operator: cordons, drains, moves, cancels, tunes and starts rushes at random, and mends all of it in the end.

use std::time::Duration;

use balancer_core::Input;
use balancer_core::input::Operator;
use protocol::api::{Algorithm, PolicyView};
use protocol::city::ZoneNo;
use protocol::{KitchenId, OrderId};

use crate::balancer::Waits;
use crate::queue::{SECOND, Time, What};
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
        match self.nemesis.below(10) {
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
            4 | 5 => {
                let Some(order) = self.open_order() else { return };
                self.stats.fault("migrate");
                self.ask(Waits::Operator, |request| Input::Migrate { request, order, to: kitchen, by });
            }
            6 => {
                let Some(order) = self.open_order() else { return };
                self.stats.fault("cancel");
                self.ask(Waits::Cancel(order), |request| Input::Cancel { request, order, by });
            }
            7 => {
                self.stats.fault("policy");
                let policy = Box::new(self.draw_policy());
                self.ask(Waits::Operator, |request| Input::SetPolicy { request, policy, by });
            }
            8 => self.rush(by),
            _ => {
                self.stats.fault("rush-stop");
                self.ask(Waits::Operator, |request| Input::StopRush { request, by });
            }
        }
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

    fn open_order(&mut self) -> Option<OrderId> {
        let lines = self.checker.ledger.lines();
        let recent = &lines[lines.len().saturating_sub(40)..];
        let open: Vec<OrderId> =
            recent.iter().filter(|line| line.phase.is_open()).map(|line| line.accepted.order).collect();
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
