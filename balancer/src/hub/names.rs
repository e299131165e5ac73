//! Names of dishes and zones to their numbers in the ledger: two look-ups an order. Never changes within a reign.

use protocol::city::{City, DishNo, ZoneNo};

/// Names of dishes and zones, as clients write them; sorted. A menu is short: a search costs less than a hash of the name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    dishes: Vec<(String, DishNo)>,
    zones: Vec<(String, ZoneNo)>,
}

impl Names {
    pub(crate) fn dish(&self, name: &str) -> Option<DishNo> {
        find(&self.dishes, name)
    }

    pub(crate) fn zone(&self, name: &str) -> Option<ZoneNo> {
        find(&self.zones, name)
    }

    /// Those of a city; withdrawn dishes are not offered.
    pub(crate) fn of(city: &City) -> Self {
        let number = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        let offered = city.menu.dishes.iter().enumerate().filter(|(_, dish)| !dish.withdrawn);
        let zones = city.zones.iter().enumerate();
        Self {
            dishes: sorted(offered.map(|(index, dish)| (dish.name.clone(), DishNo(number(index))))),
            zones: sorted(zones.map(|(index, zone)| (zone.name.clone(), ZoneNo(number(index))))),
        }
    }
}

fn sorted<T>(names: impl Iterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut names: Vec<(String, T)> = names.collect();
    names.sort_by(|one, other| one.0.cmp(&other.0));
    names
}

fn find<T: Copy>(names: &[(String, T)], name: &str) -> Option<T> {
    let place = names.binary_search_by(|known| known.0.as_str().cmp(name)).ok()?;
    names.get(place).map(|known| known.1)
}
