//! How good the policies are: the same orders in the same city under each, without faults.
//!
//! The yardstick is one central queue: a single line, from which every free station takes the oldest order, the fastest
//! free station first. It knows no kitchens, no wire and no places, so nothing that keeps lines in kitchens can beat it
//! by much; with stations of unlike speed it is a very good policy, not a proven optimum.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use protocol::api::{Algorithm, PolicyView};
use protocol::city::{City, default_stations};

use crate::checker::ledger::Phase;
use crate::dice::Dice;
use crate::params::{KitchenParams, Params, Scenario};
use crate::queue::{MS, SECOND, Time};
use crate::world::World;

/// Arrivals of this share are not measured: the city is still filling.
const WARM_UP: f64 = 0.1;

/// What one policy made of the orders.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Measured {
    /// From acceptance to completion, sorted, in microseconds.
    pub sojourns: Vec<Time>,
    pub moves: u64,
    /// Mean / maximum of the kitchens' busy stations, averaged over the run.
    pub busy: f64,
    /// Mean / maximum of held / capacity at one moment, averaged over the moments.
    pub load: f64,
    pub violations: usize,
    arrivals: Vec<(Time, u64)>,
}

impl Measured {
    /// The sojourn that this share of the orders does not exceed, in milliseconds.
    #[must_use]
    pub fn percentile(&self, share: f64) -> f64 {
        let index = (self.sojourns.len() as f64 * share) as usize;
        self.sojourns.get(index).or(self.sojourns.last()).map_or(0.0, |sojourn| *sojourn as f64 / MS as f64)
    }
}

/// Prints a line for each policy; false if a rule was broken on the way.
#[must_use]
pub fn policies(load: f64, kitchens: usize, orders: usize, seed: u64) -> bool {
    let params = params(unlike(kitchens, seed), load, orders, seed);
    let base = PolicyView::default();
    let with = |algorithm| PolicyView { algorithm, ..PolicyView::default() };
    let alone = |algorithm| PolicyView { algorithm, steal: false, migrate: false, ..PolicyView::default() };
    let cases = [
        ("weighted score, steal + migrate", base.clone()),
        ("weighted score, steal", PolicyView { migrate: false, ..base.clone() }),
        ("weighted score, migrate", PolicyView { steal: false, ..base }),
        ("weighted score alone", alone(Algorithm::WeightedScore)),
        ("round robin alone", alone(Algorithm::RoundRobin)),
        ("weighted round robin alone", alone(Algorithm::WeightedRoundRobin)),
        ("least connections alone", alone(Algorithm::LeastConnections)),
        ("power of two alone", alone(Algorithm::PowerOfTwoChoices)),
        ("round robin, steal + migrate", with(Algorithm::RoundRobin)),
        ("least connections, steal + migrate", with(Algorithm::LeastConnections)),
        ("power of two, steal + migrate", with(Algorithm::PowerOfTwoChoices)),
    ];
    let measured: Vec<Measured> = cases.iter().map(|(_, policy)| measure(&params, policy.clone())).collect();
    let central = central_queue(&params, &measured[0].arrivals);
    let stations: u32 = params.kitchens.iter().map(|kitchen| kitchen.stations).sum();
    println!(
        "{kitchens} unlike kitchens, {stations} stations, {orders} orders at {:.2} a second, load {load}, seed {seed}",
        params.rate
    );
    println!(
        "{:<36} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "policy", "p50 ms", "p99 ms", "p50 x", "p99 x", "busy", "moves"
    );
    let (p50, p99) = (central.percentile(0.5), central.percentile(0.99));
    println!(
        "{:<36} {p50:>8.0} {p99:>8.0} {:>8.2} {:>8.2} {:>7} {:>7}",
        "central queue (reference)", 1.0, 1.0, "-", "-"
    );
    for ((name, _), one) in cases.iter().zip(&measured) {
        let (own50, own99) = (one.percentile(0.5), one.percentile(0.99));
        println!(
            "{name:<36} {own50:>8.0} {own99:>8.0} {:>8.2} {:>8.2} {:>7.3} {:>7}",
            own50 / p50,
            own99 / p99,
            one.busy,
            one.moves
        );
    }
    measured.iter().all(|one| one.violations == 0)
}

/// Prints load balance efficiency side by side; false if a rule was broken on the way.
#[must_use]
pub fn balance(seed: u64, orders: usize) -> bool {
    let city = City::built_in();
    let kitchens: Vec<KitchenParams> = city
        .kitchens
        .iter()
        .map(|kitchen| KitchenParams {
            zone: city.zones.iter().position(|zone| zone.name == kitchen.zone).unwrap_or(0),
            capacity: kitchen.capacity,
            stations: kitchen.stations.unwrap_or(default_stations(kitchen.capacity)),
            specialties: kitchen
                .specialties
                .iter()
                .filter_map(|name| city.menu.find(name))
                .map(|d| usize::from(d.0))
                .collect(),
            speed: 1.0,
            clock_rate: 1.0,
            commands: false,
            stage_timeout_ms: 60_000,
            negligent: false,
        })
        .collect();
    println!(
        "load balance efficiency = mean / maximum utilisation; built-in city, {orders} orders at each load, seed {seed}"
    );
    println!(
        "{:<6} {:<20} {:>14} {:>14} {:>8} {:>8} {:>7}",
        "load", "policy", "held/capacity", "busy stations", "p50 ms", "p99 ms", "moves"
    );
    let mut sound = true;
    for load in [0.5, 0.7, 0.9, 0.95] {
        let both = [Algorithm::WeightedScore, Algorithm::RoundRobin];
        for (algorithm, moving) in both.map(|one| (one, true)).into_iter().chain(both.map(|one| (one, false))) {
            let params = params((city.clone(), kitchens.clone()), load, orders, seed);
            let policy = PolicyView { algorithm, steal: moving, migrate: moving, ..PolicyView::default() };
            let one = measure(&params, policy);
            sound &= one.violations == 0;
            println!(
                "{load:<6} {:<20} {:>14.3} {:>14.3} {:>8.0} {:>8.0} {:>7}",
                format!("{}{}", algorithm.word(), if moving { "" } else { " alone" }),
                one.load,
                one.busy,
                one.percentile(0.5),
                one.percentile(0.99),
                one.moves
            );
        }
    }
    sound
}

/// The built-in map and menu, with kitchens that differ in everything.
fn unlike(count: usize, seed: u64) -> (City, Vec<KitchenParams>) {
    let mut dice = Dice::new(seed, 9);
    let city = City { kitchens: Vec::new(), ..City::built_in() };
    let kitchens = (0..count).map(|_| {
        let stations = dice.between(1, 10) as u32;
        KitchenParams {
            zone: dice.below(city.zones.len()),
            capacity: stations * 2,
            stations,
            specialties: (0..city.menu.dishes.len()).filter(|_| dice.chance(0.4)).collect(),
            speed: dice.real(0.7, 1.4),
            clock_rate: 1.0,
            commands: false,
            stage_timeout_ms: 60_000,
            negligent: false,
        }
    });
    let kitchens = kitchens.collect();
    (city, kitchens)
}

fn params((city, kitchens): (City, Vec<KitchenParams>), load: f64, orders: usize, seed: u64) -> Params {
    let mut params = Params {
        city,
        kitchens,
        safety: Time::MAX / 4,
        clients_max: orders,
        wire: false,
        delay: (100, 400),
        sync: (150, 400),
        stall: 0.0,
        conflicts: 0.0,
        urgent: 0.0,
        failures: 0.0,
        poison: false,
        killers: 0.0,
        balancer_rate: 1.0,
        operate_every: 0,
        inside_every: 0,
        ..Params::draw(seed, Scenario::Calm, None)
    };
    params.rate = load * stations_per_second(&params);
    // Everybody has come by then, nearly always; whoever has not is not waited for.
    params.safety = (orders as f64 / params.rate * 1.05e6) as Time + SECOND;
    params
}

/// Orders a second that all stations together can cook, by the mean over drawn orders.
fn stations_per_second(params: &Params) -> f64 {
    let mut world = World::new(params.clone(), PolicyView::default());
    let draws = 4_000;
    let work: u64 = (0..draws).map(|_| work_ms(params, &world.draw_order().items)).sum();
    let speed: f64 = params.kitchens.iter().map(|kitchen| f64::from(kitchen.stations) * kitchen.speed).sum();
    speed * 1_000.0 * f64::from(draws) / work as f64
}

fn work_ms(params: &Params, items: &[protocol::Item]) -> u64 {
    protocol::order::plan(items, &params.city.menu).iter().map(|stage| u64::from(stage.ms)).sum()
}

fn measure(params: &Params, policy: PolicyView) -> Measured {
    let mut world = World::new(params.clone(), policy);
    world.start();
    let begin = (params.safety as f64 * WARM_UP) as Time;
    let end = params.safety * 9 / 10;
    let (mut sum, mut moments) = (0.0, 0);
    let mut at = 0;
    let mut busy_before = Vec::new();
    while world.run_until(at) {
        if at >= begin && at < end {
            if busy_before.is_empty() {
                busy_before = busy(&world);
            }
            if let Some(ratio) = held_ratio(&world) {
                sum += ratio;
                moments += 1;
            }
        }
        at += 100 * MS;
    }
    let lines = world.checker.ledger.lines();
    let mut sojourns: Vec<Time> = lines
        .iter()
        .filter(|line| line.phase == Phase::Completed && line.accepted_at >= begin)
        .map(|line| line.ended_at - line.accepted_at)
        .collect();
    sojourns.sort_unstable();
    let stations = world.checker.ledger.kitchens.iter().map(|kitchen| f64::from(kitchen.stations));
    let used: Vec<f64> = busy(&world)
        .iter()
        .zip(&busy_before)
        .zip(stations)
        .map(|((after, before), n)| (after - before) as f64 / n)
        .collect();
    Measured {
        sojourns,
        moves: world.checker.ledger.tally.moves,
        busy: mean_by_max(&used).unwrap_or(0.0),
        load: sum / f64::from(moments.max(1)),
        arrivals: lines.iter().map(|line| (line.accepted_at, work_ms(params, &line.accepted.items))).collect(),
        violations: world.outcome().violations.len(),
    }
}

fn busy(world: &World) -> Vec<u64> {
    world.checker.ledger.kitchens.iter().map(|kitchen| kitchen.busy).collect()
}

fn held_ratio(world: &World) -> Option<f64> {
    let held: Vec<f64> = world
        .checker
        .ledger
        .kitchens
        .iter()
        .map(|kitchen| f64::from(kitchen.held) / f64::from(kitchen.places))
        .collect();
    mean_by_max(&held)
}

fn mean_by_max(values: &[f64]) -> Option<f64> {
    let most = values.iter().copied().fold(0.0, f64::max);
    (most > 0.0).then(|| values.iter().sum::<f64>() / values.len() as f64 / most)
}

/// One line; the fastest free station takes the oldest order.
fn central_queue(params: &Params, arrivals: &[(Time, u64)]) -> Measured {
    let speeds: Vec<f64> =
        params.kitchens.iter().flat_map(|kitchen| (0..kitchen.stations).map(|_| kitchen.speed)).collect();
    let mut by_speed: Vec<usize> = (0..speeds.len()).collect();
    by_speed.sort_by(|a, b| speeds[*b].total_cmp(&speeds[*a]));
    // Ranks, fastest first.
    let mut free: BTreeSet<usize> = (0..speeds.len()).collect();
    let mut busy: BinaryHeap<Reverse<(Time, usize)>> = BinaryHeap::new();
    let mut sojourns = Vec::new();
    let begin = (params.safety as f64 * WARM_UP) as Time;
    for &(arrived, work) in arrivals {
        while let Some(&Reverse((at, rank))) = busy.peek()
            && at <= arrived
        {
            busy.pop();
            free.insert(rank);
        }
        // First come, first served: this order begins before any later one, at the next free station if none is free.
        let (start, rank) = match free.pop_first() {
            Some(rank) => (arrived, rank),
            None => busy.pop().map_or((arrived, 0), |Reverse(entry)| entry),
        };
        let end = start + (work as f64 * 1_000.0 / speeds[by_speed[rank]]) as Time;
        busy.push(Reverse((end, rank)));
        if arrived >= begin {
            sojourns.push(end - arrived);
        }
    }
    sojourns.sort_unstable();
    Measured { sojourns, ..Measured::default() }
}
