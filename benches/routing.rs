//! Nanoseconds for one routing decision with the two updates that go with it (a place taken, a place freed), by scan and
//! by index, at 10, 1,000, 10,000 and 100,000 kitchens.
//!
//! ```text
//! cargo bench --bench routing
//! ```
//!
//! The median of many short batches: a stolen time slice spoils a batch, not the figure. Both ways are run on the same
//! fleet in turn, and must choose the same kitchen.

use std::time::Instant;

use balancer_core::KitchenNo;
use balancer_core::random::Random;
use balancer_core::routing::{DishSet, Facts, Routing};
use protocol::Item;
use protocol::api::PolicyView;
use protocol::city::{DishNo, Zone, ZoneNo};

const ZONES: u16 = 16;
const MENUS: [&[u16]; 8] = [&[0, 1, 2], &[3, 4], &[5, 6, 7], &[8], &[0, 5, 9], &[10, 11], &[2, 4, 6], &[]];
const CAPACITY: u32 = 20;
const BATCHES: usize = 201;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    println!("{:>9} {:>14} {:>14} {:>22}", "kitchens", "scan, ns", "index, ns", "index + 2 updates, ns");
    for count in [10, 1_000, 10_000, 100_000] {
        let mut fleet = fleet(count);
        let orders = orders();
        let per_batch = (200_000 / count).clamp(1, 2_000);
        let scan = median(per_batch, |turn| {
            let (items, zone) = &orders[turn % orders.len()];
            fleet.best_by_scan(items, *zone, |_| true)
        });
        let index = median(2_000, |turn| {
            let (items, zone) = &orders[turn % orders.len()];
            fleet.best_by_index(items, *zone)
        });
        for (items, zone) in &orders {
            assert_eq!(
                fleet.best_by_scan(items, *zone, |_| true),
                fleet.best_by_index(items, *zone),
                "index and scan agree"
            );
        }
        let whole = median(2_000, |turn| {
            let (items, zone) = &orders[turn % orders.len()];
            let chosen = fleet.best_by_index(items, *zone)?;
            let kitchen = KitchenNo(u32::try_from(chosen).ok()?);
            fleet.set_free(kitchen, CAPACITY / 2, 2_000);
            fleet.set_free(kitchen, CAPACITY / 2 + 1, 2_000);
            Some(chosen)
        });
        println!("{count:>9} {scan:>14.0} {index:>14.0} {whole:>22.0}");
    }
}

fn fleet(count: usize) -> Routing {
    let mut random = Random::new(7);
    let mut routing = Routing::default();
    let zones: Vec<Zone> = (0..ZONES)
        .map(|number| Zone { name: format!("z{number}"), x_km: random.unit() * 20.0, y_km: random.unit() * 20.0 })
        .collect();
    routing.configure(&PolicyView::default(), &zones, 2_000);
    for number in 0..count {
        let facts = Facts {
            unfit: None,
            zone: ZoneNo(random.below(usize::from(ZONES)) as u16),
            specialties: MENUS[random.below(MENUS.len())].iter().map(|dish| DishNo(*dish)).collect::<DishSet>(),
            capacity: CAPACITY,
            free: 1 + random.below(CAPACITY as usize) as u32,
            avg_ms: 1_000 + random.below(4_000) as u32,
        };
        routing.set(KitchenNo(number as u32), facts);
    }
    routing.force_index();
    routing
}

fn orders() -> Vec<(Vec<Item>, ZoneNo)> {
    let mut random = Random::new(11);
    let item =
        |random: &mut Random| Item { dish: DishNo(random.below(12) as u16), quantity: 1 + random.below(2) as u16 };
    let order = |random: &mut Random| {
        let dishes = 1 + usize::from(random.below(5) == 0);
        ((0..dishes).map(|_| item(random)).collect(), ZoneNo(random.below(usize::from(ZONES)) as u16))
    };
    (0..256).map(|_| order(&mut random)).collect()
}

/// The median over batches of the mean time of one call, in nanoseconds.
fn median(per_batch: usize, mut decide: impl FnMut(usize) -> Option<usize>) -> f64 {
    let mut means: Vec<f64> = (0..BATCHES)
        .map(|batch| {
            let began = Instant::now();
            for turn in 0..per_batch {
                std::hint::black_box(decide(batch * per_batch + turn));
            }
            began.elapsed().as_secs_f64() * 1e9 / per_batch as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    means[BATCHES / 2]
}
