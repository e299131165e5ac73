//! Stories of choices, and the index against the scan.

use super::*;

fn zones(count: u16) -> Vec<Zone> {
    (0..count).map(|n| Zone { name: format!("z{n}"), x_km: f64::from(n) * 2.0, y_km: 0.0 }).collect()
}

fn facts(zone: u16, capacity: u32, free: u32, dishes: &[u16]) -> Facts {
    Facts {
        unfit: None,
        zone: ZoneNo(zone),
        specialties: dishes.iter().map(|dish| DishNo(*dish)).collect(),
        capacity,
        free,
        avg_ms: 1_000,
    }
}

fn fleet(kitchens: &[Facts]) -> Routing {
    let mut routing = Routing::default();
    routing.configure(&PolicyView::default(), &zones(4), 1_000);
    for (number, facts) in kitchens.iter().enumerate() {
        routing.set(KitchenNo(number as u32), facts.clone());
    }
    routing
}

fn one(dish: u16) -> Vec<Item> {
    vec![Item { dish: DishNo(dish), quantity: 1 }]
}

fn choose(routing: &mut Routing, dish: u16) -> Option<usize> {
    routing.choose(&one(dish), ZoneNo(0), &mut Random::new(1)).map(KitchenNo::index)
}

#[test]
fn a_specialist_wins_until_it_is_much_fuller() {
    let mut routing = fleet(&[facts(0, 10, 10, &[]), facts(0, 10, 8, &[3])]);
    assert_eq!(choose(&mut routing, 3), Some(1), "0.3 for the specialty against 0.08 for the load");
    routing.set_free(KitchenNo(1), 1, 1_000);
    assert_eq!(choose(&mut routing, 3), Some(0), "0.3 against 0.36");
}

#[test]
fn the_faster_then_the_nearer_wins() {
    let mut slow = facts(0, 10, 10, &[]);
    slow.avg_ms = 3_000;
    let mut routing = fleet(&[slow, facts(0, 10, 10, &[])]);
    assert_eq!(choose(&mut routing, 0), Some(1));
    let mut routing = fleet(&[facts(3, 10, 10, &[]), facts(1, 10, 10, &[])]);
    assert_eq!(choose(&mut routing, 0), Some(1));
}

#[test]
fn full_and_unfit_kitchens_are_never_chosen() {
    let mut dead = facts(0, 10, 10, &[]);
    dead.unfit = Some(Unfit::Dead);
    let mut routing = fleet(&[dead, facts(0, 10, 0, &[])]);
    for algorithm in Algorithm::ALL {
        routing.algorithm = algorithm;
        assert_eq!(choose(&mut routing, 0), None, "{algorithm}");
    }
    assert_eq!(routing.open_places(), 0);
}

#[test]
fn equal_kitchens_take_turns() {
    for algorithm in [Algorithm::WeightedScore, Algorithm::RoundRobin, Algorithm::LeastConnections] {
        let mut routing = fleet(&vec![facts(0, 10, 10, &[]); 3]);
        routing.algorithm = algorithm;
        let chosen: Vec<_> = (0..6).filter_map(|_| choose(&mut routing, 0)).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2], "{algorithm}");
    }
}

#[test]
fn weighted_round_robin_follows_capacity_smoothly() {
    let mut routing = fleet(&[facts(0, 5, 5, &[]), facts(0, 1, 1, &[]), facts(0, 1, 1, &[])]);
    routing.algorithm = Algorithm::WeightedRoundRobin;
    let chosen: Vec<_> = (0..7).filter_map(|_| choose(&mut routing, 0)).collect();
    assert_eq!(chosen, [0, 0, 1, 0, 2, 0, 0]);
}

fn random_facts(random: &mut Random) -> Facts {
    let capacity = 1 + random.below(4) as u32;
    let dishes: Vec<u16> = (0..random.below(3)).map(|_| random.below(70) as u16).collect();
    let mut facts = facts(random.below(4) as u16, capacity, random.below(capacity as usize + 1) as u32, &dishes);
    facts.avg_ms = 500 + 500 * random.below(3) as u32;
    if random.below(10) == 0 {
        facts.unfit = Some(Unfit::Cordoned);
    }
    facts
}

/// Few distinct values, so that ties are common; orders of one to three dishes; every change goes through the index.
#[test]
fn the_index_agrees_with_the_scan() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let count = 1 + random.below(150);
        let kitchens: Vec<Facts> = (0..count).map(|_| random_facts(&mut random)).collect();
        let mut routing = fleet(&kitchens);
        routing.force_index();
        for step in 0..200 {
            let changed = KitchenNo(random.below(count) as u32);
            let mut facts = random_facts(&mut random);
            if random.below(8) > 0 {
                let old = &routing.slots[changed.index()].facts;
                (facts.zone, facts.specialties) = (old.zone, old.specialties.clone());
                routing.set(changed, facts);
            } else {
                routing.set(changed, facts);
                routing.force_index();
            }
            let items: Vec<Item> = (0..=random.below(3))
                .map(|_| Item { dish: DishNo(random.below(70) as u16), quantity: 1 + random.below(3) as u16 })
                .collect();
            let zone = ZoneNo(random.below(4) as u16);
            routing.set_offset(random.below(count + 1));
            let scan = routing.best_by_scan(&items, zone, |_| true);
            assert_eq!(routing.best_by_index(&items, zone), scan, "seed {seed}, step {step}, {count} kitchens");
        }
    }
}
