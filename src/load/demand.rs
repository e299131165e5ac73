//! Demand: which orders a city's people ask for, and when.
//!
//! Owns the draw. The same seed gives the same orders and gaps. Never sends anything, never reads a clock.
//!
//! The n-th zone and dish of the city file are asked for 1/n as often as the first, so with the built-in city four in
//! ten orders go Downtown and more than a third want pizza: enough to make one kitchen hot.

use std::time::Duration;

use protocol::api::{ItemBody, PlaceOrder};
use protocol::city::City;
use protocol::feed::Snapshot;
use protocol::order::Priority;

/// One in so many orders has a second dish, and one in so many doubles a dish.
const ONE_IN: usize = 4;

/// An endless stream of orders.
#[derive(Debug, Clone)]
pub struct Demand {
    zones: Vec<String>,
    dishes: Vec<String>,
    random: fastrand::Rng,
}

impl Demand {
    /// The demand of a city; none if it has no zone or no dish.
    #[must_use]
    pub fn new(zones: Vec<String>, dishes: Vec<String>, seed: u64) -> Option<Self> {
        let any = !zones.is_empty() && !dishes.is_empty();
        any.then(|| Self { zones, dishes, random: fastrand::Rng::with_seed(seed) })
    }

    /// The demand of a city file.
    #[must_use]
    pub fn of_city(city: &City, seed: u64) -> Option<Self> {
        let offered = city.menu.dishes.iter().filter(|dish| !dish.withdrawn);
        let dishes = offered.map(|dish| dish.name.clone()).collect();
        Self::new(city.zones.iter().map(|zone| zone.name.clone()).collect(), dishes, seed)
    }

    /// The demand of a running city.
    #[must_use]
    pub fn of_snapshot(snapshot: Snapshot, seed: u64) -> Option<Self> {
        Self::new(snapshot.zones.into_iter().map(|zone| zone.name).collect(), snapshot.dishes, seed)
    }

    /// The next order, without a key.
    pub fn order(&mut self) -> PlaceOrder {
        let zone = self.zones[draw(&mut self.random, self.zones.len())].clone();
        let mut items = vec![self.item()];
        if self.random.usize(..ONE_IN) == 0 {
            let second = self.item();
            if second.dish != items[0].dish {
                items.push(second);
            }
        }
        PlaceOrder { items, zone, customer: None, priority: Priority::Normal, key: None }
    }

    fn item(&mut self) -> ItemBody {
        let dish = self.dishes[draw(&mut self.random, self.dishes.len())].clone();
        ItemBody { dish, quantity: if self.random.usize(..ONE_IN) == 0 { 2 } else { 1 } }
    }

    /// How long until the next order of a Poisson stream of `rate` orders a second.
    pub fn gap(&mut self, rate: f64) -> Duration {
        let mean = 1.0 / rate;
        Duration::from_secs_f64((-(1.0 - self.random.f64()).ln() * mean).min(60.0))
    }
}

/// An index below `count`, drawn with the weights 1, 1/2, 1/3, ...
fn draw(random: &mut fastrand::Rng, count: usize) -> usize {
    let weight = |index: usize| 1.0 / (index as f64 + 1.0);
    let mut left = random.f64() * (0..count).map(weight).sum::<f64>();
    for index in 0..count {
        left -= weight(index);
        if left < 0.0 {
            return index;
        }
    }
    count - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_asks_for_the_same_and_downtown_pizza_is_popular() {
        let demand = |seed| Demand::of_city(&City::built_in(), seed).expect("it has zones and dishes");
        let orders = |mut demand: Demand| (0..1_000).map(|_| demand.order()).collect::<Vec<_>>();
        let all = orders(demand(1));
        assert_eq!(all, orders(demand(1)));
        assert_ne!(all, orders(demand(2)));
        let downtown = all.iter().filter(|order| order.zone == "Downtown").count();
        let pizza = all.iter().filter(|order| order.items.iter().any(|item| item.dish == "pizza")).count();
        assert!((350..500).contains(&downtown), "{downtown}");
        assert!((350..550).contains(&pizza), "{pizza}");
    }

    #[test]
    fn gaps_average_to_the_rate() {
        let mut demand = Demand::of_city(&City::built_in(), 3).expect("it has zones and dishes");
        let sum: Duration = (0..10_000).map(|_| demand.gap(50.0)).sum();
        assert!((190.0..210.0).contains(&sum.as_secs_f64()), "{sum:?}");
    }
}
