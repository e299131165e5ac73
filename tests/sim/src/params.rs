//! What a seed draws before a run begins: the city, its kitchens, the network, the disk, the clients, the faults.
//!
//! Owns every range. Never draws anything during a run.

use std::fmt;

use protocol::city::{City, Dish, Menu, Stage, Zone};
use protocol::link::places;

use crate::dice::Dice;
use crate::mutants::Mutant;
use crate::queue::{MS, SECOND, Time};

/// How far a clock is from the true rate: the promise is a ratio of 1.2 between two clocks (1.2 s * 1.2 < 1.5 s), so each
/// may be off by its root in either direction.
pub const SKEW: f64 = 1.095;

/// Which faults a run may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Everything.
    All,
    /// Links: resets, stalls, one-way and both-way cuts, half of the agents, slowness; client requests lost and repeated.
    Network,
    /// Agents and the balancer crash and start again.
    Crash,
    /// Agents, the balancer and its disk stand still and go on.
    Pause,
    /// Agents die for good.
    Death,
    /// No fault at all.
    Calm,
}

/// One kitchen.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are those of the agent's settings")]
pub struct KitchenParams {
    pub zone: usize,
    pub capacity: u32,
    pub stations: u32,
    pub specialties: Vec<usize>,
    pub speed: f64,
    /// Seconds of its clock in one true second.
    pub clock_rate: f64,
    /// Stages are commands of the shell, which may fail, instead of the core's own time.
    pub commands: bool,
    /// How long its agent says that one may take, in milliseconds.
    pub stage_timeout_ms: u32,
    /// The agent does not keep to that itself: only the balancer is left to notice.
    pub negligent: bool,
}

/// Everything drawn.
#[derive(Debug, Clone)]
pub struct Params {
    /// The seed.
    pub seed: u64,
    /// Which faults.
    pub scenario: Scenario,
    /// What is taken away.
    pub mutant: Option<Mutant>,
    /// The city.
    pub city: City,
    /// Its kitchens.
    pub kitchens: Vec<KitchenParams>,
    /// How long anything may fail.
    pub safety: Time,
    /// Orders a second.
    pub rate: f64,
    /// At most so many clients.
    pub clients_max: usize,
    /// Frames are bytes, encoded and decoded.
    pub wire: bool,
    /// One way, shortest and longest.
    pub delay: (Time, Time),
    /// Shortest and longest sync.
    pub sync: (Time, Time),
    /// A sync stalls.
    pub stall: f64,
    /// A client's request or reply is lost.
    pub loss: f64,
    /// It arrives twice.
    pub twice: f64,
    /// A client uses the key of another with a body of its own.
    pub conflicts: f64,
    /// An order is urgent.
    pub urgent: f64,
    /// A cooking command fails.
    pub failures: f64,
    /// The last dish always fails where commands cook.
    pub poison: bool,
    /// An order kills the agent that cooks it.
    pub killers: f64,
    /// Seconds of the balancer's clock in one true second.
    pub balancer_rate: f64,
    /// Mean time between two faults.
    pub fault_every: Time,
    /// Mean time between two operator actions; none if 0.
    pub operate_every: Time,
    /// The core's own invariants are checked after so many inputs; never if 0.
    pub inside_every: u64,
}

impl Params {
    /// What this seed draws.
    #[must_use]
    pub fn draw(seed: u64, scenario: Scenario, mutant: Option<Mutant>) -> Self {
        let mut dice = Dice::new(seed, 1);
        let calm = scenario == Scenario::Calm;
        let city = city(&mut dice);
        let count = dice.between(1, 8) as usize;
        let commands = dice.chance(0.5);
        let skewed = matches!(scenario, Scenario::All | Scenario::Pause) && dice.chance(0.7);
        let kitchens: Vec<KitchenParams> =
            (0..count).map(|_| kitchen(&mut dice, &city, (commands, skewed), mutant)).collect();
        let rate = dice.real(0.15, 0.75) * capacity_per_second(&city, &kitchens);
        let slow = dice.chance(0.15);
        let delay = if slow { (20 * MS, 90 * MS) } else { (50, dice.between(200, 20 * MS)) };
        let network = matches!(scenario, Scenario::All | Scenario::Network);
        Self {
            seed,
            scenario,
            mutant,
            safety: dice.between(60, 180) * SECOND,
            rate: rate.clamp(0.2, 6.0),
            clients_max: 600,
            wire: dice.chance(0.5),
            delay,
            sync: (100, dice.between(300, 5 * MS)),
            stall: if calm { 0.0 } else { dice.real(0.0, 0.002) },
            loss: if network { dice.real(0.0, 0.15) } else { 0.0 },
            twice: if network { dice.real(0.0, 0.1) } else { 0.0 },
            conflicts: 0.05,
            urgent: 0.1,
            failures: dice.real(0.0, 0.05),
            poison: dice.chance(0.3),
            killers: if calm { 0.0 } else { dice.real(0.0, 0.01) },
            balancer_rate: if skewed { dice.real(1.0 / SKEW, SKEW) } else { 1.0 },
            fault_every: dice.between(1_000, 6_000) * MS,
            operate_every: if calm { 0 } else { dice.between(2, 10) * SECOND },
            inside_every: 64,
            city,
            kitchens,
        }
    }
}

/// Orders a second that all stations together can cook.
#[must_use]
pub fn capacity_per_second(city: &City, kitchens: &[KitchenParams]) -> f64 {
    let work = |dish: &Dish| dish.stages.iter().map(|stage| f64::from(stage.ms)).sum::<f64>();
    let mean = city.menu.dishes.iter().map(work).sum::<f64>() / city.menu.dishes.len().max(1) as f64;
    let speed: f64 = kitchens.iter().map(|kitchen| f64::from(kitchen.stations) * kitchen.speed).sum();
    speed * 1_000.0 / mean.max(200.0)
}

fn city(dice: &mut Dice) -> City {
    let zones = (0..dice.between(1, 4)).map(|number| Zone {
        name: format!("z{number}"),
        x_km: dice.real(-8.0, 8.0),
        y_km: dice.real(-8.0, 8.0),
    });
    let zones = zones.collect();
    let dishes = (0..dice.between(1, 6)).map(|number| dish(dice, number)).collect();
    City { name: "drawn".into(), zones, menu: Menu { dishes }, kitchens: Vec::new() }
}

fn dish(dice: &mut Dice, number: u64) -> Dish {
    let instant = dice.chance(0.1);
    let stages = (0..dice.between(0, 4)).map(|stage| Stage {
        name: format!("s{stage}"),
        ms: if instant || dice.chance(0.1) { 0 } else { dice.between(1, 3_000) as u32 },
        interruptible: dice.chance(0.7),
    });
    Dish { name: format!("d{number}"), stages: stages.collect(), withdrawn: false }
}

fn kitchen(dice: &mut Dice, city: &City, (commands, skewed): (bool, bool), mutant: Option<Mutant>) -> KitchenParams {
    let capacity = dice.between(1, 12) as u32;
    let dishes = 0..city.menu.dishes.len();
    let clock_rate = match (skewed, mutant) {
        (_, Some(Mutant::SlowClock)) => 0.55,
        (true, _) => dice.real(1.0 / SKEW, SKEW),
        (false, _) => 1.0,
    };
    KitchenParams {
        zone: dice.below(city.zones.len()),
        capacity,
        stations: dice.between(1, u64::from(capacity)) as u32,
        specialties: dishes.filter(|_| dice.chance(0.4)).collect(),
        speed: dice.real(0.5, 2.0),
        clock_rate,
        commands: commands && dice.chance(0.7),
        // Above the longest stage at the lowest speed.
        stage_timeout_ms: dice.between(8_000, 16_000) as u32,
        negligent: dice.chance(0.5),
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} scenario {:?} mutant {:?}", self.seed, self.scenario, self.mutant)?;
        writeln!(
            f,
            "  {} kitchens, {} zones, {} dishes; {:.2} orders/s for {} s; wire {}; delay {}..{} us; sync {}..{} us, stalls {:.4}",
            self.kitchens.len(),
            self.city.zones.len(),
            self.city.menu.dishes.len(),
            self.rate,
            self.safety / SECOND,
            self.wire,
            self.delay.0,
            self.delay.1,
            self.sync.0,
            self.sync.1,
            self.stall
        )?;
        writeln!(
            f,
            "  loss {:.3}, twice {:.3}; a fault each {} ms, an operator's action each {} s; failures {:.3}, poison {}, killers {:.3}; the balancer's clock {:.3}",
            self.loss,
            self.twice,
            self.fault_every / MS,
            self.operate_every / SECOND,
            self.failures,
            self.poison,
            self.killers,
            self.balancer_rate
        )?;
        for (number, kitchen) in self.kitchens.iter().enumerate() {
            writeln!(
                f,
                "  k{number}: zone {} capacity {} stations {} places {} speed {:.2} clock {:.3} commands {} specialties {:?}",
                kitchen.zone,
                kitchen.capacity,
                kitchen.stations,
                places(kitchen.capacity, kitchen.stations),
                kitchen.speed,
                kitchen.clock_rate,
                kitchen.commands,
                kitchen.specialties
            )?;
        }
        for (number, dish) in self.city.menu.dishes.iter().enumerate() {
            let stages: Vec<u32> = dish.stages.iter().map(|stage| stage.ms).collect();
            writeln!(f, "  d{number}: {stages:?} ms")?;
        }
        Ok(())
    }
}
